"""`escadre nodes`: who holds what, and what is not well."""

import json
from typing import Any

import pytest
from tests.cli.harness import Program, check_golden
from tests.cli.world import PLAN, condition, deployment, replica, replicas

from escadre.clients.kube import GPU_NODES, MODEL_DEPLOYMENTS, NODES, Forbidden

Json = dict[str, Any]


def gpunode(name: str, *, dead: int = 0) -> Json:
    gpus = [
        {
            "index": index,
            "uuid": f"GPU-{index}",
            "product": "NVIDIA-H100-80GB-HBM3",
            "memoryBytes": 85520809984,
            "computeCapability": "9.0",
            "nvlink": True,
            "healthy": index >= dead,
        }
        for index in range(8)
    ]
    words = "GPU 0 (GPU-0): the driver asks for a reset"
    inventory = (
        condition("InventoryReady", "False", "GPUUnhealthy", words)
        if dead
        else condition("InventoryReady", "True", "InventoryReady", "")
    )
    return {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "GPUNode",
        "metadata": {
            "name": name,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": "u"}],
        },
        "spec": {"weights": []},
        "status": {
            "nodeUID": "u",
            "bootID": "b",
            "storeID": "s",
            "gpus": gpus,
            "summary": "2/2",
            "store": {"capacityBytes": 4 * 10**12, "freeBytes": 1200 << 30},
            "conditions": [inventory, condition("StoreReady", "True", "StoreReady", "")],
            "weights": [],
        },
    }


@pytest.fixture
def program() -> Program:
    program = Program(width=80)
    two = replicas(2, replica(0, "Ready", "gpu-0"), replica(1, "Ready", "gpu-0"))
    code = deployment("code", "team", plan={**PLAN, "gpus": 1}, replicas=two)
    for item in two["items"]:
        item["gpus"] = 4  # as they were made; the next ones take one
    for body in (deployment(replicas=replicas(1, replica(0, "Ready", "gpu-1"))), code):
        program.server.put(MODEL_DEPLOYMENTS, body)
    for body in (gpunode("gpu-0"), gpunode("gpu-1", dead=1)):
        program.server.put(GPU_NODES, body)
    program.api = api = program.server.client("bob")
    for kind in ("Node", "Pod"):
        api.refuse("list", kind, lambda: Forbidden(method="list", object="x", status=403))
    return program


def test_nodes_show_who_holds_what_on_80_columns(program: Program) -> None:
    ran = program.run("nodes")
    assert (ran.code, ran.err) == (0, "")
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    check_golden("nodes", ran.out)


def test_what_the_user_may_not_see_is_said(program: Program) -> None:
    document = json.loads(program.run("nodes", "-o", "json").out)
    assert document["notes"][0].startswith("You may not list nodes and pods")
    first, second = document["items"]
    assert first["holders"] == [{"namespace": "team", "name": "code", "gpus": 8}]
    assert (first["gpus"]["free"], second["gpus"]["free"]) == (0, 5)
    assert [one["reason"] for one in second["problems"]] == ["GPUUnhealthy"]


def test_a_cluster_without_gpunodes_says_who_makes_them() -> None:
    assert "the operator makes one" in Program().run("nodes").out


def test_a_node_whose_gpus_are_not_used_is_named_with_the_way_out() -> None:
    program = Program(width=80)
    labels = {"nvidia.com/gpu.product": "NVIDIA-L4"}
    node = {"metadata": {"name": "gpu-9", "labels": labels}, "status": {}}
    program.server.put(NODES, node)
    ran = program.run("nodes")
    assert "No GPUNode" in ran.out
    assert "gpu-9  not counted  offers no nvidia.com/gpu: no device plugin" in ran.out
    document = json.loads(program.run("nodes", "-o", "json").out)
    assert [one["name"] for one in document["notCounted"]] == ["gpu-9"]
