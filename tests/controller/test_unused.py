"""Nodes whose GPUs only a DRA driver announces are named where GPUs are missing."""

from tests.controller.operator import Operator
from tests.controller.world import World

from escadre.clients.kube import NODES, Json


def announce_by_dra(world: World, name: str) -> Json:
    """Kubernetes 1.36: no extended resource stands on the Node; the node as it was is returned."""
    world.add_node(name)
    node = world.server.get(NODES, name)
    assert node is not None
    world.server.put(NODES, {**node, "status": {**node["status"], "allocatable": {"cpu": "8"}}})
    return node


async def test_without_any_other_node_it_is_named_with_the_way_out() -> None:
    world = World(nodes=0)
    announce_by_dra(world, "gpu-9")
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    planned = world.condition("Planned")
    assert planned["reason"] == "NoGPUNodes"
    assert planned["message"] == (
        "no node offers GPUs with product, memory and compute capability; not counted: gpu-9 "
        "(offers no nvidia.com/gpu: no device plugin runs there, and GPUs that only a DRA driver "
        "announces are not used; run the device plugin)"
    )


async def test_it_is_named_where_the_gpus_of_others_do_not_suffice() -> None:
    world = World(nodes=1, gpus=1)
    announce_by_dra(world, "gpu-9")
    world.approve()
    world.deploy(scaling={"minReplicas": 2, "maxReplicas": 2})
    operator = Operator.start(world)
    await operator.settle()
    planned = world.condition("Planned")
    assert planned["reason"] == "InsufficientGPUs"
    assert "; not counted: gpu-9 (offers no nvidia.com/gpu: " in planned["message"]


async def test_it_is_planned_with_as_soon_as_its_device_plugin_runs() -> None:
    world = World(nodes=0)
    before = announce_by_dra(world, "gpu-9")
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    node = world.server.get(NODES, "gpu-9")
    assert node is not None
    world.server.put(NODES, {**node, "status": before["status"]})
    await operator.settle()
    assert world.condition("Planned")["reason"] == "Planned"


async def test_what_changes_about_it_asks_for_a_plan() -> None:
    world = World(nodes=1, gpus=1)
    announce_by_dra(world, "gpu-9")
    world.approve()
    world.deploy(scaling={"minReplicas": 2, "maxReplicas": 2})
    operator = Operator.start(world)
    await operator.settle()
    node = world.server.get(NODES, "gpu-9")
    assert node is not None
    status = {**node["status"], "capacity": {"nvidia.com/gpu": "8"}}
    world.server.put(NODES, {**node, "status": status})
    operator.woken.clear()
    await operator.context.caches.nodes.refresh()
    assert not operator.context.sight().node_stands("gpu-9")
    await operator.settle()
    assert "gpu-9 (offers 0 of 8 nvidia.com/gpu" in world.condition("Planned")["message"]
