"""A node that is drained, and one that goes with its machine.

The machine that goes carries one replica of two, and not the operator that leads: a failover takes
fifteen seconds of its own, and is looked at by e2e/endurance.
"""

import json
from typing import Final

from e2e.breaker.case import SERVED, Case
from e2e.cases.faulting import engine_pods, leader, ready, ready_pod
from e2e.cluster.wait import wait_for
from e2e.stage.stage import NAMESPACE, TEAM, Stage
from escadre import reasons
from escadre.names import LABEL_SLOT

__all__ = ["CASES"]


def _node(stage: Stage) -> str:
    return str(ready_pod(stage, SERVED)["spec"]["nodeName"])


def _drain(stage: Stage) -> None:
    stage.cluster.kubectl("cordon", _node(stage))
    for pod in stage.cluster.list("pods", "-A", "-l", "escadre.dev/component=engine"):
        meta = pod["metadata"]
        if pod["spec"]["nodeName"] in _closed(stage) and "deletionTimestamp" not in meta:
            _evict(stage, meta["name"], meta["namespace"])
            return


def _evict(stage: Stage, name: str, namespace: str) -> None:
    """As ``kubectl drain`` does for each pod, without its wait."""
    wish = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    stage.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(wish))


def _closed(stage: Stage) -> set[str]:
    nodes = stage.cluster.list("nodes")
    return {one["metadata"]["name"] for one in nodes if one["spec"].get("unschedulable")}


def _open(stage: Stage) -> None:
    """Takes nodes in again, and a replica to one of them: none is moved while it serves."""
    stage.cluster.kubectl("uncordon", *sorted(_closed(stage) | {"gpu-0"}))
    if len(_used(stage)) > 1:
        return
    slot = ready_pod(stage, SERVED)["metadata"]["labels"][LABEL_SLOT]
    stage.cluster.kubectl("delete", "deployment", f"{SERVED}-{slot}", "-n", TEAM)
    wait_for(lambda: len(_used(stage)) > 1, 60, f"replicas of {SERVED} on two nodes")
    ready(stage, SERVED, deadline=60)


def _used(stage: Stage) -> set[str]:
    """The nodes that replicas are on."""
    found = (pod["spec"].get("nodeName") for pod in engine_pods(stage, SERVED))
    return {str(name) for name in found if name}


def _delete(stage: Stage) -> None:
    operator = stage.cluster.get("pod", wait_for(lambda: leader(stage), 30, "a leader"), NAMESPACE)
    others = sorted(_used(stage) - {operator["spec"]["nodeName"]})
    assert others, "every replica is on the leader's node"
    name = others[0]
    stage.cluster.node(name).power_off()
    stage.cluster.kubectl("delete", "node", name)


def _bring_back(stage: Stage) -> None:
    there = {one["metadata"]["name"] for one in stage.cluster.list("nodes")}
    for spec in stage.cluster.config.nodes:
        if spec.name not in there:
            stage.cluster.node(spec.name).recreate()
            stage.cluster.node(spec.name).power_on()
    stage.cluster.kubectl("rollout", "status", "daemonset/escadre-agent", "-n", NAMESPACE)


CASES: Final = (
    Case(
        name="node-drained",
        broken="the node of a replica is cordoned, its pods are evicted",
        reasons=(
            reasons.DEGRADED,
            reasons.DRAINING,
            reasons.UNSCHEDULABLE,
            reasons.REPLICAS_PENDING,
            reasons.LOADING,
        ),
        heals="by itself: the replica is made on another node",
        deed=_drain,
        after=_open,
        within=120,
    ),
    Case(
        name="node-deleted",
        broken="the machine of one of two replicas is off and its Node is deleted",
        reasons=(
            reasons.NODE_LOST,
            reasons.DEGRADED,
            reasons.REPLICAS_PENDING,
            reasons.LOADING,
        ),
        heals="by itself: the replica is made on another node",
        deed=_delete,
        after=_bring_back,
        within=180,
        may_lose=30,
    ),
)
