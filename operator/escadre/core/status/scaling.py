"""status.scaling: what the number of replicas rests on, from the last decision. Pure.

Its numbers are told as other numbers are, at most every status interval; core/status/build.py
leaves them out of the essence.
"""

from datetime import UTC, datetime
from typing import Final

from escadre import reasons
from escadre.api.scalingstatus import CapacityFrom, Denied, ScalingStatus, Signal, SkewStatus
from escadre.core.scaling.decision import Decision
from escadre.core.scaling.keeping import kept
from escadre.core.scaling.target import requests_of
from escadre.core.status.facts import StatusFacts

__all__ = ["scaling_of"]

_OLD_SECONDS: Final = 10.0
_AGE_STEP: Final = 5


def scaling_of(facts: StatusFacts) -> ScalingStatus | None:
    """What is told; while nothing was decided, what was told before."""
    told = facts.scaling if facts.decision is None else _rests_on(facts, facts.decision)
    if told is not None and facts.unread:
        told = _kept(told)
    if told is None or not facts.changes:
        return told
    return told.model_copy(update={"history": [one.told() for one in facts.changes]})


def _kept(told: ScalingStatus) -> ScalingStatus:
    """What the next decision begins from; numbers of a demand that nobody reads look like new."""
    return ScalingStatus(
        signal="Unknown",
        learned=told.learned,
        kept_for_bursts=told.kept_for_bursts,
        shared_percent=told.shared_percent,
        history=told.history,
    )


def _rests_on(facts: StatusFacts, decision: Decision) -> ScalingStatus:
    """The signal, what it asks for, and what made it another number."""
    signal, asked = _signal(decision), decision.asked
    known = signal != "Unknown"
    still = asked is not None and asked.still  # how much work a request was, nobody asks then
    capacity = asked.capacity if asked and not still else None
    rate = asked.rate if asked else None
    bounds, denied = facts.bounds, _denied(facts)
    learned = kept(decision.state.learned, facts.previous.learned)
    return ScalingStatus(
        signal=signal,
        signal_age_seconds=_age(decision.age),
        demand=decision.demand if known else None,
        requests_per_minute=_per_minute(rate),
        capacity=None if still else requests_of(decision, facts.target),
        capacity_per_minute=_per_minute(capacity.rate if capacity else None),
        capacity_from=None if still else _source(facts, decision),
        learned=learned.told() if learned else None,
        kept_for_bursts=(asked.kept or None) if asked else None,
        shared_percent=(round(100 * asked.even) or None) if asked else None,
        desired_before_limits=asked.followed if asked and known else None,
        limits=[*decision.limits, *(["gpus"] if denied else [])],
        min_replicas=bounds.minimum if bounds else None,
        schedule=bounds.window if bounds else None,
        next_change_at=_next_change(facts, decision),
        denied=denied,
        skew=_skew(decision),
        metric_aliases=list(decision.old_names) or None,
    )


def _signal(decision: Decision) -> Signal:
    if decision.age is None:
        return "Unknown"
    if "unknown" in decision.limits:
        return "Partial"
    return "Rate" if decision.asked and decision.asked.rate is not None else "Requests"


def _source(facts: StatusFacts, decision: Decision) -> CapacityFrom | None:
    if decision.asked and decision.asked.capacity:
        return "Learned" if decision.asked.learned else "Prior"
    return "Fixed" if facts.target else None


def _age(seconds: float | None) -> int | None:
    """Of what was not read with one of the last rounds, in steps: at rest it is the same."""
    if seconds is None or seconds < _OLD_SECONDS:
        return None
    return int(seconds // _AGE_STEP) * _AGE_STEP


def _per_minute(rate: float | None) -> int | None:
    return None if rate is None else round(60 * rate)


def _next_change(facts: StatusFacts, decision: Decision) -> datetime | None:
    """The earlier of fewer replicas and another floor, where it is still to come."""
    now = datetime.fromisoformat(facts.now).timestamp()
    both = (decision.next_change_at, facts.bounds.changes_at if facts.bounds else None)
    at = min((one for one in both if one is not None and one > now), default=None)
    return None if at is None else datetime.fromtimestamp(int(at), UTC)


def _skew(decision: Decision) -> SkewStatus | None:
    if decision.skew is None:
        return None
    full, requests, idle, few = decision.skew
    return SkewStatus(fullest=full, fullest_requests=requests, emptiest=idle, emptiest_requests=few)


def _denied(facts: StatusFacts) -> Denied | None:
    """The slots that found no node; the plan says who has the GPUs."""
    plan = facts.plan
    if plan is None or plan.reason != reasons.INSUFFICIENT_GPUS:
        return None
    homeless = sum(slot.node is None for slot in plan.slots)
    return Denied(replicas=homeless, message=str(plan.message)) if homeless else None
