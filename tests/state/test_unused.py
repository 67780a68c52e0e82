"""A node whose GPUs cannot be planned with is named with the reason."""

from typing import Any

import pytest

from escadre.core.facts.node import Unused
from escadre.state.unused import unused
from escadre.state.views import NodeView

GFD = {"nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.count": "8"}
NO_PLUGIN = (
    "offers no nvidia.com/gpu: no device plugin runs there, and GPUs that only a DRA driver "
    "announces are not used; run the device plugin"
)


def view(labels: dict[str, str], **status: Any) -> NodeView:
    meta = {"name": "gpu-0", "uid": "u", "resourceVersion": "1", "labels": labels}
    return NodeView.of({"metadata": meta, "status": status})


@pytest.mark.parametrize(
    ("node", "product", "why"),
    [
        pytest.param(view(GFD), "NVIDIA-L4", NO_PLUGIN, id="dra-only-with-feature-discovery"),
        pytest.param(
            view({"feature.node.kubernetes.io/pci-0302_10de.present": "true"}),
            "",
            NO_PLUGIN,
            id="dra-only-with-node-feature-discovery",
        ),
        pytest.param(view({"nvidia.com/gpu.present": "true"}), "", NO_PLUGIN, id="gpu-operator"),
        pytest.param(
            view({"cloud.google.com/gke-accelerator": "nvidia-l4"}), "", NO_PLUGIN, id="cloud"
        ),
        pytest.param(
            view(GFD, capacity={"nvidia.com/gpu": "8"}, allocatable={"nvidia.com/gpu": "0"}),
            "NVIDIA-L4",
            "offers 0 of 8 nvidia.com/gpu: its device plugin is down, or calls every GPU unhealthy",
            id="device-plugin-down",
        ),
        pytest.param(
            view(GFD, allocatable={"nvidia.com/mig-1g.10gb": "56", "cpu": "8"}),
            "NVIDIA-L4",
            "offers nvidia.com/mig-1g.10gb and no nvidia.com/gpu: slices and shares of GPUs are "
            "not used",
            id="mig",
        ),
        pytest.param(
            view({}, allocatable={"nvidia.com/gpu": "2"}),
            "",
            "has no label nvidia.com/gpu.product, by which engines are placed, and no agent tells "
            "its product: run GPU feature discovery, or label the node escadre.dev/agent=true for "
            "an agent",
            id="no-feature-discovery",
        ),
        pytest.param(
            view({**GFD, "nvidia.com/gpu.memory": "80Gi"}, allocatable={"nvidia.com/gpu": "8"}),
            "NVIDIA-L4",
            "has a label nvidia.com/gpu.memory that is no number of MiB: 80Gi",
            id="memory-that-is-no-number",
        ),
        pytest.param(
            view(GFD, allocatable={"nvidia.com/gpu": "8"}),
            "NVIDIA-L4",
            "has no label nvidia.com/gpu.memory, and its agent does not tell the memory",
            id="no-memory",
        ),
    ],
)
def test_gpus_that_are_not_planned_with(node: NodeView, product: str, why: str) -> None:
    assert unused(node) == Unused("gpu-0", product, why)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({}, id="none"),
        pytest.param({"feature.node.kubernetes.io/pci-15b3.present": "true"}, id="other-device"),
        pytest.param({"nvidia.com/gpu.present": "false"}, id="said-not-to-be"),
    ],
)
def test_a_node_without_gpus_is_not_named(labels: dict[str, str]) -> None:
    assert unused(view(labels, allocatable={"nvidia.com/hostdev": "4"})) is None


def test_a_node_that_is_being_deleted_is_not_named() -> None:
    meta = {"name": "gpu-0", "uid": "u", "resourceVersion": "1", "labels": GFD}
    going = {**meta, "deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert unused(NodeView.of({"metadata": going})) is None
