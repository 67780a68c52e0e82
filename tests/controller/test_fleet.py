"""controller/fleet.py: at rest nothing is made or planned, and what asks for a plan gets one."""

import asyncio
import threading
from collections.abc import Iterable

import pytest
from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving
from tests.controller.world import World

from escadre import reasons
from escadre.clients.kube import GPU_NODES, MODEL_DEPLOYMENTS, PODS
from escadre.controller import fleet
from escadre.controller.keys import FLEET, deployment_key, mirror_key, node_key
from escadre.controller.manager import reconcile
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.fleet.belief import AGENT_GRACE_SECONDS
from escadre.core.fleet.plan import Remembered, replan

CHAT = deployment_key("team", "chat")


def identities(objects: Iterable[object]) -> list[int]:
    return [id(one) for one in objects]


async def look(operator: Operator) -> None:
    for informer in operator.context.caches.all():
        await informer.refresh()


async def test_at_rest_no_fact_is_made_anew_and_nothing_is_planned() -> None:
    world = World()
    operator = await serving(world)
    await look(operator)
    await reconcile(operator.context, FLEET)
    plan, before = operator.context.memory.plan, operator.context.sight().snapshot()
    world.server.advance(600)
    operator.woken.clear()
    await reconcile(operator.context, FLEET)
    after = operator.context.sight().snapshot()
    assert identities(after.deployments) == identities(before.deployments)
    assert identities(after.nodes) == identities(before.nodes)
    assert operator.context.memory.plan is plan
    assert operator.woken == set()


async def test_a_large_plan_is_made_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    operator = await serving(world)
    world.deploy("other")
    await look(operator)
    had_a_turn = threading.Event()

    def plan(snapshot: FleetSnapshot, last: Remembered | None) -> Remembered:
        assert had_a_turn.wait(20), "the loop stood while it planned"
        return replan(snapshot, last)

    monkeypatch.setattr(fleet, "replan", plan)
    monkeypatch.setattr(fleet, "_LARGE", 1)
    asyncio.get_running_loop().call_later(0.01, had_a_turn.set)
    operator.woken.clear()
    await reconcile(operator.context, FLEET)
    assert deployment_key("team", "other") in operator.woken


async def test_one_deployment_more_leaves_the_plans_of_others_as_they_are() -> None:
    world = World()
    operator = await serving(world)
    before = operator.context.memory.plan
    assert before is not None
    world.deploy("other")
    await look(operator)
    operator.woken.clear()
    await reconcile(operator.context, FLEET)
    after = operator.context.memory.plan
    assert after is not None
    assert after.deployments.keys() - before.deployments.keys() == {DeploymentKey("team", "other")}
    assert CHAT not in operator.woken
    seen = operator.context.sight().snapshot()
    assert after == replan(seen, None).plan


async def test_a_deployment_asks_for_a_plan_and_is_woken_by_it_though_it_asks_for_the_same() -> (
    None
):
    world = World()
    operator = await serving(world)
    live = world.mdep()
    world.server.remove(MODEL_DEPLOYMENTS, "chat", "team")
    live["metadata"] = {"name": "chat", "namespace": "team"}
    world.server.put(MODEL_DEPLOYMENTS, live)  # of the same wish, and another uid
    await look(operator)
    operator.woken.clear()
    await reconcile(operator.context, CHAT)
    assert operator.woken == {FLEET}
    await reconcile(operator.context, FLEET)
    assert CHAT in operator.woken


async def test_the_numbers_of_a_pull_reach_the_status_without_a_plan() -> None:
    world = World()
    world.pulls = False
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    plan = operator.context.memory.plan
    (told,) = world.mdep()["status"]["weights"]
    assert told["state"] == "Pulling"
    gpunode = world.server.get(GPU_NODES, told["node"])
    assert gpunode is not None
    gpunode["status"]["weights"][0] |= {"bytesDone": 7, "etaSeconds": 5}
    world.server.put(GPU_NODES, gpunode)
    world.server.advance(31)  # mere numbers wait so long
    await look(operator)
    await reconcile(operator.context, FLEET)
    again = await reconcile(operator.context, CHAT)
    (told,) = world.mdep()["status"]["weights"]
    assert (told["bytesDone"], told["etaSeconds"]) == (7, 5)
    assert operator.context.memory.plan is plan
    assert again == operator.context.settings.operator.status_interval_seconds


async def test_an_agent_that_stays_away_asks_for_a_plan_when_its_grace_is_over() -> None:
    world = World()
    operator = await serving(world)
    world.server.remove(PODS, "agent-gpu-0", "escadre-system")
    await look(operator)
    operator.woken.clear()
    again = await reconcile(operator.context, node_key("gpu-0"))
    assert (again, operator.woken) == (AGENT_GRACE_SECONDS, {mirror_key("internal")})
    world.server.advance(AGENT_GRACE_SECONDS)
    await reconcile(operator.context, node_key("gpu-0"))
    assert operator.woken == {FLEET, mirror_key("internal")}
    await reconcile(operator.context, FLEET)
    plan = operator.context.memory.plan_of(DeploymentKey("team", "chat"))
    assert plan is not None
    assert [one.reason for one in plan.weights if one.node == "gpu-0"] == [reasons.AGENT_NOT_READY]


async def test_a_gpu_that_dies_is_an_event_once_and_one_when_it_is_well_again() -> None:
    world = World()
    operator = await serving(world)

    async def told(status: str, reason: str) -> list[str]:
        gpunode = world.server.get(GPU_NODES, "gpu-0")
        assert gpunode is not None
        gpunode["status"]["conditions"] = [
            {
                "type": "InventoryReady",
                "status": status,
                "reason": reason,
                "message": "GPU 3 (GPU-3): is lost" if status == "False" else "",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ]
        world.server.put(GPU_NODES, gpunode)
        await look(operator)
        for _ in range(2):
            await reconcile(operator.context, node_key("gpu-0"))
        entries = operator.context.recorder._entries
        return [reason for about, reason, _ in entries if about.kind == "GPUNode"]

    assert await told("True", "InventoryReady") == []
    assert await told("False", "GPUUnhealthy") == ["GPUUnhealthy"]
    assert await told("True", "InventoryReady") == ["GPUUnhealthy", "InventoryReady"]
