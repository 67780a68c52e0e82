"""Nodes of every kind: what serves, and the words for what does not, on a real API server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.cases.faulting import clear, engine_pods, ready, until_cleared
from e2e.cluster.wait import wait_for
from e2e.stage.stage import NAMESPACE, Json, Stage
from escadre.names import LABEL_AGENT, NODE_LABEL_PRODUCT

pytestmark = pytest.mark.cluster

NODE = "gpu-1"
OTHER = "gpu-0"
CLAIM = "train"


def _labels(stage: Stage) -> Json:
    labels: Json = stage.cluster.get("node", NODE)["metadata"]["labels"]
    return labels


@pytest.fixture
def alone(stage: Stage) -> Iterator[None]:
    """NODE is the only one that engines may go to."""
    stage.cluster.kubectl("cordon", OTHER)
    yield
    stage.cluster.kubectl("uncordon", OTHER)


@pytest.fixture
def undiscovered(stage: Stage) -> Iterator[None]:
    """NODE without a label of GPU feature discovery, and an agent that people want there."""
    found = {key: value for key, value in _labels(stage).items() if key.startswith("nvidia.com/")}
    stage.cluster.kubectl("label", "node", NODE, f"{LABEL_AGENT}=true")
    stage.cluster.kubectl("label", "node", NODE, *(f"{key}-" for key in found))
    yield
    stage.cluster.kubectl("label", "node", NODE, *(f"{k}={v}" for k, v in found.items()))
    stage.cluster.kubectl("label", "node", NODE, f"{LABEL_AGENT}-")
    wait_for(lambda: NODE_LABEL_PRODUCT not in _labels(stage), 60, "our label to go")
    stage.wait_installed()


@pytest.mark.usefixtures("alone", "undiscovered")
def test_without_feature_discovery_it_serves_by_what_its_agent_tells(stage: Stage) -> None:
    product = stage.cluster.get("gpunode", NODE)["status"]["gpus"][0]["product"]
    wait_for(lambda: _labels(stage).get(NODE_LABEL_PRODUCT) == product, 30, "the label of ours")
    stage.deploy("undiscovered", "base")
    try:
        ready(stage, "undiscovered")
        (pod,) = engine_pods(stage, "undiscovered")
        assert pod["spec"]["nodeName"] == NODE
    finally:
        clear(stage, "undiscovered")
        until_cleared(stage, "undiscovered")


@pytest.fixture
def cloudy(stage: Stage) -> Iterator[str]:
    """A node as GKE makes it, where no agent runs, and no other that engines may go to."""
    name, gpus = "gpu-gke", {"nvidia.com/gpu": "8"}
    labels = {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}
    stage.cluster.kubectl("cordon", OTHER, NODE)
    stage.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"unschedulable": True},
        }
    )
    status = json.dumps({"status": {"capacity": gpus, "allocatable": gpus}})
    stage.cluster.kubectl("patch", "node", name, "--subresource=status", "-p", status)
    yield name
    stage.cluster.kubectl("delete", "node", name)
    stage.cluster.kubectl("uncordon", OTHER, NODE)


def test_without_feature_discovery_and_agent_it_is_named_with_the_way_out(
    stage: Stage, cloudy: str
) -> None:
    stage.deploy("missing", "base")
    try:
        words = f"not counted: {cloudy} (has no label nvidia.com/gpu.product, by which engines are"
        _until_planned(stage, "missing", words)
        said = stage.condition("missing", "Planned")
        assert said["reason"] == "InsufficientGPUs"
        assert f"label the node {LABEL_AGENT}=true for an agent" in said["message"]
        assert "(cloud.google.com/gke-accelerator=nvidia-h100-80gb does not" in said["message"]
    finally:
        clear(stage, "missing")
        until_cleared(stage, "missing")


def _until_planned(stage: Stage, name: str, words: str) -> None:
    def said() -> bool:
        return words in stage.condition(name, "Planned")["message"]

    wait_for(said, 60, words, lambda: stage.condition(name, "Planned"))


@contextmanager
def _cards(stage: Stage, change: str) -> Iterator[None]:
    """NODE with other cards than its device plugin tells of, as its agent sees them."""
    path = stage.cluster.node(NODE).root / "var/lib/escadre/gpus.json"
    gpus = json.loads(path.read_text())["gpus"]
    if change == "shared":
        gpus = gpus[:4]
    else:
        gpus[7] |= {"product": "NVIDIA-A30", "memoryBytes": 24 << 30, "computeCapability": "8.0"}
    path.write_text(json.dumps({"gpus": gpus}))
    before = stage.cluster.get("node", NODE)["metadata"]["labels"]["nvidia.com/gpu.count"]
    stage.cluster.kubectl("label", "node", NODE, f"nvidia.com/gpu.count={len(gpus)}", "--overwrite")
    try:
        _look_again(stage, [one["product"] for one in gpus])
        yield
    finally:
        count = f"nvidia.com/gpu.count={before}"
        stage.cluster.kubectl("label", "node", NODE, count, "--overwrite")
        stage.simulate_gpus(NODE)
        _look_again(stage, ["NVIDIA-H100-80GB-HBM3"] * 8)


def _look_again(stage: Stage, products: list[str]) -> None:
    """A fresh agent looks at once, not when its turn comes; until these cards are reported."""
    agents = ("-n", NAMESPACE, "-l", "app.kubernetes.io/component=agent")
    on_node = f"--field-selector=spec.nodeName={NODE}"
    stage.cluster.kubectl("delete", "pods", *agents, on_node, "--wait=false")

    def reported() -> bool:
        gpus = stage.cluster.get("gpunode", NODE)["status"]["gpus"]
        return [one["product"] for one in gpus] == products

    wait_for(reported, 60, f"a report of {len(products)} cards")
    stage.wait_installed()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            "mixed", "has different GPUs, NVIDIA-A30 beside NVIDIA-H100-80GB-HBM3: ", id="mixed"
        ),
        pytest.param(
            "shared", "shares its GPUs: it offers 8 nvidia.com/gpu and has 4 cards", id="shared"
        ),
    ],
)
def test_a_node_that_can_never_serve_is_named(stage: Stage, change: str, words: str) -> None:
    with _cards(stage, change):
        stage.deploy("never", "base")
        try:
            _until_planned(stage, "never", f"{NODE} ({words}")
        finally:
            clear(stage, "never")
            until_cleared(stage, "never")


def _claim(stage: Stage, gpus: int) -> None:
    """A ResourceClaim that holds so many GPUs of NODE, as the scheduler writes it."""
    request = {"deviceClassName": "gpu.nvidia.com", "allocationMode": "ExactCount", "count": gpus}
    stage.cluster.apply(
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            "metadata": {"name": CLAIM, "namespace": "default"},
            "spec": {"devices": {"requests": [{"name": "gpu", "exactly": request}]}},
        }
    )
    field = {"key": "metadata.name", "operator": "In", "values": [NODE]}
    results = [
        {"request": "gpu", "driver": "gpu.nvidia.com", "pool": NODE, "device": f"gpu-{number}"}
        for number in range(gpus)
    ]
    allocation = {
        "devices": {"results": results},
        "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [field]}]},
    }
    patch = json.dumps({"status": {"allocation": allocation}})
    where = ("resourceclaim", CLAIM, "-n", "default", "--subresource=status")
    stage.cluster.kubectl("patch", *where, "--type=merge", "-p", patch)


@pytest.mark.usefixtures("alone")
def test_gpus_that_a_claim_holds_are_taken_until_it_goes(stage: Stage) -> None:
    _claim(stage, 8)
    stage.deploy("claimed", "base")
    try:
        _until_planned(stage, "claimed", f"{NODE}: 8 of 8 held by other pods (8)")
        assert stage.condition("claimed", "Planned")["reason"] == "InsufficientGPUs"
        stage.cluster.kubectl("delete", "resourceclaim", CLAIM, "-n", "default")
        ready(stage, "claimed")
    finally:
        stage.cluster.kubectl(
            "delete", "resourceclaim", CLAIM, "-n", "default", "--ignore-not-found"
        )
        clear(stage, "claimed")
        until_cleared(stage, "claimed")
