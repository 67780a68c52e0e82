"""Scaling by the queue: tables of days as they go, each hold, and properties."""

from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre import reasons
from escadre.core.scaling.demand import Demand
from escadre.core.scaling.policy import (
    Decision,
    Limits,
    Sample,
    ScaleState,
    Windows,
    decide,
    start,
)

Phase = Literal["loading", "ready", "draining", "failing"]
WINDOW, STALE, STEP = 60.0, 15.0, 5.0


def ready(*loads: int, at: float = 0.0) -> list[Sample]:
    """One ready replica per number, with that many requests running."""
    return [Sample(slot, "ready", Demand(load, 0, at)) for slot, load in enumerate(loads)]


def step(
    state: ScaleState,
    samples: Sequence[Sample],
    *,
    now: float = 0.0,
    minimum: int = 1,
    maximum: int = 4,
    target: int = 10,
    may_grow: bool = True,
) -> Decision:
    limits = Limits(minimum, maximum, target, may_grow=may_grow)
    return decide(state, samples, limits, Windows(WINDOW, STALE), now)


def watched(desired: int, load: int = 0) -> ScaleState:
    """A deployment observed for long, with that demand a moment ago."""
    state = start(desired, -1000.0)
    return step(state, ready(load, at=-STEP), now=-STEP, minimum=desired, maximum=desired).state


@pytest.mark.parametrize(
    ("desired", "loads", "after", "reason"),
    [
        pytest.param(1, [10], 1, "AtTarget", id="exactly the target"),
        pytest.param(1, [11], 2, "DemandUp", id="one more"),
        pytest.param(1, [35], 4, "DemandUp", id="several at once"),
        pytest.param(1, [400], 4, "DemandUp", id="never above the maximum"),
        pytest.param(4, [400], 4, "AtMaximum", id="the maximum says so"),
        pytest.param(2, [9, 9], 2, "AtTarget", id="shared by two"),
        pytest.param(3, [5, 5, 5], 3, "Stabilising", id="less waits first"),
        pytest.param(1, [0], 1, "AtTarget", id="idle keeps the minimum"),
    ],
)
def test_one_decision(desired: int, loads: list[int], after: int, reason: str) -> None:
    decision = step(watched(desired, desired * 10), ready(*loads))
    assert (decision.desired, decision.reason.name) == (after, reason)
    assert decision.demand == sum(loads)
    assert decision.changed == (after != desired)


def test_waiting_requests_are_demand_too() -> None:
    decision = step(watched(1), [Sample(0, "ready", Demand(8, 13, 0.0))])
    assert (decision.known.running, decision.known.waiting, decision.desired) == (8, 13, 3)
    assert "8 running and 13 waiting" in str(decision.message)


def run(
    state: ScaleState, loads: Sequence[int], *, now: float = 0.0
) -> tuple[ScaleState, list[int]]:
    """A decision every five seconds, the demand on the first replica."""
    numbers = []
    for index, load in enumerate(loads):
        at = now + index * STEP
        decision = step(state, ready(load, at=at), now=at)
        state = decision.state
        numbers.append(decision.desired)
    return state, numbers


def test_down_only_after_the_whole_stabilisation_time_and_to_the_most_in_it() -> None:
    loads = [40] + [15] * 6 + [5] * 20
    _, numbers = run(watched(4, 40), loads)
    assert numbers[:12] == [4] * 12
    assert numbers[12] == 2  # 60 s after the 40: the 15 is the most of the window
    assert numbers[17] == 2
    assert numbers[18] == 1  # 60 s after the last 15
    assert numbers[-1] == 1


def test_a_peak_in_the_window_holds_the_number() -> None:
    loads = [5] * 11 + [35] + [5] * 11
    _, numbers = run(watched(4, 40), loads)
    assert set(numbers) == {4}


def test_loading_replicas_are_supply_and_do_not_cascade() -> None:
    state = watched(1)
    for now in range(0, 300, 5):
        samples = [*ready(35, at=float(now)), *(Sample(slot, "loading") for slot in range(1, 4))]
        decision = step(state, samples, now=float(now), maximum=16)
        state = decision.state
        assert decision.desired == 4
    assert decision.reason == reasons.AT_TARGET


def test_after_a_restart_nothing_goes_down_before_a_full_window() -> None:
    _, numbers = run(start(4, 0.0), [5] * 20)
    assert numbers[:12] == [4] * 12
    assert numbers[12] == 1


def test_after_a_restart_it_grows_at_once() -> None:
    assert step(start(1, 0.0), ready(25)).desired == 3


def test_after_a_gap_without_decisions_observation_begins_anew() -> None:
    state, _ = run(watched(4, 40), [40])
    state, numbers = run(state, [5] * 14, now=500.0)
    assert numbers[:12] == [4] * 12
    assert numbers[12] == 1


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(Sample(1, "ready"), id="never read"),
        pytest.param(Sample(1, "ready", Demand(0, 0, -16.0)), id="stale"),
        pytest.param(Sample(1, "ready", Demand(None, 0, 0.0)), id="series missing"),
    ],
)
def test_missing_metrics_hold_and_name_the_replica(sample: Sample) -> None:
    state = start(4, -1000.0)
    for now in (0.0, 70.0, 140.0):
        fresh = Sample(0, "ready", Demand(1, 0, now))
        decision = step(state, [fresh, sample], now=now)
        state = decision.state
        assert (decision.desired, decision.reason.name) == (4, "MetricsMissing")
        told = "metrics of ready replica 1 are missing or stale, so the number does not go down"
        assert told in str(decision.message)


