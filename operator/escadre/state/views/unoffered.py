"""Why a Node offers no nvidia.com/gpu although it speaks of GPUs, from the Node alone. Pure.

Dynamic Resource Allocation announces GPUs in ResourceSlices, and the Node's allocatable tells
nothing of them, not even where a DeviceClass maps them to nvidia.com/gpu. The driver's own pods
go by the labels that are read here, so ResourceSlices need not be, nor a right to list them.
"""

from collections.abc import Mapping
from typing import Final

from escadre.names import LABEL_AGENT
from escadre.state.views.meta import GPU_RESOURCE, Json

__all__ = ["LABEL_CAPABILITY", "LABEL_MEMORY", "LABEL_PRODUCT", "unlabelled", "unoffered"]

LABEL_PRODUCT: Final = "nvidia.com/gpu.product"
LABEL_MEMORY: Final = "nvidia.com/gpu.memory"
LABEL_CAPABILITY: Final = "nvidia.com/gpu.compute.major"
_LABEL_PRESENT: Final = "nvidia.com/gpu.present"
_LABELS_CLOUD: Final = (
    "cloud.google.com/gke-accelerator",
    "kubernetes.azure.com/accelerator",
    "eks.amazonaws.com/instance-gpu-name",
    "karpenter.k8s.aws/instance-gpu-name",
    "k8s.amazonaws.com/accelerator",
)
_PCI: Final = "feature.node.kubernetes.io/pci-"  # [CLASS_]VENDOR.present
_VENDOR: Final = "10de.present"
_PARTS: Final = ("nvidia.com/mig-", "nvidia.com/gpu.shared")


def unoffered(labels: Mapping[str, str], status: Json) -> str:
    """In words; "" for a node that offers GPUs, or of which nothing says that it has any."""
    offered = status.get("allocatable") or {}
    if _count(offered, GPU_RESOURCE):
        return ""
    parts = sorted(name for name in offered if name.startswith(_PARTS) and _count(offered, name))
    if parts:
        return f"offers {parts[0]} and no {GPU_RESOURCE}: slices and shares of GPUs are not used"
    before = _count(status.get("capacity") or {}, GPU_RESOURCE)
    if before:
        return (
            f"offers 0 of {before} {GPU_RESOURCE}: its device plugin is down, or calls every GPU "
            "unhealthy"
        )
    if not _spoken_of(labels):
        return ""
    return (
        f"offers no {GPU_RESOURCE}: no device plugin runs there, and GPUs that only a DRA driver "
        "announces are not used; run the device plugin"
    )


def unlabelled(labels: Mapping[str, str]) -> str:
    """Of a node without the label that names its product, in words."""
    said = (
        f"has no label {LABEL_PRODUCT}, by which engines are placed, and no agent tells its "
        f"product: run GPU feature discovery, or label the node {LABEL_AGENT}=true for an agent"
    )
    cloud = _cloud(labels)
    return f"{said} ({cloud} does not stand in for it)" if cloud else said


def _cloud(labels: Mapping[str, str]) -> str:
    """What the cloud's own label says of the GPU; "" where none does."""
    found = (f"{key}={labels[key]}" for key in _LABELS_CLOUD if labels.get(key))
    return next(found, "")


def _spoken_of(labels: Mapping[str, str]) -> bool:
    if labels.get(LABEL_PRODUCT) or _cloud(labels):
        return True
    return labels.get(_LABEL_PRESENT) == "true" or any(
        key.startswith(_PCI) and key.endswith(_VENDOR) and value == "true"
        for key, value in labels.items()
    )


def _count(resources: Json, name: str) -> int:
    text = str(resources.get(name, 0))
    return int(text) if text.isdecimal() else 0
