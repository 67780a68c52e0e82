"""Why replicas have no node: refused by the API server, waiting still, or for too long. Pure.

Waiting is nobody's move while weights come or a pod before finishes its requests. What has its
weights and waits longer than such a drain takes does not come by waiting; nor does a claim that
somebody's finalizer has held for as long.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from escadre import reasons
from escadre.core.listing import listed
from escadre.core.status.conditions import Leaf, false, true, unknown
from escadre.core.status.facts import (
    LeavingClaim,
    ReplicaLine,
    StatusFacts,
    count_of,
    share_of,
)
from escadre.core.status.told import Told
from escadre.names import ConditionType
from escadre.reasons import Reason
from escadre.reasons.said import say

__all__ = ["held_until", "late_at", "missing_at", "scheduled_leaf", "unplaced"]

_OF_A_CLAIM: Final = frozenset({reasons.REPLICAS_PENDING, reasons.CLAIM_STUCK})


def scheduled_leaf(facts: StatusFacts) -> Leaf:
    """Scheduled: whether every replica has a node, else what the one that blocks most waits for."""
    if not facts.replicas:
        return unknown(ConditionType.SCHEDULED, reasons.NO_REPLICAS, say("no replica exists yet"))
    pending = [one for one in facts.replicas if one.view.state == "Pending"]
    if not pending:
        placed = say("{replicas} placed", replicas=count_of(len(facts.replicas)))
        return true(ConditionType.SCHEDULED, reasons.SCHEDULED, placed)
    reason, first = unplaced(facts, pending)
    if first.claim and reason in _OF_A_CLAIM:
        words = say(
            "PersistentVolumeClaim {claim} was deleted and is made anew as soon as it is gone",
            claim=_named(first.claim),
        )
        return false(ConditionType.SCHEDULED, reason, words)
    words = say(
        "{pending} wait for a node; {first}: {words}",
        pending=share_of(len(pending), len(facts.replicas)),
        first=first.name,
        words=first.message or _unmade(reason, first.name),
    )
    return false(ConditionType.SCHEDULED, reason, words)


def unplaced(facts: StatusFacts, pending: Sequence[ReplicaLine]) -> tuple[Reason, ReplicaLine]:
    """The reason of the replica that blocks most, and that replica; ``pending`` is not empty."""
    for one in pending:
        if one.hindered == reasons.POD_REFUSED:
            return one.hindered, one
    now = datetime.fromisoformat(facts.now).timestamp()
    for one in pending:
        held = held_until(one.claim, facts.patience)
        if held is not None and held <= now:
            return reasons.CLAIM_STUCK, one
    for one in pending:
        missing = one.hindered == reasons.POD_MISSING
        told, patience = facts.previous, facts.patience
        end = missing_at(told, patience) if missing else late_at(told, one.since, patience)
        if end is not None and end <= now:
            return reasons.POD_MISSING if missing else reasons.UNSCHEDULABLE, one
    return reasons.REPLICAS_PENDING, next((one for one in pending if one.claim), pending[0])


def _named(claim: LeavingClaim) -> str:
    if not claim.held_by:
        return claim.name
    return f"{claim.name} (held by the finalizer {listed(claim.held_by, 3)})"


def _unmade(reason: Reason, name: str) -> str:
    """What is said of a replica that has no pod, and of which nobody says anything."""
    if reason == reasons.POD_MISSING:
        return f"nobody makes the pod of Deployment {name}"
    return "its pod is being made"


def held_until(claim: LeavingClaim | None, patience: float) -> float | None:
    """When others have held a deleted claim for too long, in seconds since the epoch."""
    return claim.deleted + patience if claim and claim.held_by else None


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
