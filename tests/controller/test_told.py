"""What is written about a deployment on its way to Ready, and when: no step in passing, no late."""

import asyncio
from dataclasses import replace
from functools import partial

from tests.controller.living import Living, living
from tests.controller.others import Json
from tests.controller.test_reconcile import serving
from tests.controller.world import World
from tests.fakes.virtualtime import in_virtual_time

from escadre import reasons
from escadre.clients.kube import DEPLOYMENTS, PODS
from escadre.controller.keys import FLEET, Begun, deployment_key
from escadre.controller.manager import reconcile
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.status.moments import MOMENT_SECONDS
from escadre.machinery.queue import Priority
from escadre.reasons.said import say

IN_PASSING = 0.1  # seconds from one step of the other controllers to the next
IN_STEPS = 5.0
NEVER = 1e6


def _world(gpus: int = 8) -> World:
    """The weights are there: another deployment had them pulled."""
    world = World(nodes=1, gpus=gpus)
    world.approve()
    world.deploy("first")
    for _ in range(2):
        world.step()
    return world


def _ready(world: World, name: str, status: str = "True") -> bool:
    return bool(world.condition("Ready", name).get("status") == status)


async def _serving(life: Living, name: str) -> None:
    await life.until(lambda: _ready(life.world, name), 300)


def _turn(world: World, deployment: str, status: str) -> None:
    """Its pod turns ready, or not."""
    (pod,) = [one for one in world.pods() if one["metadata"]["name"].startswith(deployment)]
    conditions: list[Json] = [{"type": "Ready", "status": status}]
    world.server.put(PODS, {**pod, "status": {**pod["status"], "conditions": conditions}})


async def _waits(life: Living, names: list[str]) -> list[float]:
    """For how many seconds each has had its last child, and no status yet."""
    made: dict[str, float] = {}
    told: dict[str, float] = {}
    now = asyncio.get_running_loop().time
    while len(told) < len(names):
        await asyncio.sleep(0.1)
        for name in names:
            if name not in made and life.world.server.get(DEPLOYMENTS, f"{name}-0", "team"):
                made[name] = now()
            if name not in told and life.told(name):
                told[name] = now()
    return [told[name] - made[name] for name in names]


@in_virtual_time
async def test_steps_in_passing_are_neither_written_nor_told() -> None:
    world = _world()
    async with living(world, pace=IN_PASSING) as life:
        await _serving(life, "first")
        world.deploy("chat")
        await _serving(life, "chat")
        await asyncio.sleep(60)
        assert life.reasons("chat") == ["Ready"]
        assert life.reasons("chat", "Scaling") == ["AtTarget"]
        assert life.events("chat") == ["Normal Ready"]


@in_virtual_time
async def test_each_step_that_lasts_is_written() -> None:
    world = _world()
    async with living(world, pace=IN_PASSING) as life:
        await _serving(life, "first")
    async with living(world, pace=IN_STEPS) as life:
        world.deploy("chat")
        await _serving(life, "chat")
        await asyncio.sleep(60)
        reasons = list(dict.fromkeys(life.reasons("chat")))
        assert reasons == ["ReplicasPending", "Loading", "Ready"]
        assert life.reasons("chat").count("Ready") == 1
        assert life.events("chat") == ["Normal Ready"]


@in_virtual_time
async def test_the_first_status_comes_within_two_seconds_of_the_first_child() -> None:
    world = _world()
    async with living(world, pace=IN_PASSING) as life:
        await _serving(life, "first")
    async with living(world, pace=NEVER) as life:
        world.deploy("chat")
        await life.until(lambda: bool(life.told("chat")), within=2)
        assert life.reasons("chat") == ["ReplicasPending"]


@in_virtual_time
async def test_a_status_does_not_wait_until_all_others_have_their_children() -> None:
    world = _world(gpus=64)
    names = [f"chat-{number:02}" for number in range(40)]
    last = DeploymentKey("team", names[-1])
    async with living(world, pace=IN_PASSING) as life:
        await _serving(life, "first")
    async with living(world, pace=NEVER, latency=0.1) as life:
        for name in names:
            world.deploy(name)
        await life.until(lambda: life.context.memory.plan_of(last) is not None)
        for name in names:  # somebody waits for each of them
            life.queue.add(deployment_key("team", name), Priority.USER)
        assert max(await _waits(life, names)) <= 2


@in_virtual_time
async def test_a_status_waits_for_no_other_pass_to_end() -> None:
    world = _world(gpus=64)
    names = [f"chat-{number:02}" for number in range(24)]
    async with living(world, pace=IN_PASSING) as life:
        await _serving(life, "first")
    for name in names:
        world.deploy(name)
    # A busy server: a pass that makes six children takes 1.8 s.
    async with living(world, pace=NEVER, latency=0.3) as life:
        told = await _waits(life, names)
        assert len(told) == len(names)
        assert max(told) <= MOMENT_SECONDS + 3 * 0.3 + 0.1


@in_virtual_time
async def test_an_edit_is_answered_at_once() -> None:
    world = _world()
    async with living(world, pace=IN_PASSING) as life:
        await _serving(life, "first")
    async with living(world, pace=NEVER) as life:
        world.deploy("first", scaling={"minReplicas": 2, "maxReplicas": 2})
        generation = world.mdep("first")["metadata"]["generation"]
        await life.until(
            lambda: world.mdep("first")["status"]["observedGeneration"] == generation, within=0.5
        )


@in_virtual_time
async def test_an_outage_and_its_end_are_written_and_told_at_once() -> None:
    world = _world()
    async with living(world, pace=IN_PASSING) as life:
        await _serving(life, "first")
    async with living(world, pace=NEVER) as life:
        for status, said in (("False", "Warning Loading"), ("True", "Normal Ready")):
            before = life.events("first").count(said)
            _turn(world, "first", status)
            await life.until(partial(_ready, world, "first", status), within=0.3)
            await asyncio.sleep(0)
            assert life.events("first").count(said) == before + 1


async def test_news_in_passing_of_one_that_serves_go_before_no_edit() -> None:
    """Hundreds of them at a time, as after the first readings, would go before it."""
    world = World()
    operator = await serving(world)
    memory, uid = operator.context.memory, world.mdep()["metadata"]["uid"]
    scaled = memory.scaled[uid]
    assert scaled.decision is not None
    other = replace(scaled.decision, reason=reasons.DEMAND_UP, message=say("other words"))
    memory.scaled[uid] = replace(scaled, decision=other)
    key = deployment_key("team", "chat")
    left = await reconcile(operator.context, key)
    assert (left, type(left)) == (MOMENT_SECONDS, float)
    world.deploy("new")
    await operator.context.caches.deployments.refresh()
    await reconcile(operator.context, FLEET)
    begun = await reconcile(operator.context, deployment_key("team", "new"))
    assert (begun, type(begun)) == (MOMENT_SECONDS, Begun)
