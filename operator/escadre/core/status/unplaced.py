"""Why replicas have no node: refused by the API server, waiting still, or for too long. Pure.

Waiting is nobody's move while weights come or a pod before finishes its requests. What has its
weights and waits longer than such a drain takes does not come by waiting.
"""

from collections.abc import Sequence
from datetime import datetime

from escadre import reasons
from escadre.core.status.facts import ReplicaLine, StatusFacts
from escadre.core.status.told import Told
from escadre.names import ConditionType
from escadre.reasons import Reason

__all__ = ["late_at", "missing_at", "unmade", "unplaced"]


def unplaced(facts: StatusFacts, pending: Sequence[ReplicaLine]) -> tuple[Reason, ReplicaLine]:
    """The reason of the replica that blocks most, and that replica; ``pending`` is not empty."""
    for one in pending:
        if one.hindered == reasons.POD_REFUSED:
            return one.hindered, one
    now = datetime.fromisoformat(facts.now).timestamp()
    for one in pending:
        missing = one.hindered == reasons.POD_MISSING
        told, patience = facts.previous, facts.patience
        end = missing_at(told, patience) if missing else late_at(told, one.since, patience)
        if end is not None and end <= now:
            return reasons.POD_MISSING if missing else reasons.UNSCHEDULABLE, one
    return reasons.REPLICAS_PENDING, pending[0]


def unmade(reason: Reason, name: str) -> str:
    """What is said of a replica that has no pod, and of which nobody says anything."""
    if reason == reasons.POD_MISSING:
        return f"nobody makes the pod of Deployment {name}"
    return "its pod is being made"


def late_at(told: Told, since: float | None, patience: float) -> float | None:
    """When a pod without a node waits for too long, in seconds since the epoch.

    None without a pod, and while its weights are not verified as far as was told: those are waited
    for then. ``since`` is when it was made.
    """
    weights = _since(told, ConditionType.WEIGHTS_READY, "True")
    if weights is None or since is None:
        return None
    return max(since, weights) + patience


def missing_at(told: Told, patience: float) -> float | None:
    """When a pod that nobody makes is waited for for too long; None until its lack was told."""
    return late_at(told, _since(told, ConditionType.SCHEDULED, "False"), patience)


def _since(told: Told, type_: ConditionType, status: str) -> float | None:
    said = (one for one in told.conditions if one.type == type_ and one.status == status)
    return next((one.since.timestamp() for one in said), None)
