"""How many replicas a deployment wants, from the requests its engines run, hold and answer.

The controller feeds it every few seconds with one sample per replica and keeps the returned state.
Pure: time comes in as an argument. The rules::

    asked   by the demand: core/scaling/asking.py, two numbers with room between them
    wanted  as few moves as get between the two, and spare replicas, within the bounds
    up      at once;  down  to the most that was wanted during the stabilisation time

- The wanted number is absolute, so replicas that are loading are supply and never cascade; those
  that load for longer than nearly all loads do are none, and those that are stuck neither.
- A draining replica's requests are not demand: they finish where they are. Those that an engine
  holds which hangs and is made anew are: they come back when it ends.
- Unknown is not zero: with a ready replica whose metrics are missing or stale the number is held;
  it may still go up on what is known, which is a lower bound. Nothing serving yet holds it too, and
  so does one that nobody tried to read yet, which is no fault to tell of.
- A hold counts as a wish for the present number, so after one, after a restart, and after a gap
  without decisions, nothing goes down before a full stabilisation time was observed.
- What was raised stays for a load's time unless the demand halves; a load is given up only within
  its first half and once in a load's time, or when another deployment waits for its GPUs; and the
  fullest replica must have room for its part of what a leaving one serves.
- While another deployment waits for GPUs, and for a load's time after, only what the demand of now
  needs to be answered at all is asked for, and the rest goes at once.
- Changed bounds and schedules hold at once, both ways. Without an approval nothing grows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from escadre.core.scaling.asking import ask, followed
from escadre.core.scaling.decision import (
    Asked,
    Decision,
    LimitName,
    Limits,
    Raise,
    Recommendation,
    Sample,
    ScaleState,
    Seen,
    Windows,
)
from escadre.core.scaling.demand import Demand
from escadre.core.scaling.flow import Flow
from escadre.core.scaling.learning import AS_PRIOR, Learned, learn
from escadre.core.scaling.seeing import see
from escadre.core.scaling.skew import Skew, lasting, skew_of
from escadre.core.scaling.supply import fewest_by_load, fewest_by_room, given_up, lacking
from escadre.core.scaling.telling import Verdict, limits_of, message_of, reason_of

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

_SETTLE: Final = 60.0  # seconds; traffic of a whole window is in the demand itself


def start(existing: int, now: float, inherited: int = 0, even: float = 0.0) -> ScaleState:
    """The state of a deployment seen for the first time, or after a restart of the operator.

    ``existing`` counts the replicas that exist and are not leaving; minReplicas for a new one.
    ``inherited`` are those that the leader before kept for bursts, ``even`` is how evenly it saw
    requests shared.
    """
    return ScaleState(existing, now, inherited=inherited, inherited_even=even)


class _Look(NamedTuple):
    """What one decision is made from; ``state`` is the one before it."""

    state: ScaleState
    samples: Sequence[Sample]
    limits: Limits
    windows: Windows
    now: float
    seen: Seen
    flow: Flow | None
    learned: Learned | None
    asked: Asked
    base: int
    skew: Skew | None
    skewed_since: float | None
    contended_at: float | None

    @property
    def settle(self) -> float:
        """How long less must have been wanted, in seconds."""
        window = self.windows.stabilization_seconds
        return window if self.limits.service is None else min(window, _SETTLE)


class _Wishes(NamedTuple):
    """What was wanted of late, and since when that is observed; as `ScaleState` has it."""

    started_at: float
    history: tuple[Recommendation, ...]


def decide(
    state: ScaleState, samples: Iterable[Sample], limits: Limits, windows: Windows, now: float
) -> Decision:
    """The next number of replicas."""
    look = _look(state, samples, limits, windows, now)
    need = look.asked.of(look.base - limits.spare) + limits.spare
    within = limits.clamp(need)
    within = limits.clamp(within + lacking(look.samples, limits.service, now))
    wanted = _wanted(look.seen, within, look.base)
    wishes = _remembered(look, wanted)
    fewest = _fewest(look, wishes)
    desired = max(wanted, min(look.base, max(fewest.values())))
    if not limits.may_grow:
        desired = min(desired, state.desired)
    held = tuple(name for name, number in fewest.items() if min(look.base, number) > wanted)
    numbers = (state.desired, look.base, need, wanted, desired)
    verdict = Verdict(look.seen, look.asked, look.limits, *numbers, held, look.skew)
    reason = reason_of(verdict)
    return Decision(
        state=_after(look, wishes, desired),
        known=Demand(look.seen.running, look.seen.waiting, now),
        reason=reason,
        message=message_of(verdict, reason),
        changed=desired != state.desired,
        age=look.seen.age(now),
        asked=look.asked,
        limits=limits_of(verdict),
        fullest=look.seen.fullest if look.seen.readings else None,
        next_change_at=_next_change(look, wishes, wanted) if wanted < desired else None,
        skew=look.skew,
        old_names=look.seen.old_names,
    )


def _look(
    state: ScaleState, samples: Iterable[Sample], limits: Limits, windows: Windows, now: float
) -> _Look:
    every = sorted(samples, key=lambda sample: sample.slot)
    contended_at = now if limits.contended else state.contended_at
    if limits.contended != (contended := _contended(contended_at, limits, now)):
        limits = replace(limits, contended=contended)
    seen = see(every, now - windows.stale_seconds)
    flow, learned, service, factors = state.flow, state.learned, limits.service, AS_PRIOR
    if service is not None:
        before = flow.last if flow is not None else ()
        known = learned if learned is not None else Learned(service.key)
        flow = followed(state, seen, limits, known.told, windows.stabilization_seconds)
        alike = {one.slot for one in every if one.alike}
        after = [one for one in flow.last if one.slot in alike] if flow is not None else []
        learned = learn(known, before, after, service.prior, now)
        factors = learned.told
    skew, since = _skewed(seen, state.skewed_since, now)
    return _Look(
        state=state,
        samples=every,
        limits=limits,
        windows=windows,
        now=now,
        seen=seen,
        flow=flow,
        learned=learned,
        asked=ask(flow, seen, limits, factors, windows.stabilization_seconds),
        base=limits.clamp(state.desired),
        skew=lasting(skew, since, now),
        skewed_since=since,
        contended_at=contended_at,
    )


def _skewed(seen: Seen, since: float | None, now: float) -> tuple[Skew | None, float | None]:
    """What is stuck is full as well, and that is told instead."""
    skew = None if seen.stuck else skew_of(seen.readings)
    if skew is None:
        return None, None
    return skew, now if since is None else since


def _contended(since: float | None, limits: Limits, now: float) -> bool:
    """For a load's time: what is given away and taken back at once is loaded for nothing."""
    service = limits.service
    if since is None or service is None:
        return limits.contended
    return now - since < service.load.median


