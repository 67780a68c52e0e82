"""A ModelMirror's status, and pulls that an invalid one holds up."""

from typing import Any

from tests.controller.operator import Operator
from tests.controller.world import DIGEST, World

from escadre.clients.kube import GPU_NODES, MODEL_MIRRORS

SPEC = {"type": "http", "url": "http://mirror.example", "maxConcurrentPulls": 4}


def mirror(world: World) -> dict[str, dict[str, Any]]:
    """Its conditions by type."""
    found = world.server.get(MODEL_MIRRORS, "internal")
    assert found is not None
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    return {one["type"]: one for one in found["status"]["conditions"]}


def put(world: World, **spec: Any) -> None:
    known = world.server.get(MODEL_MIRRORS, "internal") or {}
    world.server.put(MODEL_MIRRORS, {**known, "metadata": {"name": "internal"}, "spec": spec})


async def started(world: World) -> Operator:
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.round()
    await operator.round()
    return operator


async def test_one_that_can_be_used_is_ready_and_nothing_more_is_written() -> None:
    world = World()
    operator = await started(world)
    assert (mirror(world)["Ready"]["status"], set(mirror(world))) == ("True", {"Ready"})
    await operator.settle()
    before = len(operator.api.writes)
    await operator.round()
    assert operator.api.writes[before:] == []


async def test_one_that_cannot_be_read_is_stalled_and_named_by_who_waits_for_it() -> None:
    world = World()
    put(world, **{**SPEC, "type": "ftp"})
    await started(world)
    assert mirror(world)["Stalled"]["reason"] == "MirrorInvalid"
    assert "spec.type" in mirror(world)["Ready"]["message"]
    waits = world.condition("WeightsReady")
    assert (waits["status"], waits["reason"]) == ("False", "MirrorInvalid")
    assert waits["message"].endswith(f"ModelMirror internal: {mirror(world)['Ready']['message']}")


async def test_a_node_that_fails_to_pull_from_it_is_told_and_forgotten_when_it_can() -> None:
    world = World()
    operator = await started(world)
    told = world.server.all(GPU_NODES)[0]
    name = told["metadata"]["name"]
    entry = {
        "manifestDigest": DIGEST,
        "storeID": "s",
        "state": "Failed",
        "mirror": "internal",
        "reason": "Unauthorized",
        "message": "GET http://mirror.example/x: 401",
        "since": "2026-11-22T06:15:00Z",
    }
    status = told.get("status") or {}
    world.server.put(GPU_NODES, {**told, "status": {**status, "weights": [entry]}})
    await operator.round()
    assert mirror(world)["Ready"]["reason"] == "Unauthorized"
    assert f"node {name}: GET http://mirror.example/x: 401" in mirror(world)["Ready"]["message"]
    assert mirror(world)["Stalled"]["status"] == "True"
    world.server.put(GPU_NODES, {**told, "status": {**status, "weights": []}})
    await operator.round()
    assert set(mirror(world)) == {"Ready"}
