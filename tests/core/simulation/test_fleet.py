"""A deployment in virtual time: the operator's own decisions, and what they cost."""

from dataclasses import replace

import pytest
from tests.core.simulation.reference import model, play, traffic

from escadre.core.scaling.policy import Windows
from escadre.core.scaling.service import LoadTime, Service, ServiceLevel
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.gaps import quantile
from escadre.core.simulation.outcome import reversals
from escadre.core.simulation.play import simulate
from escadre.core.simulation.replica import Request
from escadre.core.simulation.setting import ColdStart, Objective, Routing, Scaled, Setting
from escadre.core.simulation.traffic import scaled


def setting(minimum: int = 1, maximum: int = 6, target: int = 16, load: float = 60.0) -> Setting:
    """The chart's windows, and loads that all take the same time."""
    return Setting(
        model(),
        Scaled(Bounds(minimum, maximum), target, Windows(300, 15), 3),
        ColdStart(load, 0.0),
        Objective(2.0, 0.1),
    )


def burst(rate: float, seconds: float, begin: float = 0.0) -> list[Request]:
    """Even arrivals of one kind."""
    return [Request(begin + number / rate, 1000, 100) for number in range(int(rate * seconds))]


def test_one_replica_is_the_engine_alone() -> None:
    requests = traffic(3, 150, 5.0, 1155, 211)
    outcome = simulate(requests, setting(maximum=1))
    played = play(model(), requests)
    assert outcome.answers.requests == 150
    assert outcome.answers.first_token[95] == pytest.approx(quantile(played.first, 0.95), rel=0.02)
    supply = outcome.supply
    assert supply.gpu_seconds == pytest.approx(supply.seconds)
    assert (supply.loads, supply.changes, supply.most_replicas) == (0, 0, 1)


def test_a_quiet_log_changes_nothing() -> None:
    supply = simulate(burst(0.2, 900), setting(minimum=2)).supply
    assert (supply.loads, supply.changes, supply.reversals) == (0, 0, 0)
    assert supply.gpu_seconds == pytest.approx(2 * supply.seconds)


def test_a_burst_is_followed_up_and_then_down_again() -> None:
    """Ten minutes of much, then half an hour of little: up, and down after the window of 300 s."""
    requests = [*burst(12, 600), *burst(0.1, 1800, begin=600)]
    outcome = simulate(requests, setting())
    supply = outcome.supply
    assert outcome.answers.requests == len(requests)
    assert supply.most_replicas > 2
    assert supply.loads >= supply.most_replicas - 1
    assert supply.reversals >= 1
    assert supply.gpu_seconds < supply.most_replicas * supply.seconds / 2


def test_where_fewer_are_to_be_in_time_fewer_gpus_do_and_they_are() -> None:
    """Documents fill the cache; what chance brings together is no reason to keep more of them."""
    requests, costs = traffic(5, 2400, 1.2, 12035, 343), list[float]()
    for share in (0.95, 0.8, 0.5):
        plain = setting(maximum=12)
        level = ServiceLevel(10.0, 0.5, share)
        service = Service(plain.model.prior, level, LoadTime.about(60.0))
        given = replace(plain, scaled=replace(plain.scaled, service=service), begin=3)
        outcome = simulate(requests, replace(given, objective=Objective.of(level)))
        assert outcome.answers.attained is not None
        assert outcome.answers.attained >= share
        costs.append(outcome.supply.gpu_seconds)
    assert costs[0] > 1.1 * costs[1] > 1.1 * costs[2]


def test_loading_counts_as_gpu_seconds() -> None:
    """Two replicas asked for by the first look; the second is never of use."""
    requests = [Request(0.0, 1000, 2000) for _ in range(20)]
    quick = simulate(requests, setting(maximum=2, load=5000))
    assert quick.answers.requests == 20
    assert quick.supply.loads == 1
    assert quick.supply.gpu_seconds > 1.8 * quick.supply.seconds


