"""A node that is drained, and one that goes with its machine."""

import json
from typing import Final

from e2e.breaker.case import SERVED, Case
from e2e.cases.faulting import ready_pod
from e2e.stage.stage import NAMESPACE, Stage
from escadre import reasons

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
    stage.cluster.kubectl("uncordon", *sorted(_closed(stage) | {"gpu-0"}))


def _delete(stage: Stage) -> None:
    name = _node(stage)
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
        broken="the machine of a replica is off and its Node is deleted",
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
