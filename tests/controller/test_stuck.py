"""controller/stuck.py: who stands still is asked for a token, and who gives none is made anew."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving
from tests.controller.world import World

from escadre.clients.enginetoken import Token
from escadre.controller.keys import deployment_key
from escadre.controller.stuck import StuckLoop
from escadre.core.scaling.demand import Demand, Reading, Work
from escadre.names import SERVING_PORT

NO, YES = Token("No", "gave no token in 30 s"), Token("Yes", "gave a token")
MANY = 30


class Engines:
    """Answers every request for a token in the same way, and counts them."""

    def __init__(self, answer: Token) -> None:
        self.answer = answer
        self.asked: list[tuple[int, str]] = []

    async def ask(self, address: str, port: int, model: str) -> Token:
        assert address
        self.asked.append((port, model))
        return self.answer


def still(now: float, seconds: float = 1000.0) -> Reading:
    return Reading(Demand(3, 1, now, 0.5, Work(generation_tokens=5)), moved=now - seconds)


def stand(operator: Operator, of: Callable[[float], Reading] = still) -> list[str]:
    """Every engine of the deployment tells the same for long."""
    pods = [one for one in operator.context.caches.pods.values() if one.component == "engine"]
    for pod in pods:
        operator.context.memory.readings[pod.uid] = of(operator.context.now())
    return [pod.uid for pod in pods]


async def test_who_gives_no_token_is_made_anew() -> None:
    world = World()
    operator = await serving(world)
    (before,) = stand(operator)
    engines = Engines(NO)
    await StuckLoop(operator.context, engines.ask).once()
    assert engines.asked == [(SERVING_PORT, "chat")]
    assert deployment_key("team", "chat") in operator.woken
    await operator.settle()
    (pod,) = world.pods()
    assert pod["metadata"]["uid"] != before
    assert world.condition("Ready")["status"] == "True"


@pytest.mark.parametrize("answer", [YES, Token("Unknown", "HTTP 401")], ids=["token", "unknown"])
async def test_who_gives_a_token_or_says_neither_stays(answer: Token) -> None:
    operator = await serving(World())
    stand(operator)
    engines = Engines(answer)
    loop = StuckLoop(operator.context, engines.ask)
    for _ in range(3):
        await loop.once()
    assert not operator.context.memory.hung
    assert len(engines.asked) == 1  # again in a minute


@pytest.mark.parametrize(
    "reading",
    [
        pytest.param(lambda now: still(now, 0.0), id="it moves"),
        pytest.param(lambda now: still(now, 50.0), id="it stands for a moment"),
        pytest.param(lambda now: replace(still(now), moved=None), id="never read"),
    ],
)
async def test_who_works_is_asked_for_nothing(reading: Callable[[float], Reading]) -> None:
    operator = await serving(World())
    stand(operator, reading)
    engines = Engines(NO)
    await StuckLoop(operator.context, engines.ask).once()
    assert not engines.asked


async def test_one_that_hangs_before_it_has_told_of_its_first_request_is_made_anew() -> None:
    world = World()
    operator = await serving(world)
    idle = Demand(0, 0, cache_usage=0.0, work=Work(generation_tokens=0, answered=0), taken=5)
    (uid,) = stand(operator, lambda now: Reading(replace(idle, at=now), moved=now - 1000.0))
    await StuckLoop(operator.context, Engines(NO).ask).once()
    assert operator.context.memory.hung[uid].held.requests == 5


async def test_who_moves_again_hangs_no_more() -> None:
    operator = await serving(World())
    (uid,) = stand(operator)
    loop = StuckLoop(operator.context, Engines(NO).ask)
    await loop.once()
    assert uid in operator.context.memory.hung
    stand(operator, lambda now: still(now, 0.0))
    operator.woken.clear()
    await loop.once()
    assert not operator.context.memory.hung
    assert deployment_key("team", "chat") in operator.woken


async def test_of_many_that_hang_at_once_few_are_made_anew() -> None:
    """It is ours or the network's fault then."""
    world = World(nodes=MANY // 8 + 1)
    operator = await serving(world, scaling={"minReplicas": MANY, "maxReplicas": MANY})
    assert len(stand(operator)) == MANY
    await StuckLoop(operator.context, Engines(NO).ask).once()
    assert len(operator.context.memory.hung) == MANY // 10


async def test_its_status_says_since_when_it_hangs() -> None:
    world = World()
    operator = await serving(world, scaling={"minReplicas": 2, "maxReplicas": 2})
    stand(operator)
    await StuckLoop(operator.context, Engines(NO).ask).once()
    await operator.round()
    serving_now = world.condition("Serving")
    assert (serving_now["status"], serving_now["reason"]) == ("False", "EngineHung")
    assert "gave no token in 30 s" in serving_now["message"]
