"""How many replicas, GPUs and nodes so many people need."""

from dataclasses import replace

import pytest

from escadre.core.simulation.people import Terms, busiest, needed
from escadre.core.simulation.sizing import Held

ONE = Terms(gpus=1, largest=8, smallest=8)
SAME = (Held(0.83, 9), Held(0.83, 9))


@pytest.mark.parametrize(
    ("terms", "replicas", "nodes"),
    [
        pytest.param(ONE, (5, 8), (1, 1), id="eight to a node"),
        pytest.param(replace(ONE, gpus=4), (5, 8), (3, 4), id="two to a node"),
        pytest.param(Terms(3, 8, 8), (5, 8), (3, 4), id="what is left of a node takes none"),
        pytest.param(Terms(4, 8, 4), (5, 8), (3, 8), id="nodes of two sizes"),
        pytest.param(Terms(1, 4, 4), (5, 8), (2, 2), id="small nodes"),
        pytest.param(replace(ONE, minimum=7), (7, 8), (1, 1), id="minReplicas run anyway"),
        pytest.param(replace(ONE, spare=2), (7, 10), (1, 2), id="spare ones come on top"),
        pytest.param(replace(ONE, spare=1, minimum=7), (7, 9), (1, 2), id="both"),
    ],
)
def test_replicas_gpus_and_nodes(
    terms: Terms, replicas: tuple[int, int], nodes: tuple[int, int]
) -> None:
    """86,400 people with two requests a day are two a second on the mean: 3.84 to 6.6 at peak."""
    peak = busiest(86_400, 2)
    low, high = needed(peak, SAME, terms)
    assert peak == pytest.approx((3.84, 6.6))
    assert (low.replicas, high.replicas) == replicas
    assert (low.gpus, high.gpus) == tuple(terms.gpus * number for number in replicas)
    assert (low.nodes, high.nodes) == nodes


def test_the_range_is_of_both_what_is_asked_and_what_is_held() -> None:
    low, high = needed(busiest(86_400, 2), (Held(0.5, 9), Held(1.0, 9)), ONE)
    assert (low.replicas, high.replicas) == (4, 14)


def test_few_people_need_one_replica() -> None:
    low, high = needed(busiest(1, 1), (Held(5, 9), Held(5, 9)), ONE)
    assert (low.replicas, high.nodes) == (1, 1)
