"""A node without GPU feature discovery: its agent's word becomes a label, and pods ask for that."""

from tests.controller.operator import Operator
from tests.controller.others import PRODUCT
from tests.controller.world import World

from escadre.clients.kube import NODES, Json
from escadre.names import NODE_LABEL_PRODUCT


def undiscovered(world: World, name: str) -> None:
    """A node of which no label tells the GPUs."""
    world.add_node(name)
    node = node_of(world, name)
    world.server.put(NODES, {**node, "metadata": {**node["metadata"], "labels": {}}})


def node_of(world: World, name: str = "gpu-0") -> Json:
    node = world.server.get(NODES, name)
    assert node is not None
    return node


def label(world: World, name: str, labels: Json) -> None:
    node = node_of(world, name)
    meta = {**node["metadata"], "labels": {**node["metadata"]["labels"], **labels}}
    world.server.put(NODES, {**node, "metadata": meta})


async def serving_without() -> tuple[World, Operator]:
    world = World(nodes=0)
    undiscovered(world, "gpu-0")
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    return world, operator


async def test_it_serves_by_what_its_agent_tells() -> None:
    world, operator = await serving_without()
    assert world.condition("Ready")["status"] == "True"
    assert node_of(world)["metadata"]["labels"][NODE_LABEL_PRODUCT] == PRODUCT
    (pod,) = world.pods()
    assert pod["spec"]["nodeName"] == "gpu-0"
    operator.api.writes.clear()
    await operator.settle()
    assert operator.api.writes == []


async def test_our_label_goes_once_feature_discovery_names_the_product() -> None:
    world, operator = await serving_without()
    label(world, "gpu-0", {"nvidia.com/gpu.product": PRODUCT})
    await operator.settle()
    assert NODE_LABEL_PRODUCT not in node_of(world)["metadata"]["labels"]
    assert world.condition("Ready")["status"] == "True"


async def test_a_label_that_nobody_of_us_wrote_goes() -> None:
    world = World(nodes=1)
    label(world, "gpu-0", {NODE_LABEL_PRODUCT: "NVIDIA-B200"})
    world.approve()
    world.deploy()
    await Operator.start(world).settle()
    assert NODE_LABEL_PRODUCT not in node_of(world)["metadata"]["labels"]


async def test_without_an_agent_it_is_named_with_both_ways_out() -> None:
    world = World(nodes=1, gpus=1)
    undiscovered(world, "gpu-9")
    world.approve()
    world.deploy(scaling={"minReplicas": 2, "maxReplicas": 2})
    operator = Operator.start(world)
    for _ in range(2):  # no agent has reported yet
        await operator.round()
    planned = world.condition("Planned")
    assert planned["reason"] == "InsufficientGPUs"
    assert (
        "not counted: gpu-9 (has no label nvidia.com/gpu.product, by which engines are placed, and "
        "no agent tells its product: run GPU feature discovery, or label the node "
        "escadre.dev/agent=true for an agent)"
    ) in planned["message"]
