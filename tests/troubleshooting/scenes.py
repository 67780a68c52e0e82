"""Worlds in which something does not work: what the operator says of them, by reason.

Each scene is a state that a person may meet; the whole operator looks at it in virtual time, and
every condition that it writes is kept.
"""

from datetime import timedelta
from typing import Final

from tests.controller.operator import Operator
from tests.controller.test_gates import hold_claim
from tests.controller.test_hindered import QUOTA, TWO, hold_at_its_node, refuse_pods, unplace
from tests.controller.test_platform_change import BAD, bank, change
from tests.controller.test_reconcile import serving
from tests.controller.world import OTHER_DIGEST, World
from tests.troubleshooting.written import WRITTEN, Scene, looked_at

from escadre.clients.kube import (
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    Invalid,
    Resource,
)

__all__ = ["SCENES", "Told", "told_by"]

Told = set[tuple[str, str]]  # reason and message of a condition
_KINDS: Final[tuple[Resource, ...]] = (MODEL_DEPLOYMENTS, MODEL_APPROVALS, MODEL_MIRRORS)


def told_by(world: World) -> Told:
    """What the conditions of a world say now."""
    return {
        (condition["reason"], condition["message"])
        for resource in _KINDS
        for one in world.server.all(resource)
        for condition in (one.get("status") or {}).get("conditions") or []
    }


async def _no_agent() -> World:
    world = World()
    world.approve()
    world.deploy()
    return await looked_at(world, rounds=3)


async def _two_pulls() -> World:
    world = World(nodes=3, gpus=1)
    known = world.server.get(MODEL_MIRRORS, "internal") or {}
    spec = {**known["spec"], "maxConcurrentPulls": 1}
    world.server.put(MODEL_MIRRORS, {**known, "spec": spec})
    world.pulls = False
    world.approve()
    world.approve("large", manifestDigest=OTHER_DIGEST)
    world.deploy()
    world.deploy("code", approval="large", scaling={"minReplicas": 2, "maxReplicas": 2})
    operator = Operator.start(world)
    for _ in range(4):
        world.server.advance(1)  # what is passing is told after a moment
        world.step()
        await operator.round()
    return world


async def _quota() -> World:
    world = World()
    operator = await serving(world, scaling=TWO)
    refuse_pods(world, "chat-1", QUOTA)
    await operator.round()
    return world


async def _unplaced(seconds: float) -> World:
    world = World()
    operator = await serving(world)
    unplace(world)
    await operator.round()
    world.server.advance(seconds)
    await operator.round()
    return world


async def _waits_for_a_node() -> World:
    return await _unplaced(1)


async def _waits_too_long() -> World:
    return await _unplaced(3600)


async def _claim_held() -> World:
    world = World()
    operator = await serving(world)
    await hold_claim(world)
    await operator.round()
    world.server.advance(3600)
    await operator.round()
    return world


async def _node_gone() -> World:
    world = World()
    operator = await serving(world)
    (pod,) = world.pods()
    world.server.remove(NODES, pod["spec"]["nodeName"])
    conditions = [{"type": "Ready", "status": "False"}]
    world.server.put(PODS, {**pod, "status": {**pod["status"], "conditions": conditions}})
    await operator.round()
    return world


async def _node_not_ready() -> World:
    world = World()
    operator = await serving(world)
    (pod,) = world.pods()
    node = world.server.get(NODES, pod["spec"]["nodeName"]) or {}
    since = {"lastTransitionTime": "2026-11-22T06:14:00Z"}
    conditions = [{"type": "Ready", "status": "Unknown", **since}]
    world.server.put(NODES, {**node, "status": {**node["status"], "conditions": conditions}})
    conditions = [{"type": "Ready", "status": "False", **since}]
    world.server.put(PODS, {**pod, "status": {**pod["status"], "conditions": conditions}})
    await operator.round()
    return world


async def _pod_missing() -> World:
    world = World()
    operator = await serving(world)
    for pod in world.pods():
        world.server.remove(PODS, pod["metadata"]["name"], "team")
    await _in_the_end(world, operator)
    return world


async def _not_started() -> World:
    world = World()
    operator = await serving(world)
    hold_at_its_node(world)
    await _in_the_end(world, operator)
    return world


async def _in_the_end(world: World, operator: Operator) -> None:
    for seconds in (1, 3600, 1):
        world.server.advance(seconds)
        await operator.round()


async def _engine_hangs() -> World:
    world = World()
    operator = await serving(world)
    _answers_no_more(world, began=3600, turned=5)
    await operator.round()
    return world


async def _engine_loads() -> World:
    world = World()
    operator = await serving(world)
    _answers_no_more(world, began=5, turned=5, started=False)
    await operator.round()
    return world


def _answers_no_more(world: World, began: int, turned: int, *, started: bool = True) -> None:
    """The pod's engine runs since ``began`` seconds; since ``turned`` seconds it is not ready."""
    (pod,) = world.pods()
    since, at = (world.server.now - timedelta(seconds=each) for each in (began, turned))
    engine = {
        "state": {"running": {"startedAt": since.isoformat()}},
        "started": started,
        "ready": False,
    }
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": at.isoformat()}
    status = {**pod["status"], "conditions": [ready], "containerStatuses": [engine]}
    world.server.status(PODS, pod["metadata"]["name"], "team", status)


async def _engine_ends() -> World:
    world = World()
    operator = await serving(world)
    world.failing.add("chat-0")
    world.step()
    await operator.round()
    return world


async def _many_ask() -> World:
    world = World()
    operator = await serving(world)
    world.demand["chat"] = 1000
    await operator.settle()
    return world


async def _few_ask() -> World:
    world = World()
    operator = await serving(world, scaling={"minReplicas": 1, "maxReplicas": 2})
    world.demand["chat"] = 50
    await operator.settle()
    world.demand["chat"] = 0
    for _ in range(2):
        world.server.advance(2)  # what is passing is told after a moment
        await operator.round()
    return world


async def _name_taken() -> World:
    world = World()
    world.server.put(SERVICES, {"metadata": {"name": "chat", "namespace": "team"}, "spec": {}})
    world.approve()
    world.deploy()
    return await looked_at(world)


async def _refused() -> World:
    world = World()
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    operator.api.refuse(
        "apply",
        "Service",
        lambda: Invalid(method="apply", object="Service team/chat", message="exceeded quota: few"),
    )
    await operator.round()
    await operator.round()
    return world


async def _namespace(seconds: float) -> World:
    world = World()
    operator = await serving(world)
    world.server.remove(NAMESPACES, "team")
    await operator.round()
    world.server.advance(seconds)
    await operator.round()
    return world


async def _namespace_goes() -> World:
    return await _namespace(1)


async def _namespace_stays() -> World:
    return await _namespace(700)


async def _platform_changes() -> World:
    world = await bank()
    operator = change(world, image="f")
    await operator.round()
    await operator.round()
    return world


async def _platform_breaks() -> World:
    world = await bank()
    operator = change(world, BAD)
    for _ in range(8):
        world.server.advance(11)
        world.step()
        await operator.round()
    return world


SCENES: Final[tuple[Scene, ...]] = (
    *WRITTEN,
    _no_agent,
    _two_pulls,
    _quota,
    _waits_for_a_node,
    _waits_too_long,
    _claim_held,
    _node_gone,
    _node_not_ready,
    _pod_missing,
    _not_started,
    _engine_hangs,
    _engine_loads,
    _engine_ends,
    _many_ask,
    _few_ask,
    _name_taken,
    _refused,
    _namespace_goes,
    _namespace_stays,
    _platform_changes,
    _platform_breaks,
)
