"""Another policy than the operator's, old metrics, loads that fail, and GPUs that two share."""

import random
from dataclasses import dataclass, field, replace

import pytest
from tests.core.simulation.test_fleet import burst, setting

from escadre.core.simulation.deciding import Observation, Sight
from escadre.core.simulation.play import Played, simulate, simulate_together
from escadre.core.simulation.pool import Pool
from escadre.core.simulation.setting import ColdStart


@dataclass
class Script:
    """Says what it was told to from a time on, and keeps what it saw."""

    says: dict[float, int]
    every: float = 5.0
    sight: Sight = field(default_factory=lambda: Sight(5.0))
    seen: list[tuple[float, Observation]] = field(default_factory=list)

    def look(self, seen: Observation, now: float) -> int:
        self.seen.append((now, seen))
        return [number for at, number in self.says.items() if at <= now][-1]


def test_what_a_policy_says_is_carried_out() -> None:
    script = Script({0: 1, 60: 4, 300: 2})
    outcome = simulate(burst(1, 900), setting(), script)
    supply = outcome.supply
    assert (supply.loads, supply.changes, supply.reversals, supply.most_replicas) == (3, 2, 1, 4)
    assert [now for now, _ in script.seen[:3]] == [0, 5, 10]
    at = {one.at: one for one in outcome.timeline}
    assert (at[63].ready, at[63].loading) == (1, 3)
    assert (at[126].ready, at[126].loading) == (4, 0)
    assert (at[330].ready, at[330].draining) == (2, 0)


def test_what_it_sees_is_as_old_as_its_metrics() -> None:
    script = Script({0: 2}, sight=Sight(15.0, 15.0))
    simulate(burst(1, 300), setting(minimum=2), script)
    ages = [
        now - one.demand.at
        for now, seen in script.seen
        for one in seen.replicas
        if one.demand is not None and one.demand.at is not None
    ]
    assert (min(ages), max(ages)) == (15, 25)
    assert all(one.demand is None for now, seen in script.seen if now < 15 for one in seen.replicas)


def test_lost_scrapes_leave_the_numbers_before() -> None:
    script = Script({0: 2}, sight=Sight(5.0, lost=0.5))
    simulate(burst(1, 900), setting(minimum=2), script)
    ages = [
        now - (one.demand.at or 0)
        for now, seen in script.seen
        for one in seen.replicas
        if one.demand is not None
    ]
    assert ages.count(0) == pytest.approx(len(ages) / 2, rel=0.2)


def test_two_share_their_gpus_and_who_waits_longest_is_next() -> None:
    """Of 4 GPUs the second has what the first leaves, and all that it asks for once that goes."""
    one = setting(load=10)
    first = Played(burst(1, 900), one, Script({0: 1, 30: 3, 300: 1}))
    second = Played(burst(1, 900), one, waits := Script({0: 1, 60: 3}))
    outcomes = simulate_together([first, second], gpus=4)
    ready = [{each.at: each.ready for each in outcome.timeline} for outcome in outcomes]
    assert (ready[0][150], ready[1][150]) == (3, 1)
    assert (ready[0][399], ready[1][399]) == (1, 3)
    first_saw = first.policy.seen if isinstance(first.policy, Script) else []
    assert {now for now, seen in first_saw if seen.contended} == {*range(65, 310, 5)}
    assert not any(seen.contended for _, seen in waits.seen)


def test_a_pool_gives_in_order_of_waiting() -> None:
    pool = Pool(free=1)
    assert pool.take(0, 1)
    assert not pool.take(1, 1)
    pool.give(1)
    assert not pool.take(0, 1), "the other waited before"
    assert pool.take(1, 1)


def test_loads_that_fail_or_are_slow_take_longer() -> None:
    """Of 0.2 that fail each takes 1 / 0.8 times as long on the mean; 0.1 that are slow, 1.3."""
    rng = random.Random(1)  # noqa: S311 - draws, not secrets
    cold = ColdStart(100, 0.0)
    assert cold.draw(rng) == 100
    for given, mean in (({"failing": 0.2}, 125), ({"slow": 0.1}, 130)):
        worse = replace(cold, **given)
        drawn = [worse.draw(rng) for _ in range(5000)]
        assert sum(drawn) / 5000 == pytest.approx(mean, rel=0.03)
