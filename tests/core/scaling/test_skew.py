"""core/scaling/skew.py: one replica is full while another has next to nothing."""

import pytest

from escadre.core.scaling.demand import UNKNOWN, Demand
from escadre.core.scaling.skew import Skew, skew_of

FULL = Demand(8, 8, 0.0)


@pytest.mark.parametrize(
    ("readings", "skew"),
    [
        pytest.param([(0, FULL), (2, Demand(1, 0, 0.0))], Skew(0, 16, 2, 1), id="skewed"),
        pytest.param(
            [(0, Demand(0, 0, 0.0)), (1, Demand(4, 0, 0.0)), (2, FULL)],
            Skew(2, 16, 0, 0),
            id="of three",
        ),
        pytest.param([(0, FULL), (1, FULL)], None, id="all are full"),
        pytest.param([(0, FULL), (1, Demand(5, 0, 0.0))], None, id="the other has some"),
        pytest.param([(0, Demand(8, 7, 0.0)), (1, UNKNOWN)], None, id="not full enough"),
        pytest.param([(0, Demand(8, 0, 0.0)), (1, Demand(0, 0, 0.0))], None, id="nothing waits"),
        pytest.param([(0, FULL)], None, id="the only one"),
        pytest.param([(0, Demand(0, 0, 0.0))], None, id="nothing to do"),
        pytest.param([], None, id="nothing read"),
    ],
)
def test_who_is_full_while_who_is_idle(
    readings: list[tuple[int, Demand]], skew: Skew | None
) -> None:
    assert skew_of(readings) == skew
    assert skew_of(readings[::-1]) == skew