def _wanted(seen: Seen, within: int, base: int) -> int:
    """What is unknown is never a reason to go down, and before anything serves none to go up."""
    if not seen.serving:
        return base
    return within if seen.whole else max(within, base)


def _remembered(look: _Look, wanted: int) -> _Wishes:
    """With what is wanted now; after a gap without decisions it observes anew."""
    state, now = look.state, look.now
    oldest = now - look.settle
    above = [one for one in state.history if one.at > oldest and one.desired > wanted]
    started_at = state.started_at
    if state.history and now - state.history[-1].at > look.windows.stale_seconds:
        started_at = now
    return _Wishes(started_at, (*above, Recommendation(now, wanted)))


def _fewest(look: _Look, wishes: _Wishes) -> dict[LimitName, int]:
    """To how few each rule lets it go, of those there are."""
    base, now = look.base, look.now
    observed = now - wishes.started_at >= look.windows.stabilization_seconds
    kept = wishes.history[-1:] if look.limits.contended else wishes.history
    return {
        "restart": 0 if observed else base,
        "stabilisation": max([one.desired for one in kept]),
        "load": max(
            base if _was_raised(look) else 0,
            fewest_by_load(look.state, look.samples, look.limits, base, now),
        ),
        "redistribution": fewest_by_room(look.seen, look.asked, base),
    }


def _was_raised(look: _Look) -> bool:
    """Within the time of a load, and demand is still more than half of what it was."""
    raised, service = look.state.raised, look.limits.service
    if raised is None or service is None or look.limits.contended:
        return False
    if look.now - raised.at >= service.load.median:
        return False
    return look.asked.load > raised.load / 2


def _after(look: _Look, wishes: _Wishes, desired: int) -> ScaleState:
    state, now = look.state, look.now
    ended = given_up(look.samples, look.base, desired)
    return ScaleState(
        desired=desired,
        started_at=wishes.started_at,
        history=wishes.history,
        flow=look.flow,
        raised=Raise(now, look.asked.load) if desired > state.desired else state.raised,
        cancelled_at=now if ended else state.cancelled_at,
        contended_at=look.contended_at,
        learned=look.learned,
        skewed_since=look.skewed_since,
        inherited=state.inherited,
        inherited_even=state.inherited_even,
    )


def _next_change(look: _Look, wishes: _Wishes, wanted: int) -> float:
    """When fewer are possible at the earliest, if no more is wanted until then."""
    above = [one.at + look.settle for one in wishes.history if one.desired > wanted]
    return max([look.now, wishes.started_at + look.windows.stabilization_seconds, *above])
