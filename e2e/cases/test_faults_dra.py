"""A node whose GPUs only a DRA driver announces is named where GPUs are missing."""

from collections.abc import Iterator

import pytest

from e2e.cases.faulting import clear
from e2e.stage.stage import Json, Stage

pytestmark = pytest.mark.cluster

NAME = "gpu-dra"
# As GPU operator without its device plugin leaves it; without a product no agent runs there.
NODE: Json = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": NAME, "labels": {"nvidia.com/gpu.present": "true"}},
    "spec": {"unschedulable": True},
}
SLICE: Json = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceSlice",
    "metadata": {"name": NAME},
    "spec": {
        "driver": "gpu.nvidia.com",
        "nodeName": NAME,
        "pool": {"name": NAME, "generation": 1, "resourceSliceCount": 1},
        "devices": [{"name": "gpu-0", "attributes": {"type": {"string": "gpu"}}}],
    },
}
CLASS: Json = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "DeviceClass",
    "metadata": {"name": "gpu.nvidia.com"},
    "spec": {
        "extendedResourceName": "nvidia.com/gpu",
        "selectors": [{"cel": {"expression": "device.driver == 'gpu.nvidia.com'"}}],
    },
}


@pytest.fixture
def closed(stage: Stage) -> Iterator[None]:
    """Every other node: no engine need hold a GPU for one to be missing."""
    names = [one.name for one in stage.cluster.config.nodes]
    stage.cluster.kubectl("cordon", *names)
    yield
    stage.cluster.kubectl("uncordon", *names)


@pytest.fixture
def announced(stage: Stage) -> Iterator[None]:
    """The node with its GPU in a ResourceSlice and a class that maps it to nvidia.com/gpu."""
    for one in (NODE, SLICE, CLASS):
        stage.cluster.apply(one)
    yield
    for kind, name in (("deviceclass", CLASS["metadata"]["name"]), ("resourceslice", NAME)):
        stage.cluster.kubectl("delete", kind, name)
    stage.cluster.kubectl("delete", "node", NAME)


@pytest.mark.usefixtures("announced", "closed")
def test_it_is_named_with_the_way_out(stage: Stage) -> None:
    assert "nvidia.com/gpu" not in stage.cluster.get("node", NAME)["status"].get("allocatable", {})
    stage.deploy("missing", "base")
    try:
        found = stage.wait_condition("missing", "Planned", "InsufficientGPUs")
        assert f"not counted: {NAME} (offers no nvidia.com/gpu: " in found["message"]
        assert "run the device plugin" in found["message"]
    finally:
        clear(stage, "missing")
