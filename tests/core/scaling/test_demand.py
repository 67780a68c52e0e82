"""core/scaling/demand.py: what readings add up to, and when an engine counts as quiet."""

import pytest

from escadre.core.scaling.demand import QUIET_READINGS, UNKNOWN, Demand, Reading, read


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
