"""Two replicas on two nodes: what is lost with one of them, and what stays where it is."""

from tests.controller.test_reconcile import serving
from tests.controller.world import World

from escadre.clients.kube import NODES, PODS

TWO = {"minReplicas": 2, "maxReplicas": 2}


def nodes_of(world: World) -> dict[str, str]:
    return {pod["metadata"]["name"][:6]: pod["spec"]["nodeName"] for pod in world.pods()}


async def test_a_node_that_is_deleted_takes_one_of_two_replicas() -> None:
    world = World()
    operator = await serving(world, scaling=TWO)
    assert sorted(nodes_of(world).values()) == ["gpu-0", "gpu-1"]
    for pod in world.pods():
        if pod["spec"]["nodeName"] == "gpu-0":
            world.server.remove(PODS, pod["metadata"]["name"], "team")
    world.server.remove(NODES, "gpu-0")
    await operator.round()
    available = world.condition("Available")
    assert (available["status"], available["reason"]) == ("True", "Degraded")
    assert available["message"].startswith("1 of 2 replicas answer")


async def test_what_serves_together_is_not_moved_when_a_node_comes() -> None:
    world = World(nodes=1)
    operator = await serving(world, scaling=TWO)
    before = nodes_of(world)
    uids = {pod["metadata"]["uid"] for pod in world.pods()}
    assert "both replicas on node gpu-0" in world.condition("Planned")["message"]
    world.add_node("gpu-1")
    await operator.settle()
    assert nodes_of(world) == before
    assert {pod["metadata"]["uid"] for pod in world.pods()} == uids
    assert "both replicas on node gpu-0" in world.condition("Planned")["message"]
