"""How many replicas so many people need."""

import pytest
from tests.core.simulation.reference import model

from escadre.core.scaling.service import ServiceLevel
from escadre.core.simulation.sizing import USES, Held, Use, _requests, hold, needed

LOOSE = ServiceLevel(2.0, 0.1)
CHAT = USES[0]


@pytest.mark.parametrize(
    "stricter",
    [
        pytest.param(ServiceLevel(0.5, 0.03), id="faster"),
        pytest.param(ServiceLevel(2.0, 0.1, 0.99), id="for more of them"),
    ],
)
def test_a_replica_holds_less_by_a_stricter_objective(stricter: ServiceLevel) -> None:
    loose, strict = hold(model(), CHAT, LOOSE, 0), hold(model(), CHAT, stricter, 0)
    assert loose is not None
    assert strict is not None
    assert strict.per_second < loose.per_second
    assert strict.in_flight < loose.in_flight


def test_it_holds_what_decoding_allows() -> None:
    """At most 64 at once, steps of 30 ms, 211 tokens each: some 10 a second."""
    held = hold(model(), CHAT, LOOSE, 0)
    assert held is not None
    assert 2 < held.per_second < 10
    assert held.in_flight <= 64


def test_an_objective_that_all_meet_ends_where_the_replica_falls_behind() -> None:
    held = hold(model(), CHAT, ServiceLevel(3600, 3600), 0)
    assert held is not None
    assert held.per_second < 10


def test_an_objective_that_nobody_meets() -> None:
    assert hold(model(), CHAT, ServiceLevel(0.001, 0.1), 0) is None
    assert hold(model(), Use("novels", 10**6, 10, 1, "none"), LOOSE, 0) is None


def test_what_a_use_has_beyond_the_context_is_cut_not_left_out() -> None:
    """Else long prompts would make room for more people."""
    cut, documents = model(max_model_len=13_000), Use("documents", 12035, 343, 5, "none")
    requests = list(_requests(cut, documents, 1.0, 0))
    assert len(requests) == 300
    assert all(cut.takes(one) for one in requests)
    assert sum(one.prompt + one.answer == 13_000 for one in requests) > 60


@pytest.mark.parametrize(
    ("gpus", "replicas", "nodes"),
    [(1, (5, 8), (1, 1)), (4, (5, 8), (3, 4)), (16, (5, 8), (10, 16))],
)
def test_gpus_and_nodes(gpus: int, replicas: tuple[int, int], nodes: tuple[int, int]) -> None:
    """86,400 people with two requests a day are two a second on the mean: 3.84 to 6.6 at peak."""
    low, high = needed(86_400, 2, Held(0.83, 9), model(gpus=gpus))
    assert (low.per_second, high.per_second) == pytest.approx((3.84, 6.6))
    assert (low.replicas, high.replicas) == replicas
    assert (low.gpus, high.gpus) == (5 * gpus, 8 * gpus)
    assert (low.nodes, high.nodes) == nodes


def test_few_people_need_one_replica() -> None:
    low, high = needed(1, 1, Held(5, 9), model())
    assert (low.replicas, high.nodes) == (1, 1)
