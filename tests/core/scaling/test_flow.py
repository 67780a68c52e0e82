"""What arrives, from differences of counters: steady, reset, new, unknown."""

from dataclasses import replace

import pytest

from escadre.core.scaling.demand import Demand, Work
from escadre.core.scaling.flow import Average, Flow, follow
from escadre.core.scaling.past import Past

EMPTY = Flow(Average(15.0), Average(60.0), Average(180.0), Past(20.0, 9.0))


def demand(answered: int | None, running: int = 0, waiting: int = 0) -> Demand:
    """An engine that answered so many requests of 1,000 and 100 tokens."""
    begun = (answered or 0) + running
    work = Work(
        prompt_tokens=1000 * begun,
        generation_tokens=100 * (answered or 0) + 50 * running,
        answered=answered,
    )
    return Demand(running, waiting, 0.0, None, work)


def after(*looks: dict[int, Demand], every: float = 3.0) -> Flow:
    flow = EMPTY
    for number, look in enumerate(looks):
        at = 1000.0 + number * every
        flow = follow(flow, [(slot, replace(one, at=at)) for slot, one in look.items()])
    return flow


def test_a_steady_rate_is_found_at_once_and_kept() -> None:
    for looks in (2, 5, 100):
        flow = after(*({0: demand(6 * number, 4)} for number in range(looks)))
        assert flow.known
        assert flow.near.rate == pytest.approx(2.0)
        assert flow.wide.rate == pytest.approx(2.0)
        assert flow.open.requests / flow.open.seconds == pytest.approx(2.0)


def test_the_mix_follows_what_is_read_and_given() -> None:
    mix = after(*({0: demand(60 * number, 4)} for number in range(100))).tokens.mix
    assert mix.prompt == pytest.approx(1000, rel=0.01)
    assert mix.answer == pytest.approx(100, rel=0.01)


def test_what_waits_has_arrived_and_is_counted_once() -> None:
    flow = after({0: demand(0)}, {0: demand(0, 2, 10)}, {0: demand(6, 2, 4)}, {0: demand(12)})
    assert flow.near.amount == pytest.approx(12, rel=0.5)
    assert flow.open.requests == 12


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param({0: demand(500, 3)}, {0: demand(2, 1)}, id="another engine in the slot"),
        pytest.param({0: demand(500)}, {0: demand(500), 1: demand(900)}, id="one seen first"),
        pytest.param({0: demand(500, 3)}, {}, id="one that left"),
    ],
)
def test_nothing_arrives_over_a_change_of_engines(
    before: dict[int, Demand], now: dict[int, Demand]
) -> None:
    flow = after(before, now)
    assert flow.near.rate == 0.0
    assert not flow.open.requests


def test_an_engine_without_counters_makes_the_rate_unknown() -> None:
    assert not after({0: demand(5), 1: demand(None)}).known
    assert not after({0: Demand(1, 2, 0.0)}).known
    assert not after({}).known


def test_a_gap_between_looks_counts_as_nothing_seen() -> None:
    flow = after({0: demand(0)}, {0: demand(600)}, every=3600.0)
    assert flow.near.rate == 0.0


def test_what_one_look_sees_of_a_long_time_is_no_more_for_that() -> None:
    """Readings each 15 s, looks each 3 s: 2 requests a second are 2 at any moment."""
    flow = EMPTY
    for look in range(40):
        at = 1000.0 + 15 * (look // 5)
        reading = replace(demand(30 * (look // 5)), at=at)
        flow = follow(flow, [(0, reading)])
        if look >= 5:
            assert flow.near.rate == pytest.approx(2.0)
    assert flow.open.seconds == 105.0


def test_while_nothing_is_read_no_time_without_arrivals_goes_by() -> None:
    flow = after({0: demand(0)}, {0: demand(6)}, {}, {}, {0: demand(24)})
    assert flow.near.rate == pytest.approx(2.0)
