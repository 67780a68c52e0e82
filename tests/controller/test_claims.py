"""GPUs that ResourceClaims hold are taken, from their allocation until it is taken back."""

from tests.controller.operator import Operator
from tests.controller.world import World

from escadre.clients.kube import RESOURCE_CLAIMS, NotFound

__all__ = ["claim_gpus"]


def claim_gpus(world: World, node: str, *devices: str, name: str = "train") -> None:
    """A ResourceClaim as the scheduler allocates it; without devices it is not allocated."""
    results = [
        {"request": "gpu", "driver": "gpu.nvidia.com", "pool": node, "device": one}
        for one in devices
    ]
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    allocation = {
        "devices": {"results": results},
        "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [field]}]},
    }
    body = {
        "metadata": {"name": name, "namespace": "lab"},
        "status": {"allocation": allocation} if devices else {},
    }
    world.server.put(RESOURCE_CLAIMS, body)


async def test_all_gpus_held_by_claims_leave_none() -> None:
    world = World(nodes=1, gpus=2)
    claim_gpus(world, "gpu-0", "gpu-0", "gpu-1")
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    planned = world.condition("Planned")
    assert planned["reason"] == "InsufficientGPUs"
    assert "free: gpu-0: 0" in planned["message"]
    assert "gpu-0: 2 of 2 held by other pods (2)" in planned["message"]
    claim_gpus(world, "gpu-0")
    await operator.settle()
    assert world.condition("Ready")["status"] == "True"


async def test_the_others_are_given_out() -> None:
    world = World(nodes=1, gpus=2)
    claim_gpus(world, "gpu-0", "gpu-0")
    world.approve()
    world.deploy(scaling={"minReplicas": 2, "maxReplicas": 2})
    await Operator.start(world).settle()
    assert world.mdep()["status"]["replicas"]["ready"] == 1
    assert (
        "gpu-0: 2 of 2 held by team/chat (1), other pods (1)"
        in world.condition("Planned")["message"]
    )


async def test_a_server_without_that_api_has_no_claims() -> None:
    world = World()
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    missing = NotFound(method="list", object="resourceclaims", status=404)
    operator.api.refuse("list", "ResourceClaim", lambda: missing)
    await operator.settle()
    assert world.condition("Ready")["status"] == "True"
