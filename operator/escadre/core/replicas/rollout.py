"""Which replica is made, drained, replaced or deleted next, and why.

Pure: observed replicas and the fleet's slots in, actions with reasons out. The same mechanism
drains for scale-down and for rollout. One slot at a time is replaced, and only onto a node where
the new weights are verified, so a rollout needs no spare GPU and never waits with an idle one.
Whose turn it is when the platform changed is core/replicas/order.py's to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from escadre import reasons
from escadre.core.counting import count
from escadre.core.replicas.drain import Drain
from escadre.reasons import Reason
from escadre.reasons.said import NOTHING, Said, say

__all__ = [
    "Action",
    "Hold",
    "ReplicaView",
    "RolloutPlan",
    "Target",
    "Terms",
    "may_go",
    "plan_rollout",
]

Verb = Literal["Create", "Drain", "Undrain", "Replace", "Delete", "Keep"]


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica as it is.

    ``current``: made from today's inputs; ``behind``: but for the platform's part.
    ``idle``: no request running or waiting, seen twice after it left the Service.
    ``in_flight``: requests running and waiting, None when unknown.
    ``since``: when it began to load; it counts while it loads.
    ``hung``: it does not respond though its health check holds.
    """

    slot: int
    state: Literal["Pending", "Loading", "Ready", "NotResponding", "Failing"]
    current: bool
    drain: Drain | None = None
    idle: bool = False
    in_flight: int | None = None
    terminating: bool = False
    digest: str = ""
    behind: bool = False
    since: float = 0.0
    hung: bool = False

    @property
    def answers(self) -> bool:
        """Whether it is in the Service: ready, and not drained."""
        return self.state == "Ready" and self.drain is None


@dataclass(frozen=True, slots=True)
class Target:
    """What the fleet plan gives a slot. ``node`` None: no GPUs now."""

    slot: int
    node: str | None
    weights_verified: bool
    message: Said = NOTHING


@dataclass(frozen=True, slots=True)
class Hold:
    """Why replicas that are behind the platform are not replaced yet."""

    reason: Reason
    message: Said


@dataclass(frozen=True, slots=True)
class Terms:
    """What every step depends on: whether the approval holds, the time, the limit of a drain.

    ``hold`` None: it is this deployment's turn to follow the platform.
    ``anew``: the slot of a replica that hangs and is made again.
    """

    approved: bool
    now: float
    drain_seconds: float
    hold: Hold | None = None
    anew: int | None = None


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
    """The steps of one pass, and what the rollout waits for and why."""

    actions: tuple[Action, ...]
    outdated: int
    waiting: Said
    reason: Reason = reasons.ROLLING_OUT

    def action(self, slot: int) -> Action | None:
        """The step for a slot."""
        return next((action for action in self.actions if action.slot == slot), None)


_UNBARRED = Hold(reasons.ROLLING_OUT, NOTHING)


def plan_rollout(
    replicas: Sequence[ReplicaView], targets: Sequence[Target], terms: Terms
) -> RolloutPlan:
    """The next step for every slot.

    ``targets`` holds the slots that stay or come; a replica without one leaves. Without an
    approval that holds nothing is made or replaced; what leaves still leaves.
    """
    wanted = {target.slot: target for target in targets}
    kept = [replica for replica in replicas if replica.slot in wanted]
    actions = [_leave(replica, terms) for replica in replicas if replica.slot not in wanted]
    outdated = sum(not replica.current for replica in kept) if terms.approved else 0
    bars: dict[int, Hold] = {}
    if outdated:
        steps, bars = _replace(kept, wanted, terms)
    else:
        steps = [_keep(replica, terms) for replica in kept]
    actions += steps
    existing = {replica.slot for replica in replicas}
    if terms.approved:
        actions += [
            Action("Create", target.slot, reasons.REPLICA_CREATED, f"planned on node {target.node}")
            for target in targets
            if target.slot not in existing and target.node is not None
        ]
    bar = next((bars[slot] for slot in sorted(bars)), _UNBARRED)
    why = bar.reason if bar is terms.hold else reasons.ROLLING_OUT
    return RolloutPlan(tuple(sorted(actions, key=lambda a: a.slot)), outdated, bar.message, why)


def _keep(replica: ReplicaView, terms: Terms) -> Action:
    if replica.slot == terms.anew:
        return Action("Delete", replica.slot, reasons.ENGINE_HUNG, "computes nothing any more")
    if replica.drain is not None:
        return Action("Undrain", replica.slot, reasons.REPLICA_CREATED, "wanted again")
    return Action("Keep", replica.slot, reasons.READY, "")


