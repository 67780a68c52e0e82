"""How many replicas a deployment wants, from the requests its engines run and hold.

The controller feeds it every few seconds with one sample per replica and keeps the returned state.
Pure: time comes in as an argument. The rules::

    demand  = running + waiting, summed over the replicas that take requests
    wanted  = ceil(demand / target), within the bounds
    up      at once;  down  to the most that was wanted during the stabilisation time

- The wanted number is absolute, so replicas that are loading are supply and never cascade.
- A draining replica's requests are not demand: they finish where they are.
- Unknown is not zero: with a ready replica whose metrics are missing or stale the number is held;
  it may still go up on what is known, which is a lower bound. Nothing serving yet holds it too.
- A hold counts as a wish for the present number, so after one, after a restart, and after a gap
  without decisions, nothing goes down before a full stabilisation time was observed.
- Changed bounds hold at once, both ways. Without an approval that holds nothing grows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Decision", "Recommendation", "Sample", "ScaleState", "decide", "start"]

_NAMED_SLOTS: Final = 5


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What was wanted at a time (seconds since the epoch)."""

    at: float
    desired: int


@dataclass(frozen=True, slots=True)
class ScaleState:
    """What the next decision rests on.

    ``history`` holds, oldest first, only recommendations above every later one: the others cannot
    be the most of any window. ``started_at`` is when observation began.
    """

    desired: int
    started_at: float
    history: tuple[Recommendation, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One replica; ``at`` is when its metrics were read, None when they never were."""

    slot: int
    phase: Literal["loading", "ready", "draining", "failing"]
    running: int | None = None
    waiting: int | None = None
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The number of replicas, the numbers it rests on, and why."""

    state: ScaleState
    desired: int
    demand: int
    running: int
    waiting: int
    reason: str
    message: str
    changed: bool


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is known of the demand, and the ready slots of which nothing is."""

    running: int
    waiting: int
    missing: tuple[int, ...]
    serving: bool

    @property
    def demand(self) -> int:
        return self.running + self.waiting


@dataclass(frozen=True, slots=True)
class _Limits:
    minimum: int
    maximum: int
    target: int
    may_grow: bool

    def clamp(self, number: int) -> int:
        return min(max(number, self.minimum), self.maximum)


def start(existing: int, now: float) -> ScaleState:
    """The state of a deployment seen for the first time, or after a restart of the operator.

    ``existing`` counts the replicas that exist and are not leaving; minReplicas for a new one.
    """
    return ScaleState(existing, now)


def decide(
    state: ScaleState,
    samples: Iterable[Sample],
    *,
    minimum: int,
    maximum: int,
    target: int,
    now: float,
    stabilization_seconds: float,
    stale_seconds: float,
    may_grow: bool = True,
) -> Decision:
    """The next number of replicas."""
    limits = _Limits(minimum, max(minimum, maximum), target, may_grow)
    reading = _read(samples, now - stale_seconds)
    base = limits.clamp(state.desired)
    asked = -(-reading.demand // target)
    wanted = limits.clamp(asked)
    certain = reading.serving and not reading.missing
    if not certain:
        wanted = max(wanted, base) if reading.serving else base
    recent = _recent(state.history, now - stabilization_seconds)
    history = (*(one for one in recent if one.desired > wanted), Recommendation(now, wanted))
    started_at = state.started_at
    if state.history and now - state.history[-1].at > stale_seconds:
        started_at = now
    observed = now - started_at >= stabilization_seconds
    held = max(one.desired for one in history) if observed else base
    desired = max(wanted, min(base, held))
    if not may_grow:
        desired = min(desired, state.desired)
    reason = _reason(state.desired, base, desired, wanted, asked, reading, limits)
    return Decision(
        state=ScaleState(desired, started_at, history),
        desired=desired,
        demand=reading.demand,
        running=reading.running,
        waiting=reading.waiting,
        reason=reason,
        message=_message(reason, state.desired, desired, wanted, asked, reading, limits),
        changed=desired != state.desired,
    )


def _read(samples: Iterable[Sample], oldest: float) -> _Reading:
    running = waiting = 0
    missing: list[int] = []
    serving = False
    for sample in sorted(samples, key=lambda sample: sample.slot):
        if sample.phase == "draining":
            continue
        serving = serving or sample.phase == "ready"
        fresh = sample.at is not None and sample.at >= oldest
        if fresh and sample.running is not None and sample.waiting is not None:
            running += sample.running
            waiting += sample.waiting
        elif sample.phase == "ready":
            missing.append(sample.slot)
    return _Reading(running, waiting, tuple(missing), serving)


def _recent(history: Sequence[Recommendation], since: float) -> Sequence[Recommendation]:
    return [one for one in history if one.at > since]


def _reason(
    before: int,
    base: int,
    desired: int,
    wanted: int,
    asked: int,
    reading: _Reading,
    limits: _Limits,
) -> str:
    if desired != before:
        if desired == base:
            return "BoundsChanged"
        return "DemandUp" if desired > base else "DemandDown"
    if max(wanted, base) > desired:
        return "ScalingHeld"
    if not reading.serving:
        return "NotScaling"
    if reading.missing:
        return "MetricsMissing"
    if asked > limits.maximum:
        return "AtMaximum"
    return "Stabilising" if wanted < desired else "AtTarget"


def _message(
    reason: str,
    before: int,
    desired: int,
    wanted: int,
    asked: int,
    reading: _Reading,
    limits: _Limits,
) -> str:
    move = (
        f"{before} → {desired} replicas"
        if before != desired
        else f"{desired} replica{'s' if desired != 1 else ''}"
    )
    bounds = f"bounds {limits.minimum} to {limits.maximum}"
    if reading.serving:
        known = (
            f"{reading.running} running and {reading.waiting} waiting requests at "
            f"{limits.target} per replica ask for {asked}"
        )
    else:
        known = "demand is unknown until a ready replica has been read"
    parts = [f"{move}: {known}, {bounds}"]
    if reading.missing:
        named = ", ".join(str(slot) for slot in reading.missing[:_NAMED_SLOTS])
        more = len(reading.missing) - _NAMED_SLOTS
        parts.append(
            f"metrics of ready replica {named}{f' and {more} more' if more > 0 else ''} are "
            "missing or stale, so the number does not go down"
        )
    if reason == "Stabilising":
        parts.append(f"down to {wanted} once no more was wanted for the stabilisation time")
    if reason == "ScalingHeld":
        parts.append("the approval does not hold, so nothing grows")
    return "; ".join(parts)
