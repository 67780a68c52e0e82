"""Which replica goes when fewer are wanted and all are as idle: the one that helps most."""

from tests.controller.operator import Operator
from tests.controller.test_reconcile import Json, serving, workloads
from tests.controller.world import World

from escadre.clients.kube import NODES, PODS

ONE: Json = {"minReplicas": 1, "maxReplicas": 1}
TWO: Json = {"minReplicas": 2, "maxReplicas": 2}


def node_of(world: World, name: str) -> str:
    """Where a replica's pod is."""
    (node,) = (
        one["spec"]["nodeName"]
        for one in world.pods()
        if one["metadata"]["name"].startswith(f"{name}-")
    )
    return str(node)


async def scale_down(world: World, operator: Operator) -> set[str]:
    """Who is left of chat."""
    world.deploy(scaling=ONE)
    await operator.settle()
    return {name for name in workloads(world) if name.startswith("chat-")}


async def test_the_last_one_goes_where_nothing_speaks_for_another() -> None:
    world = World()
    operator = await serving(world, scaling=TWO)
    assert await scale_down(world, operator) == {"chat-0"}


async def test_one_on_a_cordoned_node_goes_first() -> None:
    world = World()
    operator = await serving(world, scaling=TWO)
    node = world.server.get(NODES, node_of(world, "chat-0"))
    assert node is not None
    node["spec"] = {"unschedulable": True}
    world.server.put(NODES, node)
    await operator.settle()
    assert await scale_down(world, operator) == {"chat-1"}


async def test_one_goes_where_it_makes_room_for_a_larger_one_that_waits() -> None:
    world = World(gpus=2)
    operator = await serving(world, scaling=TWO)
    busy = node_of(world, "chat-1")
    assert busy != node_of(world, "chat-0")
    gpu = {"nvidia.com/gpu": "1"}
    world.server.put(
        PODS,
        {
            "metadata": {"name": "notebook", "namespace": "team"},
            "spec": {
                "nodeName": busy,
                "containers": [{"name": "x", "resources": {"requests": gpu, "limits": gpu}}],
            },
            "status": {"phase": "Running"},
        },
    )
    world.deploy("big", concurrency=64, scaling=ONE)
    await operator.settle()
    assert world.condition("Ready", "big")["reason"] == "InsufficientGPUs"
    assert await scale_down(world, operator) == {"chat-1"}
    assert world.condition("Ready", "big")["status"] == "True"
