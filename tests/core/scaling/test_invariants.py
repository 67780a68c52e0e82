"""What holds for any traffic, with a capacity that follows from what engines tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.demand import Demand, Work
from escadre.core.scaling.policy import Decision, Limits, Sample, ScaleState, Windows, decide, start
from escadre.core.scaling.service import LoadTime, Prior, Service

SPEED = Speed(16869.0, DecodeStep(0.01848, 7.385e-5, 5.434e-8))
LOAD = LoadTime(60.0, 180.0)
SERVICE = Service(Prior(SPEED, 165_216, 40), load=LOAD)
LIMITS = Limits(1, 12, 30, service=SERVICE)
WINDOWS = Windows(120.0, 15.0)
STEP = 3.0


@dataclass(slots=True)
class Engines:
    """Replicas that load for as long as all do and then share what comes evenly."""

    made: dict[int, float]
    answered: dict[int, int]
    now: float = 0.0

    def samples(self, arrivals: int, waiting: int, *, known: bool = True) -> list[Sample]:
        """What is seen after so many more requests, each of 1,000 and 100 tokens."""
        ready = [slot for slot, at in self.made.items() if self.now - at >= LOAD.median]
        for place, slot in enumerate(ready):
            self.answered[slot] += arrivals // len(ready) + (place < arrivals % len(ready))
        return [self._sample(slot, slot in ready, waiting, known=known) for slot in self.made]

    def _sample(self, slot: int, ready: bool, waiting: int, *, known: bool) -> Sample:
        if not ready:
            return Sample(slot, "loading", None, self.made[slot])
        count = self.answered[slot]
        work = Work(prompt_tokens=1000 * count, generation_tokens=100 * count, answered=count)
        demand = Demand(1, waiting, self.now, None, work) if known else None
        return Sample(slot, "ready", demand, self.made[slot])

    def follow(self, desired: int) -> None:
        """Made at once, and gone at once: the youngest first."""
        while len(self.made) > desired:
            slot = max(self.made, key=lambda one: (self.made[one], one))
            del self.made[slot]
        while len(self.made) < desired:
            slot = next(one for one in range(desired) if one not in self.made)
            self.made[slot], self.answered[slot] = self.now, 0


def play(
    arrivals: Sequence[int],
    waiting: int = 0,
    limits: Limits = LIMITS,
    existing: int = 1,
    inherited: int = 0,
) -> list[Decision]:
    engines = Engines(dict.fromkeys(range(existing), -1000.0), dict.fromkeys(range(12), 0))
    state, found = start(existing, -1000.0, inherited), list[Decision]()
    for number, come in enumerate(arrivals):
        engines.now = number * STEP
        decision = decide(state, engines.samples(come, waiting), limits, WINDOWS, engines.now)
        engines.follow(decision.desired)
        state = decision.state
        found.append(decision)
    return found


BURSTS = st.lists(st.tuples(st.integers(0, 120), st.integers(1, 30)), min_size=1, max_size=8).map(
    lambda runs: [come for come, length in runs for _ in range(length)]
)


@given(BURSTS, st.integers(0, 50), st.integers(0, 3))
def test_bounds_and_few_moves(arrivals: list[int], waiting: int, spare: int) -> None:
    found = play(arrivals, waiting, replace(LIMITS, spare=spare))
    assert all(1 <= one.desired <= 12 for one in found)
    for first in range(len(found)):
        minute = found[first : first + int(60 / STEP)]
        assert sum(one.changed for one in minute) <= 12, "no more than there are replicas to add"


@given(BURSTS)
def test_no_turn_within_a_load_unless_demand_halves(arrivals: list[int]) -> None:
    raised_at, load, before = -math.inf, 0.0, 1
    for number, one in enumerate(play(arrivals)):
        assert one.asked is not None
        now = number * STEP
        if one.desired > before:
            raised_at, load = now, one.asked.load
        if one.desired < before and now - raised_at < LOAD.median:
            assert one.asked.load <= load / 2
        before = one.desired


@given(BURSTS, st.integers(0, 200), st.integers(0, 100))
@settings(max_examples=60)
def test_more_demand_never_asks_for_fewer(arrivals: list[int], more: int, waiting: int) -> None:
    """From one state, the next look with more that came and waits."""
    engines = Engines(dict.fromkeys(range(3), -1000.0), dict.fromkeys(range(12), 0))
    state = start(3, -1000.0)
    for number, come in enumerate(arrivals):
        engines.now = number * STEP
        state = decide(state, engines.samples(come, 0), LIMITS, WINDOWS, engines.now).state
        engines.follow(state.desired)
    engines.now += STEP
    other = Engines(dict(engines.made), dict(engines.answered), engines.now)
    less = decide(state, engines.samples(5, 0), LIMITS, WINDOWS, engines.now)
    most = decide(state, other.samples(5 + more, waiting), LIMITS, WINDOWS, other.now)
    assert most.desired >= less.desired


@given(BURSTS, st.integers(1, 40))
def test_nothing_goes_while_a_replica_is_unknown(arrivals: list[int], blind: int) -> None:
    engines = Engines(dict.fromkeys(range(6), -1000.0), dict.fromkeys(range(12), 0))
    state: ScaleState = start(6, -1000.0)
    for number, come in enumerate([*arrivals, *[0] * blind]):
        engines.now = number * STEP
        samples = engines.samples(come, 0)
        if number >= len(arrivals):
            samples[0] = replace(samples[0], demand=None)
        after = decide(state, samples, LIMITS, WINDOWS, engines.now)
        if number >= len(arrivals) and samples[0].phase == "ready":
            assert after.desired >= state.desired
        state = after.state
        engines.follow(state.desired)


@given(st.integers(2, 12), st.lists(st.just(0), min_size=1, max_size=60))
def test_after_a_restart_nothing_goes_before_a_whole_window(running: int, idle: list[int]) -> None:
    engines = Engines(dict.fromkeys(range(running), -1000.0), dict.fromkeys(range(12), 0))
    state = start(running, 0.0)
    for number in range(len(idle)):
        engines.now = number * STEP
        state = decide(state, engines.samples(0, 0), LIMITS, WINDOWS, engines.now).state
        if engines.now < WINDOWS.stabilization_seconds:
            assert state.desired == running


def test_idle_goes_down_to_the_minimum_in_the_end() -> None:
    found = play([120] * 40 + [0] * 200)
    assert max(one.desired for one in found) > 3
    assert found[-1].desired == 1


def test_traffic_that_comes_in_short_bursts_is_no_up_and_down() -> None:
    """Ten seconds of much in every minute, loads of a minute: the number rises and then stays."""
    found = play(([90] * 3 + [0] * 17) * 30)
    late = [one.desired for one in found[100:]]
    assert late == sorted(late)
    assert len(set(late[200:])) == 1
    asked = found[-1].asked
    assert asked is not None
    assert asked.kept == late[-1] > math.ceil(asked.load)


def test_what_was_kept_for_bursts_outlives_the_leader_by_an_hour() -> None:
    """The next one has seen nothing yet, and keeps as many until it has seen as long a past."""
    hour = round(3600 / STEP)
    quiet = [int(number % 20 == 0) for number in range(hour + 100)]
    found = [one.desired for one in play(quiet, existing=6, inherited=5)]
    assert set(found[100 : hour - 10]) == {5}
    assert found[-1] == 1
    assert {one.desired for one in play(quiet[: hour - 10], existing=6)[100:]} == {1}
    assert max(one.desired for one in play(quiet[:200], inherited=900)) == LIMITS.maximum


def test_bursts_that_need_more_than_was_kept_get_it_from_the_next_leader_too() -> None:
    bursts = ([90] * 3 + [0] * 17) * 30
    alone, after = play(bursts)[-1].desired, play(bursts, inherited=2)[-1].desired
    assert alone == after > 2


def test_a_fixed_target_keeps_the_old_arithmetic() -> None:
    fixed = replace(LIMITS, service=None, target=10)
    sample = Sample(0, "ready", Demand(21, 0, 0.0, None, Work(answered=9)))
    assert decide(start(1, -1000.0), [sample], fixed, WINDOWS, 0.0).desired == 3


def test_without_counters_requests_in_the_engines_decide() -> None:
    decision = decide(
        start(1, -1000.0), [Sample(0, "ready", Demand(100, 0, 0.0))], LIMITS, WINDOWS, 0.0
    )
    assert decision.asked is not None
    assert decision.asked.rate is None
    assert decision.desired == math.ceil(decision.asked.load) > 1


def test_an_overdue_load_and_a_stuck_replica_are_no_supply() -> None:
    busy = Sample(0, "ready", Demand(1, 0, 0.0, None, Work(answered=9)))
    for other, wanted in [
        (Sample(1, "loading", None, -10.0), 2),
        (Sample(1, "loading", None, -200.0), 3),
        (Sample(1, "stuck"), 3),
    ]:
        limits = replace(LIMITS, minimum=2)
        state = replace(start(2, -1000.0))
        decision = decide(state, [busy, other], limits, WINDOWS, 0.0)
        assert decision.desired == wanted


def test_spare_replicas_stand_beside_those_that_demand_asks_for() -> None:
    found = play([30] * 30, limits=replace(LIMITS, spare=2))
    plain = play([30] * 30)
    assert found[-1].desired == plain[-1].desired + 2


def test_while_another_waits_for_gpus_what_is_not_asked_for_goes_at_once() -> None:
    """The last window's requests still count; the minute of settling and the load's time do not."""
    quiet = [*[60] * 40, *[0] * 100]
    moves = {
        contended: [one.changed for one in play(quiet, 0, replace(LIMITS, contended=contended))]
        for contended in (False, True)
    }
    last = {contended: len(one) - one[::-1].index(True) for contended, one in moves.items()}
    assert last[True] < last[False]


def test_for_a_load_s_time_after_another_waited_no_more_is_asked_for_than_can_be_borne() -> None:
    scarce = replace(LIMITS, contended=True)
    (first,) = play([300], 0, scarce)
    after = decide(first.state, [], LIMITS, WINDOWS, 59.0)
    assert after.state.contended_at == 0.0
    assert "waits for GPUs" in str(after.message)
    later = decide(after.state, [], LIMITS, WINDOWS, LOAD.median + 1.0)
    assert "waits for GPUs" not in str(later.message)