def test_a_replica_that_nobody_tried_to_read_yet_holds_the_number_and_is_no_fault() -> None:
    state = start(4, -1000.0)
    for now in (0.0, 70.0, 140.0):
        fresh = Sample(0, "ready", Demand(1, 0, now))
        decision = step(state, [fresh, Sample(1, "unread")], now=now)
        state = decision.state
        assert (decision.desired, decision.reason.name) == (4, "AtTarget")
    assert step(watched(3), [Sample(0, "unread")]).reason == reasons.NOT_SCALING


def test_missing_metrics_still_let_known_demand_grow() -> None:
    decision = step(watched(2), [*ready(35), Sample(1, "ready")])
    assert (decision.desired, decision.reason.name) == (4, "DemandUp")
    assert "missing or stale" in str(decision.message)


def test_a_hold_restarts_the_stabilisation_time() -> None:
    state, _ = run(watched(4, 40), [40] + [5] * 10)
    state = step(state, [Sample(0, "ready")], now=55.0).state
    _, numbers = run(state, [5] * 13, now=60.0)
    assert numbers[:11] == [4] * 11
    assert numbers[11] == 1


@pytest.mark.parametrize("phase", ["loading", "failing", "draining"])
def test_nothing_serving_holds(phase: Phase) -> None:
    decision = step(watched(3), [Sample(0, phase)])
    assert (decision.desired, decision.reason.name) == (3, "NotScaling")
    assert step(watched(3), []).reason == reasons.NOT_SCALING


def test_requests_of_draining_replicas_are_not_demand() -> None:
    samples = [*ready(10), Sample(1, "draining", Demand(50, 5, 0.0))]
    decision = step(watched(2, 20), samples)
    assert (decision.demand, decision.reason.name) == (10, "Stabilising")


@pytest.mark.parametrize(
    ("desired", "minimum", "maximum", "after"),
    [(1, 3, 4, 3), (4, 1, 2, 2), (4, 6, 8, 6)],
)
@pytest.mark.parametrize("serving", [True, False])
def test_changed_bounds_hold_at_once(
    desired: int, minimum: int, maximum: int, after: int, *, serving: bool
) -> None:
    samples = ready(desired * 10) if serving else []
    decision = step(start(desired, 0.0), samples, minimum=minimum, maximum=maximum)
    assert decision.desired == after
    assert decision.reason == reasons.BOUNDS_CHANGED


def test_without_an_approval_nothing_grows_but_less_is_possible() -> None:
    decision = step(watched(2), ready(35), may_grow=False)
    assert (decision.desired, decision.reason.name) == (2, "ScalingHeld")
    assert step(watched(2), ready(5), minimum=3, may_grow=False).reason == reasons.SCALING_HELD
    assert step(watched(4), ready(5), maximum=2, may_grow=False).desired == 2


SAMPLES = st.lists(
    st.builds(
        Sample,
        slot=st.integers(0, 9),
        phase=st.sampled_from(["loading", "ready", "draining", "failing"]),
        demand=st.none()
        | st.builds(
            Demand,
            running=st.none() | st.integers(0, 300),
            waiting=st.none() | st.integers(0, 300),
            at=st.none() | st.floats(0, 1000),
        ),
    ),
    max_size=6,
)
DAYS = st.lists(st.tuples(SAMPLES, st.floats(0.5, 40), st.booleans()), min_size=1, max_size=30)
BOUNDS = st.tuples(st.integers(1, 8), st.integers(0, 8))


@given(DAYS, BOUNDS, st.integers(0, 20), st.integers(1, 50))
def test_any_day_stays_in_bounds_and_never_goes_down_on_what_is_unknown(
    day: list[tuple[list[Sample], float, bool]],
    bounds: tuple[int, int],
    existing: int,
    target: int,
) -> None:
    minimum, maximum = bounds[0], bounds[0] + bounds[1]
    state, now = start(existing, 0.0), 0.0
    for samples, seconds, may_grow in day:
        now += seconds
        decision = step(
            state,
            samples,
            now=now,
            minimum=minimum,
            maximum=maximum,
            target=target,
            may_grow=may_grow,
        )
        assert decision.desired <= maximum
        assert decision.desired >= minimum or not may_grow
        assert decision.desired <= state.desired or may_grow
        missing = any(
            one.phase == "ready"
            and (
                one.demand is None
                or None in (one.demand.requests, one.demand.at)
                or (one.demand.at or 0.0) < now - STALE
            )
            for one in samples
        )
        if missing or not any(one.phase == "ready" for one in samples):
            assert decision.desired >= min(state.desired, maximum)
        if decision.desired < min(state.desired, maximum):
            assert now >= WINDOW
        assert decision.reason.listed
        assert decision.changed == (decision.desired != state.desired)
        wanted = [one.desired for one in decision.state.history]
        assert wanted == sorted(set(wanted), reverse=True)
        state = decision.state


@given(DAYS, st.integers(0, 500), st.integers(0, 500))
def test_more_demand_never_wants_fewer(
    day: list[tuple[list[Sample], float, bool]], one: int, other: int
) -> None:
    state, now = start(2, 0.0), 0.0
    for samples, seconds, _ in day:
        now += seconds
        state = step(state, samples, now=now, maximum=12).state
    less, more = (
        step(state, ready(load, at=now), now=now, maximum=12).desired
        for load in sorted((one, other))
    )
    assert less <= more
