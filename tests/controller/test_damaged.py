"""Annotations of a replica edited by hand: nothing is lost, nobody else suffers, nothing is won.

Whoever may edit Deployments in a namespace can write what he likes into them.
"""

import json
from typing import Any

import pytest
from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving, workloads
from tests.controller.world import DIGEST, OTHER_DIGEST, World

from escadre.clients.kube import (
    DEPLOYMENTS,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    PERSISTENT_VOLUMES,
)
from escadre.names import (
    ANNOTATION_DRAIN,
    ANNOTATION_INPUTS,
    ANNOTATION_NODE,
    ANNOTATION_TEMPLATE,
    ANNOTATION_TEMPLATE_SHA256,
    LABEL_SERVING,
    node_weights_label,
)

Json = dict[str, Any]


def annotate(world: World, name: str, **notes: str | None) -> None:
    """Someone's ``kubectl annotate``; None removes."""
    live = workloads(world)[name]
    held = live["metadata"]["annotations"]
    for key, value in notes.items():
        if value is None:
            held.pop(key, None)
        else:
            held[key] = value
    world.server.put(DEPLOYMENTS, live)


def engines(world: World) -> list[str]:
    return [pod["metadata"]["uid"] for pod in world.pods()]


@pytest.mark.parametrize("value", ["", "{}", None])
@pytest.mark.parametrize(
    "note", [ANNOTATION_TEMPLATE, ANNOTATION_TEMPLATE_SHA256, ANNOTATION_NODE, ANNOTATION_DRAIN]
)
async def test_a_damaged_note_is_written_again_and_no_engine_restarts(
    note: str, value: str | None
) -> None:
    world = World()
    operator = await serving(world)
    wanted, running = workloads(world)["chat-0"], engines(world)
    annotate(world, "chat-0", **{note: value})
    await operator.settle()
    after = workloads(world)["chat-0"]
    assert after["metadata"]["annotations"] == wanted["metadata"]["annotations"]
    assert after["spec"] == wanted["spec"]
    assert engines(world) == running


@pytest.mark.parametrize("cause", ["ScaleDown", "Rollout"])
async def test_a_drain_that_nobody_wants_is_taken_back(cause: str) -> None:
    world = World()
    operator = await serving(world)
    running = engines(world)
    annotate(world, "chat-0", **{ANNOTATION_DRAIN: json.dumps({"cause": cause, "since": 1})})
    await operator.settle()
    assert ANNOTATION_DRAIN not in workloads(world)["chat-0"]["metadata"]["annotations"]
    assert [pod["metadata"]["labels"][LABEL_SERVING] for pod in world.pods()] == ["true"]
    assert engines(world) == running
    assert world.condition("Ready")["status"] == "True"


@pytest.mark.parametrize("value", ["", "{}", None])
async def test_a_replica_whose_inputs_are_lost_is_drained_and_replaced(value: str | None) -> None:
    world = World()
    operator = await serving(world)
    wanted, running = workloads(world), engines(world)
    annotate(world, "chat-0", **{ANNOTATION_INPUTS: value, ANNOTATION_TEMPLATE: value})
    world.demand["chat"] = 1
    drained = False
    for _ in range(10):
        world.server.advance(1)
        world.step()
        await operator.round()
        drained |= engines(world) == running and any(
            LABEL_SERVING not in pod["metadata"]["labels"] for pod in world.pods()
        )
    assert drained, "it goes only after it left the Service"
    await operator.settle()
    # The template made anew is the same, so that its engine goes back into the Service.
    assert [pod["metadata"]["labels"].get(LABEL_SERVING) for pod in world.pods()] == ["true"]
    after = workloads(world)["chat-0"]["metadata"]["annotations"]
    assert (
        after[ANNOTATION_INPUTS] == wanted["chat-0"]["metadata"]["annotations"][ANNOTATION_INPUTS]
    )
    assert world.condition("Ready")["status"] == "True"


async def test_a_damaged_replica_is_drained_and_scaled_away() -> None:
    world = World()
    operator = await serving(world, scaling={"minReplicas": 2, "maxReplicas": 2})
    annotate(world, "chat-1", **{ANNOTATION_INPUTS: "", ANNOTATION_TEMPLATE: ""})
    world.deploy(scaling={"minReplicas": 1, "maxReplicas": 1})
    await operator.settle()
    assert len(workloads(world)) == 1
    assert world.condition("Ready")["status"] == "True"


async def test_one_damaged_replica_does_not_stop_planning_for_others() -> None:
    world = World()
    operator = await serving(world)
    annotate(world, "chat-0", **{ANNOTATION_INPUTS: ""})
    world.deploy("other")
    await operator.settle()
    assert world.condition("Ready", "other")["status"] == "True"


async def test_forged_inputs_open_no_door_to_weights_of_others() -> None:
    # The node holds weights that are approved for another team. A volume of them in this
    # namespace would be readable by any pod of it.
    world = World()
    operator = await serving(world)
    world.approve("secret", digest=OTHER_DIGEST, namespaces=["other"])
    note = json.loads(workloads(world)["chat-0"]["metadata"]["annotations"][ANNOTATION_INPUTS])
    forged = json.dumps({**note, "manifestDigest": OTHER_DIGEST})
    paths = set()
    for _ in range(12):
        annotate(world, "chat-0", **{ANNOTATION_INPUTS: forged})
        world.server.advance(11)
        world.step()
        await operator.round()
        paths |= {one["spec"]["local"]["path"] for one in world.server.all(PERSISTENT_VOLUMES)}
    assert node_weights_label(OTHER_DIGEST) != node_weights_label(DIGEST)
    assert paths == {f"/var/lib/escadre/models/{DIGEST.removeprefix('sha256:')}"}


OF_ANOTHER_VERSION: list[Json] = [
    {"phase": "Serving", "observedGeneration": 7},
    {"conditions": [{"type": "Ready", "status": "Soon"}, {"type": "Serving"}], "replicas": 2},
    {"conditions": [], "weights": [{"state": "Evicting"}], "lastScale": "never"},
    {"replicas": {"desired": "two", "items": [None]}, "plan": [], "approval": 1, "url": {}},
]


@pytest.mark.parametrize("status", OF_ANOTHER_VERSION)
async def test_a_status_of_another_version_is_written_anew_and_no_engine_restarts(
    status: Json,
) -> None:
    world = World()
    await serving(world)
    running, told = engines(world), world.mdep()["status"]
    world.server.status(MODEL_DEPLOYMENTS, "chat", "team", status)
    world.server.status(MODEL_APPROVALS, "small", "", status)
    await Operator.start(world).settle()  # one that remembers nothing
    assert engines(world) == running
    again = world.mdep()["status"]
    assert {one["type"]: one["status"] for one in again["conditions"]} == {
        one["type"]: one["status"] for one in told["conditions"]
    }
    assert again["replicas"] == told["replicas"]
    approval = world.server.get(MODEL_APPROVALS, "small")
    assert approval is not None
    assert approval["status"]["conditions"][0]["status"] == "True"
