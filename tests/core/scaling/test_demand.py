"""core/scaling/demand.py: what readings add up to, and when an engine counts as quiet."""

from dataclasses import replace

import pytest

from escadre.core.scaling.demand import QUIET_READINGS, UNKNOWN, Demand, Reading, Work, read


@pytest.mark.parametrize(
    ("demand", "requests"),
    [
        (Demand(3, 4), 7),
        (Demand(0, 0), 0),
        (Demand(None, 4), None),
        (Demand(3, None), None),
        (UNKNOWN, None),
    ],
)
def test_what_is_missing_is_not_zero(demand: Demand, requests: int | None) -> None:
    assert demand.requests == requests


def quiet_after(*seen: tuple[Demand, bool]) -> Reading:
    reading: Reading | None = None
    for demand, leaving in seen:
        reading = read(reading, demand, leaving=leaving)
    assert reading is not None
    return reading


EMPTY, BUSY = Demand(0, 0, 1.0), Demand(1, 0, 1.0)


def test_an_engine_is_idle_after_so_many_quiet_readings_outside_the_service() -> None:
    assert quiet_after(*[(EMPTY, True)] * QUIET_READINGS).idle
    assert not quiet_after(*[(EMPTY, True)] * (QUIET_READINGS - 1)).idle


@pytest.mark.parametrize(
    "between",
    [
        pytest.param((BUSY, True), id="a request came"),
        pytest.param((UNKNOWN, True), id="nothing is known"),
        pytest.param((EMPTY, False), id="it was back in the Service"),
    ],
)
def test_whatever_comes_between_begins_the_count_anew(between: tuple[Demand, bool]) -> None:
    before = [(EMPTY, True)] * (QUIET_READINGS - 1)
    assert not quiet_after(*before, between, (EMPTY, True)).idle


def test_a_failed_scrape_keeps_what_was_known() -> None:
    after = quiet_after((EMPTY, True), (EMPTY, True)).failed("no answer in 2 s")
    assert after.idle
    assert (after.demand, after.failure) == (EMPTY, "no answer in 2 s")


WORKED = Work(generation_tokens=7)
STANDS = Demand(1, 2, 10.0, 0.5, WORKED)


def moved(*seen: Demand) -> float | None:
    return quiet_after(*[(demand, False) for demand in seen]).moved


@pytest.mark.parametrize(
    ("now", "at"),
    [
        pytest.param(replace(STANDS, at=20.0), 10.0, id="nothing moves"),
        pytest.param(replace(STANDS, at=20.0, running=2), 20.0, id="one more runs"),
        pytest.param(replace(STANDS, at=20.0, waiting=1), 20.0, id="one fewer waits"),
        pytest.param(
            replace(STANDS, at=20.0, cache_usage=0.6),
            20.0,
            id="a chunk more is in the cache",
        ),
        pytest.param(
            replace(STANDS, at=20.0, work=Work(generation_tokens=8)), 20.0, id="a token came"
        ),
        pytest.param(
            replace(STANDS, at=20.0, work=Work(generation_tokens=0)), 20.0, id="counters begin anew"
        ),
        pytest.param(replace(STANDS, at=20.0, running=0, waiting=0), 20.0, id="nothing to do"),
        pytest.param(replace(STANDS, at=20.0, work=None), 20.0, id="without counters"),
        pytest.param(replace(STANDS, at=20.0, waiting=None), 20.0, id="unknown is no standstill"),
    ],
)
def test_an_engine_moves_when_any_number_does_or_it_has_nothing_to_do(
    now: Demand, at: float
) -> None:
    assert moved(STANDS, now) == at


def test_what_stood_still_before_goes_on_standing() -> None:
    later = [replace(STANDS, at=at) for at in (10.0, 12.0, 400.0)]
    assert moved(*later) == 10.0
    reading = quiet_after(*[(one, False) for one in later]).failed("no answer in 2 s")
    assert reading.moved == 10.0
