"""Progress of pulls as the agents tell it now: newer than the deployment's own status.

The operator repeats mere numbers in a ModelDeployment every 30 s at most; whoever watches a pull
reads the GPUNodes besides. Users without that right see the slower numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from escadre import reasons
from escadre.api.base import Condition
from escadre.api.deployment import WeightsOnNode
from escadre.api.gpunode import GPUNodeStatus, NodeWeights
from escadre.api.wire import read
from escadre.cli.shared.deployed import Deployed
from escadre.cli.shared.session import Session
from escadre.clients.kube import GPU_NODES, ApiError
from escadre.core.fleet.retelling import newer_words
from escadre.core.status.conditions import Leaf, as_progress, as_ready
from escadre.core.status.leaves import weights_leaf
from escadre.names import ConditionType

__all__ = ["overlaid", "with_progress"]

_MOVING_STATES: Final = {"Wanted", "Pulling"}
_TOLD: Final = frozenset(
    {ConditionType.WEIGHTS_READY, ConditionType.READY, ConditionType.RECONCILING}
)


async def with_progress(session: Session, deployed: Deployed) -> Deployed:
    """The deployment with the numbers of its agents."""
    told: dict[str, GPUNodeStatus] = {}
    for node in sorted(
        {one.node for one in deployed.status.weights if one.state in _MOVING_STATES}
    ):
        try:
            body = await session.api.get(GPU_NODES, node)
        except ApiError:
            continue  # not ours to read, or gone: what the status says stays
        told[node] = read(GPUNodeStatus, body.get("status"))
    return overlaid(deployed, told)


def overlaid(deployed: Deployed, told: Mapping[str, GPUNodeStatus]) -> Deployed:
    """Pure part of ``with_progress``."""
    weights = [
        _newer(one, told[one.node]) if one.node in told and one.state in _MOVING_STATES else one
        for one in deployed.status.weights
    ]
    conditions = _reworded(deployed.status.conditions, weights)
    update = {"weights": weights, "conditions": conditions}
    return replace(deployed, status=deployed.status.model_copy(update=update))


def _reworded(conditions: Sequence[Condition], weights: Sequence[WeightsOnNode]) -> list[Condition]:
    """The conditions that tell of the pull, in its newer numbers: no view contradicts itself."""
    leaf = weights_leaf(weights)
    ready = as_ready(leaf)
    newer = {one.type: one for one in (leaf, ready, as_progress(ready))}
    return [
        _say(one, newer[one.type]) if _tells_of(one, leaf, conditions) else one
        for one in conditions
    ]


def _tells_of(one: Condition, leaf: Leaf, conditions: Sequence[Condition]) -> bool:
    """Whether a condition is the leaf, or one that repeats it while it holds Ready up."""
    pulled = {other.type for other in conditions if other.reason is leaf.reason}
    if leaf.reason is not reasons.PULLING or ConditionType.WEIGHTS_READY not in pulled:
        return False
    return one.type in pulled and one.type in _TOLD


def _say(one: Condition, newer: Leaf) -> Condition:
    return one.model_copy(update={"message": str(newer.message)})


def _newer(one: WeightsOnNode, told: GPUNodeStatus) -> WeightsOnNode:
    entry: NodeWeights | None = next(
        (entry for entry in told.weights if entry.manifest_digest == one.manifest_digest), None
    )
    if entry is None or entry.state != "Pulling":
        return one
    message = newer_words(one.message, entry.message)
    return one.model_copy(update={"state": "Pulling", **entry.numbers(), "message": message})
