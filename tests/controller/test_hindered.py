"""What keeps a replica from running is told from the object that knows, and has an end."""

import asyncio
from typing import Any

import pytest
from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving
from tests.controller.world import World

from escadre.clients.kube import DEPLOYMENTS, EVENTS, NAMESPACES, NODES, PODS
from escadre.controller.keys import deployment_key
from escadre.controller.manager import reconcile
from escadre.state.lines import STARTED_SECONDS, patience_of

QUOTA = (
    'pods "chat-1-7d4b9c-" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, '
    "limited: pods=1"
)
UNSCHEDULED = "0/2 nodes are available: 2 Insufficient cpu."
TWO = {"minReplicas": 2, "maxReplicas": 2}


def refuse_pods(world: World, name: str, message: str) -> None:
    """As the deployment controller hands on what its ReplicaSet was told."""
    (pod,) = (one for one in world.pods() if one["metadata"]["name"].startswith(f"{name}-"))
    world.server.remove(PODS, pod["metadata"]["name"], "team")
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    status = {"conditions": [{**condition, "message": message}]}
    world.server.status(DEPLOYMENTS, name, "team", status)


def unplace(world: World) -> None:
    for pod in world.pods():
        world.server.remove(PODS, pod["metadata"]["name"], "team")
        pod["spec"].pop("nodeName")
        for old in ("uid", "resourceVersion", "creationTimestamp"):
            pod["metadata"].pop(old)
        scheduled = {"type": "PodScheduled", "status": "False", "message": UNSCHEDULED}
        status = {"phase": "Pending", "conditions": [scheduled]}
        world.server.put(PODS, {**pod, "status": status})


async def after(world: World, operator: Operator, seconds: float) -> dict[str, Any]:
    """Ready, when the operator looks again after a time in which nothing else happened."""
    world.server.advance(seconds)
    await operator.round()
    await operator.round()
    return world.condition("Ready")


async def test_a_pod_that_the_api_server_refuses_is_told_in_its_words() -> None:
    world = World()
    operator = await serving(world, scaling=TWO)
    refuse_pods(world, "chat-1", QUOTA)
    ready = await after(world, operator, 1)
    assert (ready["status"], ready["reason"]) == ("False", "PodRefused")
    assert f"chat-1: {QUOTA}" in ready["message"]
    assert world.condition("Stalled")["status"] == "True"
    assert world.condition("Available")["message"].startswith("1 of 2 replicas answer")
    (_, line) = world.mdep()["status"]["replicas"]["items"]
    assert line["message"] == QUOTA


async def test_a_replica_without_a_node_goes_on_until_its_time_is_over() -> None:
    world = World()
    operator = await serving(world)
    unplace(world)
    ready = await after(world, operator, 1)
    assert ready["reason"] == "ReplicasPending"
    assert UNSCHEDULED in ready["message"]
    patience = patience_of(world.settings)
    ready = await after(world, operator, patience - 10)
    assert ready["reason"] == "ReplicasPending"
    ready = await after(world, operator, 10)
    assert ready["reason"] == "Unschedulable"
    assert world.condition("Stalled")["status"] == "True"
    assert UNSCHEDULED in ready["message"]


async def test_it_looks_again_when_that_time_is_over() -> None:
    world = World()
    operator = await serving(world)
    unplace(world)
    await operator.round()
    left = await reconcile(operator.context, deployment_key("team", "chat"))
    assert left is not None
    assert 0 < left <= patience_of(world.settings)


@pytest.mark.parametrize("gone", [False, True], ids=["not ready", "deleted"])
async def test_a_replica_on_a_lost_node_is_told_with_the_node(gone: bool) -> None:
    world = World()
    operator = await serving(world)
    (pod,) = world.pods()
    name = pod["spec"]["nodeName"]
    since = {"lastTransitionTime": "2026-11-22T06:14:00Z"}
    if gone:
        world.server.remove(NODES, name)
    else:
        node = world.server.get(NODES, name)
        assert node is not None
        unknown = {"type": "Ready", "status": "Unknown", **since}
        world.server.put(NODES, {**node, "status": {**node["status"], "conditions": [unknown]}})
    conditions = [{"type": "Ready", "status": "False", **since}]
    engine = pod["status"]["containerStatuses"]  # its own word is the last one the kubelet gave
    status = {**pod["status"], "conditions": conditions, "containerStatuses": engine}
    world.server.put(PODS, {**pod, "status": status})
    ready = await after(world, operator, 1)
    assert (ready["status"], ready["reason"]) == ("False", "NodeLost")
    words = "does not exist any more" if gone else "is not Ready since 2026-11-22T06:14:00Z"
    assert f"chat-0: node {name} {words}" in ready["message"]
    (line,) = world.mdep()["status"]["replicas"]["items"]
    assert line["state"] == "NotResponding"


def bind_now(world: World) -> None:
    """The pods were bound this moment."""
    for pod in world.pods():
        placed = {"lastTransitionTime": world.server.now.isoformat()}
        bound = {"type": "PodScheduled", "status": "True", **placed}
        conditions = [*pod["status"]["conditions"], bound]
        world.server.put(PODS, {**pod, "status": {**pod["status"], "conditions": conditions}})


