"""Which replica is made, drained, replaced or deleted next, and why.

Pure: observed replicas and the fleet's slots in, actions with reasons out. The same mechanism
drains for scale-down and for rollout. One slot at a time is replaced, and only onto a node where
the new weights are verified, so a rollout needs no spare GPU and never waits with an idle one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from escadre import reasons
from escadre.core.replicas.drain import Drain
from escadre.reasons import Reason
from escadre.reasons.said import NOTHING, Said, say

__all__ = [
    "Action",
    "ReplicaView",
    "RolloutPlan",
    "Target",
    "choose_leaving",
    "plan_rollout",
]

Verb = Literal["Create", "Drain", "Undrain", "Replace", "Delete", "Keep"]


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica as it is.

    ``current``: made from today's inputs. ``idle``: no request running or waiting, seen twice
    after it left the Service. ``in_flight``: requests running and waiting, None when unknown.
    """

    slot: int
    state: Literal["Pending", "Loading", "Ready", "NotResponding", "Failing"]
    current: bool
    drain: Drain | None = None
    idle: bool = False
    in_flight: int | None = None
    terminating: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What the fleet plan gives a slot. ``node`` None: no GPUs now."""

    slot: int
    node: str | None
    weights_verified: bool
    message: Said = NOTHING


@dataclass(frozen=True, slots=True)
class Action:
    """One step for one slot."""

    verb: Verb
    slot: int
    reason: Reason
    message: str
    drain: Drain | None = None


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """The steps of one pass, and what the rollout waits for."""

    actions: tuple[Action, ...]
    outdated: int
    waiting: Said

    def action(self, slot: int) -> Action | None:
        """The step for a slot."""
        return next((action for action in self.actions if action.slot == slot), None)


def choose_leaving(replicas: Sequence[ReplicaView], desired: int) -> frozenset[int]:
    """Slots that go when there are more than ``desired``: not ready first, then fewest in flight.

    A replica that is draining to go already is chosen first, so that a choice once made stands.
    """
    alive = [replica for replica in replicas if not replica.terminating]
    ranked = sorted(
        alive,
        key=lambda replica: (
            replica.drain is not None and replica.drain.cause == "ScaleDown",
            replica.state != "Ready",
            not replica.current,
            -(replica.in_flight or 0),
            replica.slot,
        ),
    )
    return frozenset(replica.slot for replica in ranked[desired:])


def plan_rollout(
    replicas: Sequence[ReplicaView],
    targets: Sequence[Target],
    *,
    approved: bool,
    now: float,
    drain_seconds: float,
) -> RolloutPlan:
    """The next step for every slot.

    ``targets`` holds the slots that stay or come; a replica without one leaves. Without an
    approval that holds nothing is made or replaced; what leaves still leaves.
    """
    wanted = {target.slot: target for target in targets}
    kept = [replica for replica in replicas if replica.slot in wanted]
    actions = [
        _leave(replica, now, drain_seconds) for replica in replicas if replica.slot not in wanted
    ]
    outdated = sum(not replica.current for replica in kept) if approved else 0
    waiting = NOTHING
    if outdated:
        steps, waiting = _replace(kept, wanted, now, drain_seconds)
    else:
        steps = [_keep(replica) for replica in kept]
    actions += steps
    existing = {replica.slot for replica in replicas}
    if approved:
        actions += [
            Action("Create", target.slot, reasons.REPLICA_CREATED, f"planned on node {target.node}")
            for target in targets
            if target.slot not in existing and target.node is not None
        ]
    return RolloutPlan(tuple(sorted(actions, key=lambda a: a.slot)), outdated, waiting)


def _keep(replica: ReplicaView) -> Action:
    if replica.drain is not None:
        return Action("Undrain", replica.slot, reasons.REPLICA_CREATED, "wanted again")
    return Action("Keep", replica.slot, reasons.READY, "")


def _leave(replica: ReplicaView, now: float, drain_seconds: float) -> Action:
    if replica.terminating:
        return Action(
            "Keep", replica.slot, reasons.REPLICA_DELETED, "is being deleted", replica.drain
        )
    if replica.drain is None or replica.drain.cause != "ScaleDown":
        drain = Drain("ScaleDown", now)
        if replica.state != "Ready":
            return Action("Delete", replica.slot, reasons.REPLICA_DELETED, "was not ready", drain)
        return Action("Drain", replica.slot, reasons.REPLICA_DRAINING, "scaled down", drain)
    done = _drained(replica, replica.drain, now, drain_seconds)
    if done:
        return Action("Delete", replica.slot, reasons.REPLICA_DELETED, done, replica.drain)
    return Action("Keep", replica.slot, reasons.DRAINING, _drain_message(replica), replica.drain)


def _replace(
    kept: Sequence[ReplicaView],
    wanted: Mapping[int, Target],
    now: float,
    drain_seconds: float,
) -> tuple[list[Action], Said]:
    """Outdated replicas that serve nothing go at once; of those that serve, one at a time.

    Whichever may not go now serves: a replica that was drained already goes back into the Service.
    """
    steps: list[Action] = []
    waiting = NOTHING
    # A replica on the new inputs that is not ready yet holds the others back: were the new
    # inputs bad, only one replica would be lost to them.
    first = next(
        (one for one in kept if one.current and one.state != "Ready" and not one.terminating), None
    ) or next((one for one in kept if one.drain and _may_go(one, wanted[one.slot])), None)
    for replica in sorted(kept, key=lambda one: one.slot):
        target = wanted[replica.slot]
        if replica.current:
            steps.append(_keep(replica))
        elif replica.terminating:
            steps.append(Action("Keep", replica.slot, reasons.DRAINING, "is being deleted"))
        elif target.node is None:
            waiting = waiting or target.message
            steps.append(_hold(replica, reasons.INSUFFICIENT_GPUS, target.message))
        elif not target.weights_verified:
            why = say("weights are not verified on node {node} yet", node=target.node)
            waiting = waiting or why
            steps.append(_hold(replica, reasons.PULLING, why))
        elif replica.state != "Ready":
            steps.append(_renew(replica, "was not ready"))
        elif first is not None and first.slot != replica.slot:
            why = say("replica {slot} goes first", slot=str(first.slot))
            waiting = waiting or why
            steps.append(_hold(replica, reasons.ROLLING_OUT, why))
        elif replica.drain is None:
            first = replica
            drain = Drain("Rollout", now)
            steps.append(
                Action("Drain", replica.slot, reasons.REPLICA_DRAINING, "new inputs", drain)
            )
        elif done := _drained(replica, replica.drain, now, drain_seconds):
            steps.append(_renew(replica, done))
        else:
            words = _drain_message(replica)
            steps.append(Action("Keep", replica.slot, reasons.DRAINING, words, replica.drain))
    return steps, waiting


def _may_go(replica: ReplicaView, target: Target) -> bool:
    """Whether an outdated replica that serves could be replaced now, were it its turn."""
    return (
        not replica.current
        and not replica.terminating
        and replica.state == "Ready"
        and target.node is not None
        and target.weights_verified
    )


def _hold(replica: ReplicaView, reason: Reason, why: Said) -> Action:
    return Action("Keep" if replica.drain is None else "Undrain", replica.slot, reason, str(why))


def _renew(replica: ReplicaView, why: str) -> Action:
    return Action("Replace", replica.slot, reasons.REPLICA_REPLACED, why)


def _drained(replica: ReplicaView, drain: Drain, now: float, drain_seconds: float) -> str:
    """Why the replica counts as drained, "" while it does not."""
    if replica.state != "Ready":
        return "is not ready"
    if replica.idle:
        return f"drained in {now - drain.since:.0f} s"
    if now - drain.since >= drain_seconds:
        left = "unknown" if replica.in_flight is None else str(replica.in_flight)
        return f"drain limit of {drain_seconds:.0f} s reached with {left} requests in flight"
    return ""


def _drain_message(replica: ReplicaView) -> str:
    left = "an unknown number of" if replica.in_flight is None else str(replica.in_flight)
    return f"finishing {left} requests"