def test_a_load_that_ends_after_the_burst_is_wasted() -> None:
    """Its window over, a replica that still loads goes first, and no request was there for it."""
    requests = [*burst(12, 30), *burst(0.1, 900, begin=30)]
    supply = simulate(requests, setting(load=600)).supply
    assert supply.wasted_loads == supply.loads > 0
    assert supply.unfinished_loads == 0


def test_a_load_that_the_log_ends_before_is_neither_wasted_nor_of_use() -> None:
    supply = simulate(burst(12, 60), setting(load=600)).supply
    assert supply.loads > 0
    assert supply.wasted_loads == 0
    assert supply.unfinished_loads == supply.loads


def test_a_replica_that_leaves_ends_its_requests() -> None:
    """Long answers begun in the burst end after the decision to go down; none is lost."""
    long = [Request(60.0 + number, 100, 20_000) for number in range(40)]
    outcome = simulate([*burst(10, 60), *long, *burst(0.1, 1800, begin=101)], setting())
    assert outcome.answers.requests == 600 + 40 + 180


def test_too_long_requests_are_counted_not_played() -> None:
    answers = simulate([Request(0, 10, 10), Request(1, 40_000, 10)], setting()).answers
    assert (answers.requests, answers.refused) == (1, 1)


def test_no_request_at_all() -> None:
    """All are refused: nothing was served, and the replicas stood there all the time."""
    outcome = simulate([Request(at, 40_000, 10) for at in (0, 600)], setting(minimum=2))
    assert outcome.answers.attained is None
    assert outcome.answers.first_token == {50: None, 95: None, 99: None}
    assert outcome.supply.seconds == 600
    assert outcome.supply.gpu_seconds == 1200


@pytest.mark.parametrize("routing", ["random", "least-loaded"])
def test_the_same_seed_gives_the_same_outcome_and_another_one_another(routing: Routing) -> None:
    requests = traffic(5, 600, 8.0, 1155, 211)
    one = replace(setting(minimum=3), routing=routing, cold=ColdStart(60))
    assert simulate(requests, one) == simulate(requests, one)
    if routing == "random":
        assert simulate(requests, one) != simulate(requests, replace(one, seed=1))


def test_least_loaded_is_no_worse_at_the_tail_than_chance() -> None:
    requests = traffic(6, 1500, 14.0, 1155, 211)
    fixed = setting(minimum=4, maximum=4)
    chance = simulate(requests, fixed).answers.first_token[99]
    counted = simulate(requests, replace(fixed, routing="least-loaded")).answers.first_token[99]
    assert chance is not None
    assert counted is not None
    assert counted < chance


@pytest.mark.parametrize("seed", range(4))
def test_invariants_on_random_logs(seed: int) -> None:
    requests = traffic(seed, 500, 6.0, 900, 150)
    outcome = simulate(requests, replace(setting(maximum=3), seed=seed, cold=ColdStart(40)))
    supply = outcome.supply
    assert outcome.answers.requests == len(requests)
    assert 1 <= supply.most_replicas <= 3
    assert supply.seconds <= supply.gpu_seconds <= 3 * supply.seconds * 2
    assert supply.wasted_loads + supply.unfinished_loads <= supply.loads
    assert supply.reversals <= max(0, supply.changes - 1)


@pytest.mark.parametrize(
    ("numbers", "turns"),
    [([], 0), ([1], 0), ([1, 2, 5], 0), ([1, 5, 2], 1), ([1, 5, 2, 3, 1], 3), ([4, 2, 1], 0)],
)
def test_reversals_are_turns(numbers: list[int], turns: int) -> None:
    assert reversals(numbers) == turns


def test_copies_keep_the_requests_and_the_span() -> None:
    log = [Request(at, int(at) + 1, 7) for at in (5.0, 6.0, 9.0, 25.0)]
    found = scaled(log, 3, seed=4)
    assert sorted(one.prompt for one in found) == sorted(3 * [6, 7, 10, 26])
    assert found == sorted(found, key=lambda one: one.at)
    assert found[0].at >= 0
    assert found[-1].at <= 20
    assert found == scaled(log, 3, seed=4) != scaled(log, 3, seed=5)
    assert [one.at for one in scaled(log, 1, seed=4)] == [0.0, 1.0, 4.0, 20.0]
