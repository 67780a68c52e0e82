"""core/scaling/step.py: where scaling begins, what is planned meanwhile, and what is told."""

from dataclasses import replace

import pytest

from escadre import reasons
from escadre.api.scaling import Scaling, Schedule
from escadre.core.scaling.demand import Demand
from escadre.core.scaling.policy import Sample, ScaleState, Windows, start
from escadre.core.scaling.step import Bounds, Scalable, desired, seed, step

NEW = Scalable(Bounds(2, 5), approved=True, target=10, told=None, staying=0)
KNOWN = replace(NEW, told=3, staying=3)
WINDOWS = Windows(60.0, 15.0)


@pytest.mark.parametrize(
    ("seen", "begins"),
    [
        pytest.param(NEW, 2, id="a new one has its minimum"),
        pytest.param(replace(NEW, spare=4), 2, id="what is spare waits until it serves"),
        pytest.param(replace(NEW, approved=False), 0, id="a new one that may not run has none"),
        pytest.param(replace(NEW, bounds=None), 0, id="nor one that cannot be read"),
        pytest.param(KNOWN, 3, id="after a restart what runs stays"),
        pytest.param(replace(KNOWN, staying=1), 3, id="what was promised is made"),
        pytest.param(replace(KNOWN, staying=4), 4, id="what runs beyond the promise stays"),
        pytest.param(replace(KNOWN, told=0, staying=0), 0, id="told of none, the bounds raise it"),
        pytest.param(replace(NEW, staying=3), 3, id="its status was lost"),
    ],
)
def test_where_scaling_begins(seen: Scalable, begins: int) -> None:
    assert seed(seen, 7.0) == ScaleState(begins, 7.0)


@pytest.mark.parametrize(
    ("before", "seen", "planned"),
    [
        pytest.param(3, KNOWN, 3, id="within the bounds"),
        pytest.param(1, KNOWN, 2, id="a raised minimum counts at once"),
        pytest.param(9, KNOWN, 5, id="a lowered maximum counts at once"),
        pytest.param(1, replace(KNOWN, approved=False), 1, id="not without an approval"),
        pytest.param(1, replace(KNOWN, target=None), 1, id="not without a layout"),
        pytest.param(9, replace(KNOWN, approved=False), 5, id="less needs no approval"),
        pytest.param(9, replace(KNOWN, bounds=None), 9, id="an unreadable spec changes nothing"),
    ],
)
def test_what_is_planned_until_the_next_step(before: int, seen: Scalable, planned: int) -> None:
    assert desired(start(before, 0.0), seen) == planned
    quiet = step(start(before, 0.0), seen, (), WINDOWS, 1.0)
    assert quiet.state.desired == planned, "the step itself then decides the same"


def test_a_step_without_a_state_begins_from_the_seed() -> None:
    first = step(None, KNOWN, [Sample(0, "ready", Demand(41, 0, 5.0))], WINDOWS, 5.0)
    assert first.state.desired == 5
    assert first.decision is not None
    assert first.decision.reason == reasons.DEMAND_UP
    assert first.move is not None
    assert (first.move.was, first.move.to, first.move.target) == (3, 5, 10)


def test_an_unreadable_spec_keeps_the_state_and_decides_nothing() -> None:
    state = start(4, 1.0)
    assert step(state, replace(KNOWN, bounds=None), (), WINDOWS, 5.0).state is state
    assert step(state, replace(KNOWN, bounds=None), (), WINDOWS, 5.0).decision is None


def test_the_first_number_of_a_new_deployment_is_no_change_to_tell_of() -> None:
    unapproved = step(None, replace(NEW, approved=False), (), WINDOWS, 0.0).state
    raised = step(unapproved, NEW, (), WINDOWS, 1.0)
    assert raised.decision is not None
    assert (raised.decision.changed, raised.state.desired, raised.move) == (True, 2, None)
    assert step(unapproved, replace(NEW, told=0), (), WINDOWS, 1.0).move is not None


DAY = Schedule(cron="0 8 * * *", time_zone="UTC", duration="10h", min_replicas=4)
SCALING = Scaling(min_replicas=1, max_replicas=6, schedules=[DAY])
NOON, NIGHT = 1772452800.0, 1772406000.0  # 2 March 2026, 12:00 and 1 March, 23:00


def test_the_bounds_of_now() -> None:
    assert Bounds.of(SCALING, NOON) == Bounds(4, 6, window=0, changes_at=NOON + 6 * 3600)
    assert Bounds.of(SCALING, NIGHT) == Bounds(1, 6, changes_at=NIGHT + 9 * 3600)
    assert Bounds.of(Scaling(min_replicas=2, max_replicas=3), NOON) == Bounds(2, 3)


def test_a_window_that_begins_is_told_as_such_and_one_that_ends_is_left_to_the_demand() -> None:
    before = ScaleState(1, NIGHT)
    idle = [Sample(0, "ready", Demand(0, 0, NOON))]
    begun = step(before, replace(KNOWN, bounds=Bounds.of(SCALING, NOON)), idle, WINDOWS, NOON)
    assert begun.decision is not None
    assert (begun.decision.desired, begun.decision.reason) == (4, reasons.SCHEDULE_BEGAN)
    assert "bounds 4 to 6; spec.scaling.schedules[0] keeps at least 4" in str(
        begun.decision.message
    )
    stays = step(begun.state, replace(KNOWN, bounds=Bounds(1, 6)), idle, WINDOWS, NOON + 1)
    assert stays.decision is not None
    assert (stays.decision.desired, stays.decision.reason) == (4, reasons.STABILISING)
