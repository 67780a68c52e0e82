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

__all__ = ["late_at", "unplaced"]


def unplaced(facts: StatusFacts, pending: Sequence[ReplicaLine]) -> tuple[Reason, ReplicaLine]:
    """The reason of the replica that blocks most, and that replica; ``pending`` is not empty."""
    for one in pending:
        if one.hindered == reasons.POD_REFUSED:
            return one.hindered, one
    now = datetime.fromisoformat(facts.now).timestamp()
    for one in pending:
        end = late_at(facts.previous, one.since, facts.patience)
        if end is not None and end <= now:
            return reasons.UNSCHEDULABLE, one
    return reasons.REPLICAS_PENDING, pending[0]


def late_at(told: Told, since: float | None, patience: float) -> float | None:
    """When a pod without a node waits for too long, in seconds since the epoch.

    None without a pod, and while its weights are not verified as far as was told: those are waited
    for then. ``since`` is when it was made.
    """
    said = (one for one in told.conditions if one.type == ConditionType.WEIGHTS_READY)
    weights = next((one for one in said if one.status == "True"), None)
    if weights is None or since is None:
        return None
    return max(since, weights.since.timestamp()) + patience