async def test_a_pod_that_is_called_ready_on_a_deleted_node_serves_no_more() -> None:
    world = World()
    operator = await serving(world, scaling=TWO)
    bind_now(world)
    await operator.round()
    (node, other) = (pod["spec"]["nodeName"] for pod in world.pods())
    assert node != other
    world.server.remove(NODES, node)
    ready = await after(world, operator, 1)
    assert (ready["status"], ready["reason"]) == ("False", "NodeLost")
    assert f"node {node} does not exist any more" in ready["message"]
    assert world.condition("Available")["message"].startswith("1 of 2 replicas answer")
    assert world.mdep()["status"]["replicas"]["summary"] == "1/2"


async def test_a_node_that_the_cache_has_not_seen_yet_is_not_a_deleted_one() -> None:
    world = World()
    await serving(world)
    (pod,) = world.pods()
    bind_now(world)
    world.server.remove(NODES, pod["spec"]["nodeName"])
    another = Operator.start(world)  # that has never seen the node
    await after(world, another, 1)
    assert world.condition("Available")["status"] == "True"
    left = await reconcile(another.context, deployment_key("team", "chat"))
    assert left is not None
    assert 0 < left <= 120, "it looks again when the node ought to be seen"
    ready = await after(world, another, 120)
    assert ready["reason"] == "NodeLost"


async def told(operator: Operator) -> list[str]:
    """The events of Ready, once they are written."""
    writer = asyncio.create_task(operator.context.recorder.run())
    for _ in range(50):
        await asyncio.sleep(0)
    writer.cancel()
    events = operator.world.server.all(EVENTS)
    said = [one["message"] for one in events if one["message"].startswith("Ready=")]
    return [one.partition(":")[0] for one in said]


async def test_an_engine_that_ends_and_is_back_at_once_is_seen_both_times() -> None:
    world = World()
    operator = await serving(world)
    before = await told(operator)
    assert before.count("Ready=True") == 1
    world.failing.add("chat-0")
    world.step()
    await operator.round()
    assert world.condition("Ready")["reason"] == "EngineFailing"
    await told(operator)
    world.failing.clear()
    world.step()
    await operator.round()
    assert world.condition("Ready")["status"] == "True"
    now = await told(operator)
    assert len(now) == len(before) + 2
    assert now.count("Ready=True") == 2


async def test_a_namespace_that_does_not_go_is_told_after_a_while() -> None:
    world = World()
    operator = await serving(world)
    world.server.remove(NAMESPACES, "team")
    ready = await after(world, operator, 1)
    assert (ready["reason"], world.condition("Reconciling")["status"]) == (
        "NamespaceTerminating",
        "True",
    )
    ready = await after(world, operator, 600)
    assert (ready["reason"], world.condition("Stalled")["status"]) == ("NamespaceStuck", "True")
    assert "namespace team is being deleted since 20" in ready["message"]


async def test_a_pod_that_nobody_makes_and_nobody_refuses_is_told_in_the_end() -> None:
    world = World()
    operator = await serving(world)
    (pod,) = world.pods()
    world.server.remove(PODS, pod["metadata"]["name"], "team")  # no controller makes it again
    ready = await after(world, operator, 1)
    assert ready["reason"] == "ReplicasPending"
    left = await reconcile(operator.context, deployment_key("team", "chat"))
    patience = patience_of(world.settings)
    assert left is not None
    assert 0 < left <= patience
    ready = await after(world, operator, patience - 10)
    assert ready["reason"] == "ReplicasPending"
    ready = await after(world, operator, 20)
    assert ready["reason"] == "PodMissing"
    assert "nobody makes the pod of Deployment chat-0" in ready["message"]
    assert world.condition("Stalled")["status"] == "True"


def hold_at_its_node(world: World) -> None:
    """The kubelet does not get as far as to start the container: a mount, a device, an image."""
    (pod,) = world.pods()
    waiting = {"name": "engine", "ready": False, "restartCount": 0}
    states = [{**waiting, "state": {"waiting": {"reason": "ContainerCreating"}}, "lastState": {}}]
    at = world.server.now.isoformat().replace("+00:00", "Z")
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": at},
        {"type": "Ready", "status": "False", "lastTransitionTime": at},
    ]
    status = {"phase": "Pending", "conditions": conditions, "containerStatuses": states}
    world.server.put(PODS, {**pod, "status": status})


async def test_an_engine_that_its_node_does_not_start_is_told_in_the_end() -> None:
    world = World()
    operator = await serving(world)
    hold_at_its_node(world)
    ready = await after(world, operator, 1)
    assert ready["reason"] == "Loading"
    left = await reconcile(operator.context, deployment_key("team", "chat"))
    assert left is not None
    assert 0 < left <= STARTED_SECONDS
    ready = await after(world, operator, STARTED_SECONDS - 10)
    assert ready["reason"] == "Loading"
    ready = await after(world, operator, 20)
    assert ready["reason"] == "EngineFailing"
    node = world.pods()[0]["spec"]["nodeName"]
    assert f"replica chat-0 is not started by its node {node} since 2026-" in ready["message"]
    assert ": ContainerCreating; kubectl describe pod" in ready["message"]
    (line,) = world.mdep()["status"]["replicas"]["items"]
    assert line["state"] == "Failing"
