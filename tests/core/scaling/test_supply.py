"""Which replicas count, and how many may go: loads that are given up or not, room in the others."""

from dataclasses import replace

import pytest

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.capacity import Capacity
from escadre.core.scaling.decision import Asked, Limits, Sample, Seen
from escadre.core.scaling.policy import start
from escadre.core.scaling.service import LoadTime, Prior, Service
from escadre.core.scaling.supply import fewest_by_load, fewest_by_room, lacking

NOW = 1000.0
SERVICE = Service(
    Prior(Speed(10_000.0, DecodeStep(0.02, 1e-4, 1e-7)), 100_000, 40), load=LoadTime(100.0, 300.0)
)
LIMITS = Limits(1, 9, 30, service=SERVICE)


def loading(*ages: float) -> list[Sample]:
    """Replicas that load for so many seconds."""
    return [Sample(slot, "loading", None, NOW - age) for slot, age in enumerate(ages)]


@pytest.mark.parametrize(
    ("ages", "cancelled", "contended", "fewest"),
    [
        pytest.param([], None, False, 0, id="none loads"),
        pytest.param([10, 40], None, False, 0, id="all in their first half"),
        pytest.param([10, 60], None, False, 3, id="one beyond it stays, the other may go"),
        pytest.param([60, 70], None, False, 4, id="both stay"),
        pytest.param([10, 40], 950.0, False, 4, id="one was given up within a load's time"),
        pytest.param([10, 40], 850.0, False, 0, id="one was, longer ago"),
        pytest.param([60, 70], 950.0, True, 0, id="another deployment waits for the GPUs"),
    ],
)
def test_when_a_load_is_given_up(
    ages: list[float], cancelled: float | None, contended: bool, fewest: int
) -> None:
    state = replace(start(4, 0.0), cancelled_at=cancelled)
    limits = replace(LIMITS, contended=contended)
    assert fewest_by_load(state, loading(*ages), limits, 4, NOW) == fewest
    fixed = replace(limits, service=None)
    assert fewest_by_load(state, loading(*ages), fixed, 4, NOW) == 0


def test_what_counts_as_no_supply() -> None:
    assert lacking(loading(299, 301), SERVICE, NOW) == 1
    assert lacking([*loading(301), Sample(1, "stuck")], SERVICE, NOW) == 2
    assert lacking([*loading(301), Sample(1, "stuck")], None, NOW) == 1, "no load time is known"
    assert lacking([Sample(0, "loading")], SERVICE, NOW) == 0, "nor since when this one loads"


@pytest.mark.parametrize(
    ("requests", "fullest", "fewest"),
    [
        pytest.param(0, 0, 0, id="nothing to take over"),
        pytest.param(30, 10, 3, id="three hold it"),
        pytest.param(31, 10, 4, id="a little more needs a fourth"),
        pytest.param(12, 11, 5, id="the fullest has more than it should"),
    ],
)
def test_the_others_need_room_for_what_a_leaving_one_serves(
    requests: int, fullest: int, fewest: int
) -> None:
    seen = Seen(requests, 0, fullest, (), (), serving=True, whole=True)
    asked = Asked(1, 1, 0.5, capacity=Capacity(1.0, 10.0, 0.1, "batch"))
    assert fewest_by_room(seen, asked, 5) == fewest
    assert fewest_by_room(seen, replace(asked, capacity=None), 5) == 0
