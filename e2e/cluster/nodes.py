"""Simulated nodes as API objects: the labels of a GPU feature discovery, and a boot id.

Pure. Called when a cluster starts and when a node is re-imaged. KWOK keeps these nodes Ready
(stages in ``kwok-stages.yaml``); their pods are run by ``runner``.
"""

import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from e2e.cluster.addresses import KUBELET_PORT
from e2e.cluster.programs import KUBERNETES_VERSION

__all__ = ["DEFAULT_NODES", "NodeSpec", "build_node", "new_boot_id"]


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node to simulate; ``gpus`` 0 gives a node without the GPU resource and labels."""

    name: str
    gpus: int = 8
    product: str = "NVIDIA-H100-80GB-HBM3"
    gpu_memory_mib: int = 81559
    family: str = "hopper"
    compute: tuple[int, int] = (9, 0)
    cpus: int = 128
    memory_gib: int = 1024
    pods: int = 110
    labels: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The spec as plain JSON, to be read back by ``from_json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "NodeSpec":
        """The inverse of ``as_json``."""
        return cls(**(document | {"compute": tuple(document["compute"])}))


DEFAULT_NODES: Final = (
    NodeSpec("gpu-0"),
    NodeSpec("gpu-1"),
    NodeSpec("cpu-0", gpus=0, cpus=32, memory_gib=128),
)


def new_boot_id() -> str:
    """A boot id as Linux writes it."""
    return str(uuid.uuid4())


def _gpu_labels(spec: NodeSpec) -> dict[str, str]:
    major, minor = spec.compute
    return {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": spec.product,
        "nvidia.com/gpu.count": str(spec.gpus),
        "nvidia.com/gpu.memory": str(spec.gpu_memory_mib),
        "nvidia.com/gpu.family": spec.family,
        "nvidia.com/gpu.compute.major": str(major),
        "nvidia.com/gpu.compute.minor": str(minor),
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/gpu.mode": "compute",
        "nvidia.com/mig.capable": "true",
        "nvidia.com/mig.strategy": "single",
    }


def _node_info(boot_id: str) -> dict[str, str]:
    return {
        "architecture": "amd64",
        "bootID": boot_id,
        "containerRuntimeVersion": "escadre-runner://0",
        "kernelVersion": "6.8.0-escadre",
        "kubeProxyVersion": "",
        "kubeletVersion": KUBERNETES_VERSION,
        "machineID": "",
        "operatingSystem": "linux",
        "osImage": "simulated by the test cluster of escadre",
        "systemUUID": "",
    }


def build_node(spec: NodeSpec, address: str, boot_id: str) -> dict[str, Any]:
    """The Node object, with its status (the API server keeps it on create)."""
    resources = {
        "cpu": str(spec.cpus),
        "memory": f"{spec.memory_gib}Gi",
        "ephemeral-storage": "4Ti",
        "pods": str(spec.pods),
    }
    labels = {
        "kubernetes.io/hostname": spec.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "escadre.test/simulated": "true",
    }
    if spec.gpus:
        resources["nvidia.com/gpu"] = str(spec.gpus)
        labels |= _gpu_labels(spec)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": spec.name,
            "labels": labels | spec.labels,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": spec.name},
            ],
            "capacity": resources,
            "allocatable": resources,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
            "nodeInfo": _node_info(boot_id),
            "phase": "Running",
        },
    }
