"""The gate of the weights when somebody deletes it under engines that serve."""

import pytest
from tests.controller.operator import Operator
from tests.controller.test_hindered import UNSCHEDULED, unplace
from tests.controller.test_reconcile import serving
from tests.controller.world import DIGEST, OTHER_DIGEST, World

from escadre.clients.kube import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from escadre.controller.children import Json
from escadre.names import PVC_PROTECTION, claim_name

CLAIM = claim_name("chat", DIGEST)


def claim(world: World) -> Json:
    found = world.server.get(PERSISTENT_VOLUME_CLAIMS, CLAIM, "team")
    assert found is not None
    return found


def pods(world: World) -> dict[str, str]:
    return {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in world.pods()}


async def deleted_in_use(*, volume: bool) -> tuple[World, Operator, Json]:
    world = World()
    operator = await serving(world, scaling={"minReplicas": 2, "maxReplicas": 2})
    before = claim(world)
    world.server.remove(PERSISTENT_VOLUME_CLAIMS, CLAIM, "team")
    if volume:
        world.server.remove(PERSISTENT_VOLUMES, before["spec"]["volumeName"])
    assert "deletionTimestamp" in claim(world)["metadata"], "in use, so Kubernetes keeps it"
    return world, operator, before


@pytest.mark.parametrize("volume", [False, True], ids=["the claim", "claim and volume"])
async def test_what_was_deleted_in_use_is_made_anew_and_no_serving_pod_is_touched(
    volume: bool,
) -> None:
    world, operator, before = await deleted_in_use(volume=volume)
    running = pods(world)
    await operator.settle()
    again = claim(world)
    assert again["metadata"]["uid"] != before["metadata"]["uid"]
    assert again["status"]["phase"] == "Bound"
    assert again["metadata"]["finalizers"] == [PVC_PROTECTION]
    assert pods(world) == running
    assert world.condition("Ready")["status"] == "True"


async def hold_claim(world: World) -> None:
    """Somebody's finalizer holds a claim that is deleted while its pod waits for a node."""
    hold = {"metadata": {"finalizers": [PVC_PROTECTION, "backup.example/hold"]}}
    await world.server.client("them").patch(PERSISTENT_VOLUME_CLAIMS, CLAIM, hold, namespace="team")
    world.server.remove(PERSISTENT_VOLUME_CLAIMS, CLAIM, "team")
    for pod in world.pods():
        pod["spec"].pop("nodeName")
        world.server.put(PODS, {**pod, "status": {"phase": "Pending"}})


async def test_the_finalizer_of_somebody_else_is_theirs_to_take_off_and_named() -> None:
    world = World()
    operator = await serving(world)
    meta = claim(world)["metadata"]
    await hold_claim(world)
    await operator.round()
    await operator.round()
    assert claim(world)["metadata"]["uid"] == meta["uid"]
    assert claim(world)["metadata"]["finalizers"] == ["backup.example/hold"]
    held = f"{CLAIM} (held by the finalizer backup.example/hold)"
    assert held in world.condition("Scheduled")["message"]
    assert world.condition("Ready")["reason"] == "ReplicasPending"
    world.server.advance(3600)
    await operator.round()
    assert world.condition("Ready")["reason"] == "ClaimStuck"
    assert held in world.condition("Stalled")["message"]


async def test_a_claim_that_no_waiting_replica_mounts_is_not_what_it_waits_for() -> None:
    world = World()
    operator = await serving(world)
    other = claim(world)
    for unique in ("uid", "resourceVersion", "creationTimestamp"):
        other["metadata"].pop(unique)
    name = claim_name("chat", OTHER_DIGEST)
    other["metadata"] |= {"name": name, "finalizers": ["backup.example/hold"]}
    world.server.put(PERSISTENT_VOLUME_CLAIMS, other)
    world.server.remove(PERSISTENT_VOLUME_CLAIMS, name, "team")
    unplace(world)
    await operator.round()
    await operator.round()
    assert UNSCHEDULED in world.condition("Scheduled")["message"]
