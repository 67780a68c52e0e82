"""How long a planning pass is waited for: a burst is one, a single change need not wait."""

import asyncio
from dataclasses import replace

import pytest
from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving, workloads
from tests.controller.world import World

from escadre.clients.kube import DEPLOYMENTS, PODS
from escadre.controller.deployment import reconcile_deployment
from escadre.controller.fleet import reconcile_fleet
from escadre.controller.keys import (
    FLEET,
    FLEET_DEBOUNCE,
    Key,
    approval_key,
    deployment_key,
    node_key,
)
from escadre.controller.router import Router
from escadre.machinery.queue import Priority, WorkQueue

CHAT = deployment_key("team", "chat")


async def asked(op: Operator, key: Key = CHAT) -> list[float]:
    """For which delays a pass over a deployment asks for a plan, after all was listed anew."""
    for informer in op.context.caches.all():
        await informer.refresh()
    waits: list[float] = []
    context = replace(
        op.context, wake=lambda one, delay, _: waits.append(delay) if one == FLEET else None
    )
    await reconcile_deployment(context, key)
    return waits


async def test_a_replica_that_is_gone_is_made_again_without_a_plan() -> None:
    world = World()
    op = await serving(world)
    node = workloads(world)["chat-0"]["spec"]["template"]["spec"]["affinity"]
    world.server.remove(DEPLOYMENTS, "chat-0", "team")
    assert await asked(op) == []
    assert workloads(world)["chat-0"]["spec"]["template"]["spec"]["affinity"] == node


async def test_an_edit_is_planned_at_once() -> None:
    world = World()
    op = await serving(world)
    world.server.advance(1)
    world.deploy(concurrency=8)
    assert await asked(op) == [0.0]


async def test_a_pod_that_is_lost_waits_for_those_lost_with_it() -> None:
    """The GPUs that are left go to the oldest of them, not to whose pod is collected first."""
    world = World()
    op = await serving(world)
    world.server.advance(1)
    (pod,) = world.pods()
    world.server.remove(PODS, pod["metadata"]["name"], "team")
    assert await asked(op) == [FLEET_DEBOUNCE]


async def test_an_edit_right_after_the_plan_of_another_waits() -> None:
    world = World()
    op = await serving(world)
    world.server.advance(1)
    world.deploy(concurrency=8)
    assert await asked(op) == [0.0]
    await reconcile_fleet(op.context)
    op.context.memory.planning = 7.0
    world.deploy(concurrency=4)
    assert await asked(op) == [pytest.approx(FLEET_DEBOUNCE)]


@pytest.mark.parametrize(("took", "left"), [(7.0, FLEET_DEBOUNCE - 0.03), (0.04, 0.01), (0.02, 0)])
async def test_right_after_a_plan_the_next_one_waits_as_long_as_that_took(
    took: float, left: float
) -> None:
    world = World()
    op = await serving(world)
    op.context.memory.planned = world.time() - 0.03
    op.context.memory.planning = took
    world.deploy(concurrency=8)
    assert await asked(op) == [pytest.approx(left, abs=1e-6)]


async def test_a_clock_that_was_set_back_makes_it_wait_no_longer() -> None:
    world = World()
    op = await serving(world)
    op.context.memory.planned = world.time() + 3600
    op.context.memory.planning = 7.0
    world.deploy(concurrency=8)
    assert await asked(op) == [FLEET_DEBOUNCE]


async def test_one_that_no_plan_knows_waits_for_what_comes_with_it() -> None:
    """Its approval may be the next object of the same apply."""
    world = World()
    op = Operator.start(world)
    world.deploy()
    assert await asked(op) == [FLEET_DEBOUNCE]


async def test_planning_that_takes_long_leaves_time_for_the_rest() -> None:
    """Nineteen times as long as it took; an edit waits no longer for that."""
    world = World()
    op = await serving(world)
    memory = op.context.memory
    world.server.advance(1)
    memory.planned, memory.planning = world.time() - 1.0, 0.1
    waits: list[float] = []
    context = replace(op.context, wake=lambda _, delay, __: waits.append(delay))
    context.replan()
    Router(op.context.caches, context.sight, lambda _, delay, __: waits.append(delay)).fleet()
    assert waits == [pytest.approx(19 * 0.1 - 1.0)] * 2
    world.deploy(concurrency=8)
    assert await asked(op) == [0.0]


async def test_planning_that_takes_very_long_waits_no_longer_than_five_seconds() -> None:
    world = World()
    memory = (await serving(world)).context.memory
    memory.planned, memory.planning = world.time() + 3600, 60.0
    assert memory.rest(world.time()) == 5.0


async def test_a_clock_that_was_set_back_lets_planning_rest_no_longer() -> None:
    world = World()
    memory = (await serving(world)).context.memory
    memory.planned, memory.planning = world.time() + 3600, 0.1
    assert memory.rest(world.time()) == pytest.approx(1.9)


async def test_after_a_planning_pass_what_was_begun_and_edited_is_as_urgent_as_before() -> None:
    """A pass that found no plan to stand told nothing; those not begun would go before it."""
    world = World()
    op = Operator.start(world)
    world.deploy("begun")
    world.deploy("edited")
    await op.round()
    world.deploy("edited", concurrency=8)
    world.deploy("begun", scaling={"minReplicas": 2})
    world.deploy("new")
    for informer in op.context.caches.all():
        await informer.refresh()
    begun = op.context.caches.deployments.get("begun", "team")
    assert begun is not None
    op.context.memory.unsaid[begun.uid] = world.time()
    woken: dict[str, Priority] = {}
    context = replace(op.context, wake=lambda key, _, priority: woken.update({key.name: priority}))
    await reconcile_fleet(context)
    assert {name: woken[name] for name in ("begun", "edited", "new")} == {
        "begun": Priority.BEGUN,
        "edited": Priority.USER,
        "new": Priority.NORMAL,
    }


async def test_a_planning_pass_waits_for_no_node_that_the_last_one_woke() -> None:
    """Each is a turn; the deployments that wait for the plan would wait for all of them."""
    queue: WorkQueue[Key] = WorkQueue(group_of=lambda key: key.group)
    for number in range(3):
        queue.add(node_key(f"gpu-{number}"))
        queue.add(deployment_key("team", f"chat-{number}"))
    world = World()
    op = Operator.start(world)
    replace(op.context, wake=lambda key, _, priority: queue.add(key, priority)).replan()
    assert await queue.get() == FLEET


def test_keys_of_a_kind_and_namespace_take_turns_with_others() -> None:
    keys = (FLEET, node_key("gpu-0"), approval_key("small"), CHAT, deployment_key("other", "chat"))
    assert len({key.group for key in keys}) == len(keys)
    assert node_key("gpu-0").group == node_key("gpu-1").group


async def test_a_planning_pass_notes_how_long_it_took() -> None:
    """Its own parts, not what others did between them."""
    world = World()
    op = await serving(world)
    world.deploy(concurrency=8)
    for informer in op.context.caches.all():
        await informer.refresh()
    time = 1000.0

    def now() -> float:
        nonlocal time
        time += 0.25
        return time

    async def others() -> None:
        nonlocal time
        while True:
            time += 100
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await reconcile_fleet(replace(op.context, now=now))
    task.cancel()
    assert time > 1200  # they had a turn before planning, and one after it
    assert (op.context.memory.planned, op.context.memory.planning) == (time, 1.25)
