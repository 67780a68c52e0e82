"""Faults of the signal, from an engine's body to the number of replicas: never down on unknown."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre import reasons
from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.decision import SamplePhase
from escadre.core.scaling.demand import UNKNOWN, Demand, Reading, Work, read
from escadre.core.scaling.policy import Decision, Limits, Sample, ScaleState, Windows, decide, start
from escadre.core.scaling.progress import Patience, phase_read
from escadre.core.scaling.service import Prior, Service

SPEED = Speed(16869.0, DecodeStep(0.01848, 7.385e-5, 5.434e-8))
FIXED = Limits(1, 6, 8)
LEARNED = Limits(1, 6, 30, service=Service(Prior(SPEED, 165_216, 40)))
LIMITS = pytest.mark.parametrize("limits", [FIXED, LEARNED], ids=["fixed", "learned"])
WINDOWS = Windows(60.0, 15.0)
PATIENCE = Patience(WINDOWS.stale_seconds, 60.0)
STEP, WHOLE = 5.0, 40  # seconds of a round; rounds of which a whole window is certainly over
REPLICAS = 3

Fault = Callable[[Demand], Demand | None]  # None: the scrape failed


def works(now: Demand) -> Demand | None:
    return now


def absent(now: Demand) -> Demand | None:
    return Demand(None, None, now.at, None, now.work)


def no_number(now: Demand) -> Demand | None:
    return Demand(now.running, None, now.at, now.cache_usage, now.work)


def renamed(now: Demand) -> Demand | None:
    return Demand(None, None, now.at)


def unscrapable(_: Demand) -> Demand | None:
    return None


FAULTS = {one.__name__: one for one in (absent, no_number, renamed, unscrapable)}


@dataclass(slots=True)
class Run:
    """Replicas without a request, and what a fault makes of what they tell."""

    limits: Limits
    state: ScaleState = field(default_factory=lambda: start(REPLICAS, 0.0))
    readings: dict[int, Reading] = field(default_factory=dict)
    now: float = 0.0
    decision: Decision | None = None

    def round(self, faults: dict[int, Fault], held: int = 0, tokens: int = 0) -> Decision:
        """One scrape of each, one decision; each holds so many requests and has made tokens."""
        self.now += STEP
        for slot in range(REPLICAS):
            work = Work(prompt_tokens=9, generation_tokens=tokens, answered=1)
            told = faults.get(slot, works)(Demand(held, 0, self.now, 0.0, work))
            before = self.readings.get(slot)
            if told is None:
                self.readings[slot] = (before or Reading(UNKNOWN)).failed("no answer")
            else:
                self.readings[slot] = read(before, told, leaving=False)
        samples = [
            Sample(slot, phase_read(one, PATIENCE, self.now), one.demand, -1000.0)
            for slot, one in self.readings.items()
        ]
        self.decision = decide(self.state, samples, self.limits, WINDOWS, self.now)
        self.state = self.decision.state
        return self.decision


@LIMITS
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("struck", [{1}, {0, 1, 2}], ids=["one", "all"])
def test_what_is_unknown_holds_the_number_and_is_told(
    limits: Limits, fault: Fault, struck: set[int]
) -> None:
    run = Run(limits)
    run.round({})
    for _ in range(WHOLE):
        decision = run.round(dict.fromkeys(struck, fault))
        assert decision.desired == REPLICAS
    assert decision.reason is reasons.METRICS_MISSING
    assert "unknown" in decision.limits


@LIMITS
def test_once_all_is_known_again_it_goes_down_after_a_whole_window(limits: Limits) -> None:
    run = Run(limits)
    for _ in range(WHOLE):
        run.round(dict.fromkeys(range(REPLICAS), unscrapable))
    assert run.round({}).desired == REPLICAS
    for _ in range(2 * WHOLE):
        decision = run.round({})
    assert decision.desired == 1


@LIMITS
def test_an_engine_that_hangs_is_no_supply_and_no_reason_to_go_down(limits: Limits) -> None:
    run = Run(limits)
    for _ in range(WHOLE):  # all hold requests and none makes a token any more
        decision = run.round({}, held=2, tokens=5)
    assert decision.desired > REPLICAS
    assert "has work and does none" in str(decision.message)


@LIMITS
def test_clients_that_give_up_are_no_arrival_and_no_standstill(limits: Limits) -> None:
    """Of such a request vLLM tells nothing but that fewer run."""
    run = Run(limits)
    for _ in range(WHOLE):
        run.round({}, held=0, tokens=5)
    for held in (4, 3, 2, 1, 0, 0):
        decision = run.round({}, held=held, tokens=5)
    if (flow := run.state.flow) is not None:
        arrived = flow.open.requests + sum(flow.past.requests)
        assert arrived == 4 * REPLICAS, "each once, when it came"
    assert "has work and does none" not in str(decision.message)
    assert all(one.moved == run.now for one in run.readings.values())


@pytest.mark.parametrize("kept", [True, False], ids=["its object is there", "its object is gone"])
def test_while_one_that_hangs_is_made_anew_the_number_stays(kept: bool) -> None:
    """All clients wait on it and nothing else comes; once it is gone all of them ask again."""
    held, state, now = Demand(4, 20, 0.0), start(REPLICAS, -1000.0), 0.0
    for number in range(WHOLE):
        now = number * STEP
        idle = [Sample(slot, "ready", Demand(0, 0, now), -1000.0) for slot in (0, 1)]
        phase: SamplePhase = "draining" if kept else "loading"
        leaving = [Sample(2, phase, held if kept else None, now), Sample(2, "lost", held)]
        state = decide(state, [*idle, *leaving], FIXED, WINDOWS, now).state
        assert state.desired == REPLICAS, "24 requests of 8 each: no more for one that leaves"
    busy = [Sample(slot, "ready", Demand(8, 4, now), -1000.0) for slot in (0, 1)]
    decision = decide(state, [*busy, Sample(2, "loading", None, now)], FIXED, WINDOWS, now)
    assert decision.desired == REPLICAS


@LIMITS
def test_counters_that_begin_anew_are_no_work_and_no_standstill(limits: Limits) -> None:
    run = Run(limits)
    found = [run.round({}, held=1, tokens=tokens) for tokens in (10, 900, 1800, 0, 10, 20)]
    assert [one.desired for one in found] == [REPLICAS] * len(found)
    assert all(one.moved == run.now for one in run.readings.values())


@LIMITS
@given(
    st.lists(
        st.tuples(
            st.sets(st.integers(0, REPLICAS - 1)),
            st.sampled_from([*FAULTS.values()]),
            st.integers(0, 20),
        ),
        max_size=60,
    )
)
def test_whatever_strikes_whom_nothing_goes_down_while_something_is_unknown(
    limits: Limits, rounds: list[tuple[set[int], Fault, int]]
) -> None:
    run = Run(limits)
    run.round({})
    for number, (struck, fault, held) in enumerate(rounds):
        before = run.state.desired
        decision = run.round(dict.fromkeys(struck, fault), held=held, tokens=number)
        if "unknown" in decision.limits:
            assert decision.desired >= before
