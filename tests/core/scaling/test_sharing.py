"""How evenly requests are shared: counted of replicas that are played, and as properties."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.capacity import Mix, capacity_of
from escadre.core.scaling.policy import Windows
from escadre.core.scaling.service import Service, ServiceLevel
from escadre.core.scaling.serving import Serving
from escadre.core.scaling.sharing import BY_CHANCE, Sharing, as_one_queue
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Observation, Sight
from escadre.core.simulation.play import simulate
from escadre.core.simulation.replica import ReplicaModel, Request
from escadre.core.simulation.setting import ColdStart, Objective, Routing, Scaled, Setting

MODEL = ReplicaModel(
    Speed(16869.0, DecodeStep(0.01848, 7.385e-5, 5.434e-8)), 10326, 40, 8192, 32768, 1
)
CODE, DOCUMENTS = Mix(2048, 28), Mix(12035, 343)
LEVEL = ServiceLevel()
REPLICAS = 4


@dataclass(slots=True)
class Watching:
    """A number that stands, and what it sees of how requests are shared."""

    sharing: Sharing = BY_CHANCE
    every: float = 3.0
    sight: Sight = field(default_factory=lambda: Sight(3.0))

    def look(self, seen: Observation, now: float) -> int:  # noqa: ARG002 - a policy's signature
        read = [one.demand for one in seen.ready if one.demand is not None]
        self.sharing = self.sharing.after([one.requests or 0 for one in read], self.every)
        return REPLICAS


def requests(mix: Mix, rate: float, seed: int) -> Iterator[Request]:
    rng, at = random.Random(seed), 0.0  # noqa: S311 - draws, not secrets
    for _ in range(3000):
        at += rng.expovariate(rate)
        prompt = max(1, min(round(rng.expovariate(1 / mix.prompt)), 31_000))
        yield Request(at, prompt, max(1, round(rng.expovariate(1 / mix.answer))))


def played(
    mix: Mix, rate: float, routing: Routing, level: ServiceLevel, seed: int = 0
) -> tuple[float, Sharing]:
    """The share of the requests within the level, and what was seen."""
    watching = Watching()
    scaled = Scaled(Bounds(REPLICAS, REPLICAS), 30, Windows(300.0, 15.0), 3.0)
    setting = Setting(MODEL, scaled, ColdStart(30.0), Objective.of(level), routing, seed)
    outcome = simulate(list(requests(mix, rate * REPLICAS, seed)), setting, watching)
    assert outcome.answers.attained is not None
    return outcome.answers.attained, watching.sharing


@pytest.mark.parametrize("mix", [CODE, DOCUMENTS], ids=["code", "documents"])
@pytest.mark.parametrize("load", [0.6, 1.0])
@pytest.mark.parametrize(
    ("routing", "least", "most"), [("random", 0.0, 0.1), ("least-loaded", 0.5, 1.0)]
)
def test_it_tells_a_service_from_a_gateway_that_counts(
    mix: Mix, load: float, routing: Routing, least: float, most: float
) -> None:
    rate = load * capacity_of(MODEL.speed, mix, MODEL.prior, LEVEL).rate
    _, seen = played(mix, rate, routing, LEVEL)
    assert least <= seen.even <= most


@pytest.mark.parametrize(
    ("mix", "share"),
    [(CODE, 0.9), (CODE, 0.95), (DOCUMENTS, 0.8), (DOCUMENTS, 0.9)],
    ids=lambda value: (
        "code" if value is CODE else "documents" if value is DOCUMENTS else str(value)
    ),
)
def test_what_is_shared_well_keeps_the_level_at_the_capacity_and_not_far_beyond(
    mix: Mix, share: float
) -> None:
    """Alone too many would be late."""
    level = ServiceLevel(2.0, 0.2, share)
    capacity = capacity_of(MODEL.speed, mix, MODEL.prior, level, REPLICAS)
    assert capacity.rate > 1.1 * capacity_of(MODEL.speed, mix, MODEL.prior, level).rate
    within, _ = played(mix, 0.95 * capacity.rate, "least-loaded", level)
    beyond, _ = played(mix, 1.6 * capacity.rate, "least-loaded", level)
    alone, _ = played(mix, 0.95 * capacity.rate, "random", level)
    assert within >= level.share - 0.02
    assert max(beyond, alone) < level.share - 0.02


def test_one_replica_and_no_requests_tell_nothing() -> None:
    assert BY_CHANCE.after([7], 3.0) is BY_CHANCE
    assert BY_CHANCE.after([], 3.0) is BY_CHANCE
    assert BY_CHANCE.after([0, 0, 0], 3.0) is BY_CHANCE
    assert BY_CHANCE.after([0, 1, 0], 3.0) is BY_CHANCE, "one request is somewhere"
    assert BY_CHANCE.even == 0.0
    assert as_one_queue(50, 0.0) == as_one_queue(1, 1.0) == as_one_queue(0, 1.0) == 1.0


def test_it_is_believed_after_minutes_and_doubted_after_as_many() -> None:
    seen = BY_CHANCE
    for _ in range(3):
        seen = seen.after([6, 6, 5, 6], 3.0)
    assert seen.even < 0.3, "three looks are not enough"
    for _ in range(100):
        seen = seen.after([6, 6, 5, 6], 3.0)
    assert seen.even > 0.7
    for _ in range(100):
        seen = seen.after([23, 0, 0, 0], 3.0)
    assert seen.even == 0.0


def test_another_leader_begins_from_what_was_told() -> None:
    assert Sharing(begun=0.8).even == pytest.approx(0.8)
    assert as_one_queue(6, 0.8) == pytest.approx(5.0, rel=0.06)


@given(
    looks=st.lists(st.lists(st.integers(0, 500), max_size=12), max_size=30),
    begun=st.floats(0, 1),
    replicas=st.integers(0, 1000),
)
def test_it_is_between_chance_and_one_queue(
    looks: list[list[int]], begun: float, replicas: int
) -> None:
    seen = Sharing(begun=begun)
    for look in looks:
        seen = seen.after(look, 3.0)
    assert 0 <= seen.even <= 1
    assert 1 <= as_one_queue(replicas, seen.even) <= max(1, replicas) * 1.06


@given(rate=st.floats(0, 60), even=st.floats(0, 1), most=st.integers(1, 30))
def test_the_fewest_are_enough_and_one_fewer_is_not(rate: float, even: float, most: int) -> None:
    service = Service(MODEL.prior)
    serving = Serving(MODEL.speed, DOCUMENTS, service, even, most)
    number, capacity = serving.fewest(lambda each: rate / each.rate)
    assert capacity == serving.each(number)
    assert number * capacity.rate >= rate - 1e-6
    assert number <= 1 or (number - 1) * serving.each(number - 1).rate < rate + 1e-6
