"""status.scaling: what the number of replicas rests on, from the last decision. Pure.

Its numbers are told as other numbers are, at most every status interval; core/status/build.py
leaves them out of the essence.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from escadre import reasons
from escadre.api.scalingstatus import Denied, ScalingStatus, Signal
from escadre.core.scaling.policy import Decision
from escadre.core.status.facts import StatusFacts
from escadre.reasons import Reason

__all__ = ["scaling_of"]

_HELD: Final[Mapping[Reason, str]] = {
    reasons.STABILISING: "stabilisation",
    reasons.METRICS_MISSING: "unknown",
    reasons.SCALING_HELD: "approval",
}


def scaling_of(facts: StatusFacts) -> ScalingStatus | None:
    """What is told; while nothing was decided, what was told before."""
    told = facts.scaling if facts.decision is None else _rests_on(facts, facts.decision)
    if told is None or not facts.changes:
        return told
    return told.model_copy(update={"history": [one.told() for one in facts.changes]})


def _rests_on(facts: StatusFacts, decision: Decision) -> ScalingStatus:
    """The signal, what it asks for, and what made it another number."""
    signal = _signal(decision)
    known = signal != "Unknown"
    asked = -(-decision.demand // facts.target) if facts.target and known else None
    bounds, denied = facts.bounds, _denied(facts)
    return ScalingStatus(
        signal=signal,
        demand=decision.demand if known else None,
        capacity=facts.target,
        capacity_from="Fixed" if facts.target else None,
        desired_before_limits=asked,
        limits=[*_limits(facts, decision, asked), *(["gpus"] if denied else [])],
        min_replicas=bounds.minimum if bounds else None,
        schedule=bounds.window if bounds else None,
        next_change_at=_moment(bounds.changes_at if bounds else None),
        denied=denied,
    )


def _signal(decision: Decision) -> Signal:
    if decision.reason == reasons.NOT_SCALING:
        return "Unknown"
    return "Partial" if decision.reason == reasons.METRICS_MISSING else "Requests"


def _limits(facts: StatusFacts, decision: Decision, asked: int | None) -> Iterator[str]:
    bounds = facts.bounds
    if bounds is not None and asked is not None:
        if asked > bounds.maximum:
            yield "maxReplicas"
        if asked < bounds.minimum:
            yield "minReplicas" if bounds.window is None else "schedule"
    if decision.reason in _HELD:
        yield _HELD[decision.reason]


def _denied(facts: StatusFacts) -> Denied | None:
    """The slots that found no node; the plan says who has the GPUs."""
    plan = facts.plan
    if plan is None or plan.reason != reasons.INSUFFICIENT_GPUS:
        return None
    homeless = sum(slot.node is None for slot in plan.slots)
    return Denied(replicas=homeless, message=str(plan.message)) if homeless else None


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(int(at), UTC)
