"""How demand is followed: over times that follow from what a load takes now."""

import random
from collections.abc import Iterator

import pytest

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.demand import Demand, Work
from escadre.core.scaling.policy import Limits, Sample, ScaleState, Windows, decide, start
from escadre.core.scaling.service import LoadTime, Prior, Service

PRIOR = Prior(Speed(16869.0, DecodeStep(0.01848, 7.385e-5, 5.434e-8)), 165_216, 40)
WINDOWS = Windows(300, 15)
EVERY = 3.0


def bursts(looks: int) -> Iterator[Demand]:
    """Of an engine that answers at once what comes, now little and now much."""
    rng, answered = random.Random(1), 0  # noqa: S311 - draws, not secrets
    for look in range(looks):
        answered += rng.choice((0, 0, 0, 60))
        work = Work(1000 * answered, 100 * answered, answered)
        yield Demand(0, 0, look * EVERY, 0.0, work)


def told(state: ScaleState, demands: list[Demand], load: float) -> ScaleState:
    """After so many looks with loads that take so long."""
    limits = Limits(1, 50, 30, service=Service(PRIOR, load=LoadTime.about(load)))
    for demand in demands:
        sample = Sample(0, "ready", demand, 0.0)
        state = decide(state, [sample], limits, WINDOWS, demand.at or 0.0).state
    return state


@pytest.mark.parametrize("load", [30.0, 180.0, 420.0])
def test_what_a_load_takes_is_found_out_later_and_counts_from_then_on(load: float) -> None:
    """Before a replica serves nobody knows, and 120 s are taken."""
    demands = list(bursts(1500))
    known = told(start(1, 0.0), demands, load)
    later = told(told(start(1, 0.0), demands[:20], 120.0), demands[20:], load)
    assert known.flow is not None
    assert later.flow is not None
    assert later.flow.wide.rate == pytest.approx(known.flow.wide.rate)
    assert later.flow.far.rate == pytest.approx(known.flow.far.rate, rel=0.02)
    assert later.desired == known.desired
