"""What is written about a deployment on its way to Ready, and when: no step in passing, no late."""

import asyncio
from functools import partial

from tests.controller.living import Living, living
from tests.controller.others import Json
from tests.controller.world import World
from tests.fakes.virtualtime import in_virtual_time

from escadre.clients.kube import PODS

IN_PASSING = 0.1  # seconds from one step of the other controllers to the next
IN_STEPS = 5.0
NEVER = 1e6


def _world() -> World:
    """The weights are there: another deployment had them pulled."""
    world = World()
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