def _leave(replica: ReplicaView, terms: Terms) -> Action:
    if replica.terminating:
        return Action(
            "Keep", replica.slot, reasons.REPLICA_DELETED, "is being deleted", replica.drain
        )
    if replica.drain is None or replica.drain.cause != "ScaleDown":
        drain = Drain("ScaleDown", terms.now)
        if replica.state != "Ready":
            return Action("Delete", replica.slot, reasons.REPLICA_DELETED, "was not ready", drain)
        return Action("Drain", replica.slot, reasons.REPLICA_DRAINING, "scaled down", drain)
    done = _drained(replica, replica.drain, terms)
    if done:
        return Action("Delete", replica.slot, reasons.REPLICA_DELETED, done, replica.drain)
    return Action("Keep", replica.slot, reasons.DRAINING, _drain_message(replica), replica.drain)


def _replace(
    kept: Sequence[ReplicaView], wanted: Mapping[int, Target], terms: Terms
) -> tuple[list[Action], dict[int, Hold]]:
    """Outdated replicas that serve nothing go at once; of those that serve, one at a time.

    Whichever may not go now serves: a replica that was drained already goes back into the Service.
    Also returned: what each one that waits is waiting for.
    """
    bars = _bars(kept, wanted, terms)
    # A replica on the new inputs that is not ready yet holds the others back: were the new
    # inputs bad, only one replica would be lost to them.
    first = next(
        (one for one in kept if one.current and one.state != "Ready" and not one.terminating), None
    ) or next(
        (one for one in kept if one.drain and _serves_old(one) and one.slot not in bars), None
    )
    steps: list[Action] = []
    for replica in sorted(kept, key=lambda one: one.slot):
        if replica.current:
            steps.append(_keep(replica, terms))
        elif replica.terminating:
            steps.append(Action("Keep", replica.slot, reasons.DRAINING, "is being deleted"))
        elif replica.slot in bars:
            steps.append(_hold(replica, bars[replica.slot]))
        elif replica.state != "Ready":
            steps.append(_renew(replica, "was not ready"))
        elif first is not None and first.slot != replica.slot:
            why = say("replica {slot} goes first", slot=str(first.slot))
            bars[replica.slot] = Hold(reasons.ROLLING_OUT, why)
            steps.append(_hold(replica, bars[replica.slot]))
        else:
            first = replica
            steps.append(_drain(replica, terms))
    return steps, bars


def _bars(
    kept: Sequence[ReplicaView], wanted: Mapping[int, Target], terms: Terms
) -> dict[int, Hold]:
    found: dict[int, Hold] = {}
    for replica in kept:
        bar = _bar(replica, wanted[replica.slot], terms.hold)
        if bar is not None and not replica.current and not replica.terminating:
            found[replica.slot] = bar
    return found


def _bar(replica: ReplicaView, target: Target, hold: Hold | None) -> Hold | None:
    """What keeps an outdated replica from being replaced, were it its turn in the deployment."""
    if target.node is None:
        return Hold(reasons.INSUFFICIENT_GPUS, target.message)
    if not target.weights_verified:
        why = say("weights are not verified on node {node} yet", node=target.node)
        return Hold(reasons.PULLING, why)
    # One that loads or is started again is about to serve; what fails or has no node is not.
    return hold if replica.behind and replica.state not in {"Failing", "Pending"} else None


def may_go(replica: ReplicaView, target: Target) -> bool:
    """Whether an outdated replica could be replaced now, were it its turn."""
    return not replica.current and not replica.terminating and _bar(replica, target, None) is None


def _serves_old(replica: ReplicaView) -> bool:
    return not replica.current and not replica.terminating and replica.state == "Ready"


def _drain(replica: ReplicaView, terms: Terms) -> Action:
    """The next step of the one replica that is to be replaced and serves."""
    if replica.drain is None:
        drain = Drain("Rollout", terms.now)
        return Action("Drain", replica.slot, reasons.REPLICA_DRAINING, "new inputs", drain)
    if done := _drained(replica, replica.drain, terms):
        return _renew(replica, done)
    return Action("Keep", replica.slot, reasons.DRAINING, _drain_message(replica), replica.drain)


def _hold(replica: ReplicaView, hold: Hold) -> Action:
    verb: Verb = "Keep" if replica.drain is None else "Undrain"
    return Action(verb, replica.slot, hold.reason, str(hold.message))


def _renew(replica: ReplicaView, why: str) -> Action:
    return Action("Replace", replica.slot, reasons.REPLICA_REPLACED, why)


def _drained(replica: ReplicaView, drain: Drain, terms: Terms) -> str:
    """Why the replica counts as drained, "" while it does not."""
    if replica.state != "Ready":
        return "is not ready"
    if replica.idle:
        return f"drained in {terms.now - drain.since:.0f} s"
    if terms.now - drain.since >= terms.drain_seconds:
        left = _requests(replica)
        return f"drain limit of {terms.drain_seconds:.0f} s reached with {left} in flight"
    return ""


def _drain_message(replica: ReplicaView) -> str:
    return f"finishing {_requests(replica)}"


def _requests(replica: ReplicaView) -> str:
    if replica.in_flight is None:
        return "an unknown number of requests"
    return count(replica.in_flight, "request")
