"""Which change wakes which keys; and that a heartbeat wakes nobody."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.controller.operator import Operator
from tests.controller.test_claims import claim_gpus
from tests.controller.world import World

from escadre.clients.kube import (
    DEPLOYMENTS,
    GPU_NODES,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUMES,
    PODS,
    RESOURCE_CLAIMS,
    SERVICES,
)
from escadre.controller.keys import FLEET, Key, approval_key, deployment_key, node_key
from escadre.controller.router import Router
from escadre.core.status.moments import MOMENT_SECONDS
from escadre.machinery.queue import Priority
from escadre.state.memory import Written

CHAT = deployment_key("team", "chat")


class Listener:
    """A world that serves, and the keys that were woken since ``quiet``."""

    def __init__(self, operator: Operator) -> None:
        self.world = operator.world
        self.operator = operator
        self.keys: dict[Key, tuple[float, Priority]] = {}
        context = operator.context
        self.router = Router(context.caches, context.sight, self._add)
        self.router.wire()

    def _add(self, key: Key, delay: float, priority: Priority) -> None:
        self.keys[key] = (delay, priority)

    async def after(self, change: Callable[[], Any]) -> dict[Key, tuple[float, Priority]]:
        await self.look()
        self.keys.clear()
        change()
        await self.look()
        return dict(self.keys)

    async def look(self) -> None:
        for informer in self.operator.context.caches.all():
            await informer.refresh()


@pytest.fixture
async def listener() -> Listener:
    world = World()
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    return Listener(operator)


async def test_an_edit_of_a_user_comes_first(listener: Listener) -> None:
    keys = await listener.after(lambda: listener.world.deploy(contextLength=8192))
    assert keys[CHAT] == (0.0, Priority.USER)
    assert FLEET in keys


async def test_a_signature_wakes_its_approval_and_the_deployments_that_use_it(
    listener: Listener,
) -> None:
    keys = await listener.after(lambda: listener.world.sign("small", "carla", "Revoke"))
    assert {approval_key("small"), CHAT, FLEET} <= set(keys)


async def test_an_approval_that_goes_wakes_the_deployments_that_use_it(listener: Listener) -> None:
    keys = await listener.after(lambda: listener.world.server.remove(MODEL_APPROVALS, "small"))
    assert {approval_key("small"), CHAT, FLEET} <= set(keys)


async def test_a_heartbeat_of_a_node_wakes_nobody(listener: Listener) -> None:
    def beat() -> None:
        node = listener.world.server.get(NODES, "gpu-0")
        assert node is not None
        node["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-01-02T00:00:00Z"
        listener.world.server.put(NODES, node)

    assert await listener.after(beat) == {}


async def test_a_cordon_wakes_the_node_and_the_plan(listener: Listener) -> None:
    def cordon() -> None:
        node = listener.world.server.get(NODES, "gpu-0")
        assert node is not None
        node["spec"] = {"unschedulable": True}
        listener.world.server.put(NODES, node)

    assert set(await listener.after(cordon)) == {node_key("gpu-0"), FLEET}


async def test_a_node_that_is_deleted_wakes_the_deployments_with_pods_there(
    listener: Listener,
) -> None:
    (pod,) = listener.world.pods()
    node = pod["spec"]["nodeName"]
    keys = await listener.after(lambda: listener.world.server.remove(NODES, node))
    assert {node_key(node), CHAT, FLEET} <= set(keys)


async def test_and_so_does_one_that_is_there_again(listener: Listener) -> None:
    (pod,) = listener.world.pods()
    node = listener.world.server.get(NODES, pod["spec"]["nodeName"])
    assert node is not None
    listener.world.server.remove(NODES, node["metadata"]["name"])
    await listener.look()
    for given in ("uid", "resourceVersion", "creationTimestamp"):
        node["metadata"].pop(given)
    keys = await listener.after(lambda: listener.world.server.put(NODES, node))
    assert {node_key(node["metadata"]["name"]), CHAT, FLEET} <= set(keys)


async def test_mere_progress_of_a_pull_asks_for_no_plan(listener: Listener) -> None:
    name = next(
        one["metadata"]["name"]
        for one in listener.world.server.all(GPU_NODES)
        if one["status"]["weights"]
    )

    def progress() -> None:
        gpunode = listener.world.server.get(GPU_NODES, name)
        assert gpunode is not None
        gpunode["status"]["weights"][0]["bytesPerSecond"] = 7
        listener.world.server.put(GPU_NODES, gpunode)

    assert set(await listener.after(progress)) == {node_key(name)}


async def test_a_deleted_child_wakes_its_deployment_only(listener: Listener) -> None:
    keys = await listener.after(lambda: listener.world.server.remove(SERVICES, "chat", "team"))
    assert set(keys) == {CHAT}


async def test_a_status_of_a_child_wakes_nobody(listener: Listener) -> None:
    def counted() -> None:
        workload = listener.world.server.get(DEPLOYMENTS, "chat-0", "team")
        assert workload is not None
        workload["status"] = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1}
        listener.world.server.put(DEPLOYMENTS, workload)

    assert await listener.after(counted) == {}


@pytest.mark.parametrize(("node", "replanned"), [("gpu-0", False), ("gpu-1", True)])
async def test_a_pod_bound_elsewhere_than_planned_asks_for_a_plan(
    listener: Listener, node: str, replanned: bool
) -> None:
    (pod,) = [one for one in listener.world.pods() if one["metadata"]["name"].startswith("chat")]
    placed = {**pod, "spec": {**pod["spec"], "nodeName": node}}
    waiting = {**pod, "spec": {k: v for k, v in pod["spec"].items() if k != "nodeName"}}
    listener.world.server.put(PODS, waiting)
    keys = await listener.after(lambda: listener.world.server.put(PODS, placed))
    assert CHAT in keys
    assert (FLEET in keys) == replanned


async def test_a_lost_pod_wakes_its_deployment_and_the_plan(listener: Listener) -> None:
    (pod,) = listener.world.pods()
    keys = await listener.after(
        lambda: listener.world.server.remove(PODS, pod["metadata"]["name"], "team")
    )
    assert set(keys) == {CHAT, FLEET}


async def test_a_claim_wakes_the_plan_only_where_the_gpus_it_holds_change(
    listener: Listener,
) -> None:
    world = listener.world
    assert not await listener.after(lambda: claim_gpus(world, "gpu-0"))
    assert FLEET in await listener.after(lambda: claim_gpus(world, "gpu-0", "gpu-3"))
    assert FLEET in await listener.after(lambda: claim_gpus(world, "gpu-1", "gpu-3"))
    # The plan was made without it.
    assert not await listener.after(lambda: world.server.remove(RESOURCE_CLAIMS, "train", "lab"))


async def test_a_foreign_pod_with_gpus_wakes_the_plan(listener: Listener) -> None:
    limits = {"limits": {"nvidia.com/gpu": "2"}}
    pod = {
        "metadata": {"name": "training", "namespace": "team"},
        "spec": {"nodeName": "gpu-0", "containers": [{"name": "x", "resources": limits}]},
    }
    assert set(await listener.after(lambda: listener.world.server.put(PODS, pod))) == {FLEET}


async def test_a_namespace_that_goes_wakes_its_deployments(listener: Listener) -> None:
    keys = await listener.after(lambda: listener.world.server.terminate_namespace("team"))
    assert CHAT in keys
    assert listener.world.server.get(NAMESPACES, "team") is not None


async def test_a_volume_wakes_the_owner_it_names_even_when_that_is_gone(
    listener: Listener,
) -> None:
    listener.world.server.remove(MODEL_DEPLOYMENTS, "chat", "team")
    (volume,) = listener.world.server.all(PERSISTENT_VOLUMES)
    volume["metadata"]["labels"]["note"] = "x"
    keys = await listener.after(lambda: listener.world.server.put(PERSISTENT_VOLUMES, volume))
    assert CHAT in keys


async def test_a_new_leader_looks_at_everything_at_low_priority(listener: Listener) -> None:
    await listener.look()
    listener.keys.clear()
    listener.router.everything()
    assert {CHAT, approval_key("small"), node_key("gpu-0"), FLEET} <= set(listener.keys)
    assert listener.keys[approval_key("small")][1] is Priority.RESYNC


async def test_a_child_that_goes_is_looked_at_at_once_and_one_that_is_another_a_moment_later(
    listener: Listener,
) -> None:
    server = listener.world.server
    service = server.get(SERVICES, "chat", "team")
    assert service is not None
    keys = await listener.after(lambda: server.remove(SERVICES, "chat", "team"))
    assert keys[CHAT][0] == 0.0
    keys = await listener.after(lambda: server.put(SERVICES, service))
    assert keys[CHAT][0] > MOMENT_SECONDS  # who made it looks again by itself
    edited = {**service, "spec": {**service["spec"], "type": "NodePort"}}
    keys = await listener.after(lambda: server.put(SERVICES, edited))
    assert keys[CHAT][0] == MOMENT_SECONDS


@pytest.mark.parametrize(
    ("before", "after", "waits"),
    [
        pytest.param({"phase": "Pending"}, {"phase": "Running"}, True, id="it begins"),
        pytest.param({"phase": "Running"}, {"ready": True}, False, id="ready"),
        pytest.param({"ready": True}, {"phase": "Running"}, False, id="ready no more"),
        pytest.param({"phase": "Running"}, {"failing": True}, False, id="it fails"),
    ],
)
async def test_a_pod_on_its_way_is_looked_at_a_moment_later_than_one_that_turns(
    listener: Listener, before: dict[str, Any], after: dict[str, Any], waits: bool
) -> None:
    (pod,) = listener.world.pods()

    def status(ready: bool = False, failing: bool = False, phase: str = "Running") -> Any:
        ended = {"terminated": {"exitCode": 1, "message": "too long"}} if failing else {}
        return {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "engine", "ready": ready, "lastState": ended}],
        }

    listener.world.server.put(PODS, {**pod, "status": status(**before)})
    keys = await listener.after(
        lambda: listener.world.server.put(PODS, {**pod, "status": status(**after)})
    )
    assert keys[CHAT][0] == (MOMENT_SECONDS if waits else 0.0)


@pytest.mark.parametrize("ours", [True, False])
async def test_a_status_that_somebody_else_wrote_is_looked_at_and_not_our_own(
    listener: Listener, ours: bool
) -> None:
    memory, world = listener.operator.context.memory, listener.world

    def write() -> None:
        live = world.mdep()
        world.server.put(MODEL_DEPLOYMENTS, {**live, "status": {"observedGeneration": 9}})
        if ours:
            meta = world.mdep()["metadata"]
            memory.status_written[meta["uid"]] = Written(0, None, meta["resourceVersion"])

    keys = await listener.after(write)
    assert keys == ({} if ours else {CHAT: (0.0, Priority.RESYNC)})


async def test_a_child_that_went_with_its_deployment_wakes_nobody(listener: Listener) -> None:
    server = listener.world.server
    await listener.after(lambda: server.remove(MODEL_DEPLOYMENTS, "chat", "team"))
    assert await listener.after(lambda: server.remove(SERVICES, "chat", "team")) == {}
