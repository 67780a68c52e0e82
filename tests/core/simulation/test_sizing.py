"""How many requests a second one replica holds of a use."""

from dataclasses import replace

import pytest
from tests.core.simulation.reference import model

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.service import ServiceLevel
from escadre.core.simulation.sizing import USES, Use, hold, holds, traffic

LOOSE = ServiceLevel(2.0, 0.1)
CHAT, CODE, DOCUMENTS = USES


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
    assert holds(model(), CHAT, ServiceLevel(0.001, 0.1), 0) is None
    assert hold(model(), Use("novels", 10**6, 10, 1, "none"), LOOSE, 0) is None


def test_where_it_looks_first_changes_no_more_than_it_is_right_to() -> None:
    rates = [
        held.per_second
        for near in (3.0, 6.0)
        if (held := hold(model(), CODE, LOOSE, 0, near)) is not None
    ]
    assert len(rates) == 2
    assert max(rates) < 1.06 * min(rates)


def test_what_is_found_is_the_same_with_every_seed_but_for_a_stated_spread() -> None:
    """The longest prompts take nearly the whole objective alone, so any wait is much: the worst."""
    speed = Speed(16_869, DecodeStep(0.01848, 7.4e-5, 5.4e-8))  # a 24B model on one H100
    replica = replace(model(cache_blocks=10_326, max_num_seqs=40), speed=speed)
    found = [holds(replica, DOCUMENTS, ServiceLevel(), seed) for seed in range(2)]
    ends = [[one.per_second for one in each] for each in found if each is not None]
    assert len(ends) == 2
    for least, most in ends:
        assert least < most < 1.5 * least
    for end in zip(*ends, strict=True):
        assert max(end) < 1.25 * min(end)


def test_what_a_use_has_beyond_the_context_is_cut_not_left_out() -> None:
    """Else long prompts would make room for more people."""
    cut = model(max_model_len=13_000)
    requests = list(traffic(cut, DOCUMENTS, 0, 1.0, 300))
    assert len(requests) == 300
    assert all(cut.takes(one) for one in requests)
    assert sum(one.prompt + one.answer == 13_000 for one in requests) > 60


def test_draws_differ_in_their_order_alone() -> None:
    one, other = (list(traffic(model(), CHAT, seed, 2.0, 1000)) for seed in (1, 2))
    assert [each.prompt for each in one] != [each.prompt for each in other]
    assert sorted(each.prompt for each in one) == sorted(each.prompt for each in other)
    assert one[-1].at == pytest.approx(other[-1].at)
    assert one[-1].at == pytest.approx(500, rel=0.01)
    assert sum(each.prompt for each in one) / 1000 == pytest.approx(CHAT.prompt, rel=0.01)
