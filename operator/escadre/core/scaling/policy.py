"""How many replicas a deployment wants, from the requests its engines run and hold.

The controller feeds it every few seconds with one sample per replica and keeps the returned state.
Pure: time comes in as an argument. The rules::

    demand  = running + waiting, summed over the replicas that take requests
    wanted  = ceil(demand / target), within the bounds
    up      at once;  down  to the most that was wanted during the stabilisation time

- The wanted number is absolute, so replicas that are loading are supply and never cascade.
- A draining replica's requests are not demand: they finish where they are.
- Unknown is not zero: with a ready replica whose metrics are missing or stale the number is held;
  it may still go up on what is known, which is a lower bound. Nothing serving yet holds it too, and
  so does one that nobody tried to read yet, which is no fault to tell of.
- A hold counts as a wish for the present number, so after one, after a restart, and after a gap
  without decisions, nothing goes down before a full stabilisation time was observed.
- Changed bounds and schedules hold at once, both ways. Without an approval nothing grows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from escadre import reasons
from escadre.core.counting import count
from escadre.core.listing import listed
from escadre.core.scaling.demand import Demand
from escadre.reasons import Reason
from escadre.reasons.said import Amount, Said, joined, say

__all__ = [
    "Decision",
    "Limits",
    "Recommendation",
    "Sample",
    "ScaleState",
    "Windows",
    "decide",
    "start",
]

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
    """One replica, and what was read of it; None when it never was.

    ``unread``: ready, and nobody tried to read it yet. ``unscrapable``: ready, and what was read
    is missing or old. ``stuck``: it has work and nothing of it moves; no supply, and what it holds
    waits for another replica.
    """

    slot: int
    phase: Literal["loading", "unread", "ready", "unscrapable", "stuck", "draining", "failing"]
    demand: Demand | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which numbers of replicas to choose, and how many requests one is to hold."""

    minimum: int
    maximum: int
    target: int
    may_grow: bool = True
    window: int | None = None  # the schedule that the minimum comes from

    def clamp(self, number: int) -> int:
        """The number of replicas within the bounds; the minimum wins."""
        return max(min(number, self.maximum), self.minimum)


@dataclass(frozen=True, slots=True)
class Windows:
    """How long less must have been wanted before it counts, and how old a reading may be."""

    stabilization_seconds: float
    stale_seconds: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The number of replicas, the demand it rests on, and why."""

    state: ScaleState
    known: Demand
    reason: Reason
    message: Said
    changed: bool

    @property
    def desired(self) -> int:
        """The number of replicas."""
        return self.state.desired

    @property
    def demand(self) -> int:
        """Requests that are known of."""
        return self.known.requests or 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of the demand, and the ready slots of which nothing is.

    ``whole``: nothing that is ready is unknown, for whatever cause.
    """

    running: int
    waiting: int
    missing: tuple[int, ...]
    serving: bool
    whole: bool

    @property
    def demand(self) -> int:
        return self.running + self.waiting


@dataclass(frozen=True, slots=True)
class _Verdict:
    """One decision with everything its reason is told from."""

    seen: _Seen
    limits: Limits
    before: int
    base: int  # the number of before within today's bounds
    asked: int  # by the demand that is known
    wanted: int  # within the bounds, and not below what is unknown
    desired: int


def start(existing: int, now: float) -> ScaleState:
    """The state of a deployment seen for the first time, or after a restart of the operator.

    ``existing`` counts the replicas that exist and are not leaving; minReplicas for a new one.
    """
    return ScaleState(existing, now)


def decide(
    state: ScaleState, samples: Iterable[Sample], limits: Limits, windows: Windows, now: float
) -> Decision:
    """The next number of replicas."""
    seen = _see(samples, now - windows.stale_seconds)
    base = limits.clamp(state.desired)
    asked = -(-seen.demand // limits.target)
    wanted = _wanted(seen, limits.clamp(asked), base)
    recent = _recent(state.history, now - windows.stabilization_seconds)
    history = (*(one for one in recent if one.desired > wanted), Recommendation(now, wanted))
    started_at = state.started_at
    if state.history and now - state.history[-1].at > windows.stale_seconds:
        started_at = now
    observed = now - started_at >= windows.stabilization_seconds
    held = max(one.desired for one in history) if observed else base
    desired = max(wanted, min(base, held))
    if not limits.may_grow:
        desired = min(desired, state.desired)
    verdict = _Verdict(seen, limits, state.desired, base, asked, wanted, desired)
    reason = _reason(verdict)
    return Decision(
        state=ScaleState(desired, started_at, history),
        known=Demand(seen.running, seen.waiting, now),
        reason=reason,
        message=_message(verdict, reason),
        changed=desired != state.desired,
    )


def _see(samples: Iterable[Sample], oldest: float) -> _Seen:
    running = waiting = 0
    missing: list[int] = []
    serving, whole = False, True
    for sample in sorted(samples, key=lambda sample: sample.slot):
        if sample.phase == "draining":
            continue
        serving = serving or sample.phase in {"ready", "unscrapable"}
        read = _fresh(sample.demand, oldest)
        if read is not None:
            running += read[0]
            waiting += read[1]
        elif sample.phase in {"ready", "unscrapable"}:
            missing.append(sample.slot)
        whole = whole and sample.phase != "unread"
    return _Seen(running, waiting, tuple(missing), serving, whole and not missing)


def _fresh(demand: Demand | None, oldest: float) -> tuple[int, int] | None:
    """Requests running and waiting, when both are known and were counted lately."""
    if demand is None or demand.at is None or demand.at < oldest:
        return None
    if demand.running is None or demand.waiting is None:
        return None
    return demand.running, demand.waiting


def _wanted(seen: _Seen, within: int, base: int) -> int:
    """What is unknown is never a reason to go down, and before anything serves none to go up."""
    if not seen.serving:
        return base
    return within if seen.whole else max(within, base)


def _recent(history: Sequence[Recommendation], since: float) -> Sequence[Recommendation]:
    return [one for one in history if one.at > since]


def _reason(verdict: _Verdict) -> Reason:
    desired, seen = verdict.desired, verdict.seen
    if desired != verdict.before:
        if desired == verdict.base:
            scheduled = verdict.limits.window is not None and desired > verdict.before
            return reasons.SCHEDULE_BEGAN if scheduled else reasons.BOUNDS_CHANGED
        return reasons.DEMAND_UP if desired > verdict.base else reasons.DEMAND_DOWN
    if max(verdict.wanted, verdict.base) > desired:
        return reasons.SCALING_HELD
    if not seen.serving:
        return reasons.NOT_SCALING
    if seen.missing:
        return reasons.METRICS_MISSING
    if verdict.asked > verdict.limits.maximum:
        return reasons.AT_MAXIMUM
    return reasons.STABILISING if verdict.wanted < desired else reasons.AT_TARGET


def _message(verdict: _Verdict, reason: Reason) -> Said:
    limits, seen = verdict.limits, verdict.seen
    known = say("demand is unknown until a ready replica has been read")
    if seen.serving:
        known = say(
            "{running} running and {waiting} waiting requests at {target} per replica ask for "
            "{asked}",
            running=seen.running,
            waiting=seen.waiting,
            target=limits.target,
            asked=verdict.asked,
        )
    parts = [
        say(
            "{move}: {known}, bounds {minimum} to {maximum}",
            move=_move(verdict),
            known=known,
            minimum=limits.minimum,
            maximum=limits.maximum,
        ),
        *_besides(verdict, reason),
    ]
    return joined("; ", parts)


def _besides(verdict: _Verdict, reason: Reason) -> Iterator[Said]:
    if verdict.seen.missing:
        yield say(
            "metrics of ready replica {slots} are missing or stale, so the number does not go down",
            slots=_named(verdict.seen.missing),
        )
    if reason == reasons.STABILISING:
        yield say(
            "down to {wanted} once no more was wanted for the stabilisation time",
            wanted=verdict.wanted,
        )
    limits = verdict.limits
    if limits.window is not None and verdict.desired == limits.minimum:
        words = "spec.scaling.schedules[{window}] keeps at least {minimum}"
        yield say(words, window=limits.window, minimum=limits.minimum)
    if reason == reasons.SCALING_HELD:
        yield say("the approval does not hold, so nothing grows")


def _move(verdict: _Verdict) -> Amount:
    number = verdict.desired
    if verdict.before != number:
        return Amount(f"{verdict.before} → {count(number, 'replica')}")
    return Amount(count(number, "replica"))


def _named(slots: Sequence[int]) -> str:
    return listed([str(slot) for slot in slots], _NAMED_SLOTS)
