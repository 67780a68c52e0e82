"""How a GPU is joined to others and to its machine, as NVML tells: for agent/gpus/nvml.py.

None is what NVML does not tell. Raises only what is the GPU's own fault, as ``Known`` does.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from uuid import UUID

from pydantic import ValidationError

from escadre.api.gpunode import PCIe

__all__ = ["Known", "active_links", "fabric_clique", "pcie_link"]

_T = TypeVar("_T")


class Known(Protocol):
    """Asks NVML; ``otherwise`` when it has no answer."""

    def __call__(self, ask: Callable[[], _T], otherwise: _T) -> _T:
        """The answer, or ``otherwise``."""


def active_links(nvml: Any, known: Known, handle: Any) -> int | None:
    """NVLinks that are up, None for a GPU without any."""

    def state(link: int) -> int | None:
        found: int | None = known(lambda: nvml.nvmlDeviceGetNvLinkState(handle, link), None)
        return found

    told = [one for link in range(nvml.NVML_NVLINK_MAX_LINKS) if (one := state(link)) is not None]
    return sum(map(bool, told)) if told else None


def fabric_clique(nvml: Any, known: Known, handle: Any) -> str | None:
    """``CLUSTER-UUID.CLIQUE`` of a GPU that has joined a fabric of several nodes.

    Those that are joined within one node have the UUID 0, and every such node the same one.
    """

    def ask() -> str | None:
        info = nvml.c_nvmlGpuFabricInfo_v2_t()
        nvml.nvmlDeviceGetGpuFabricInfoV(handle, info)
        cluster = UUID(bytes=bytes(info.clusterUuid))
        joined = info.state == nvml.NVML_GPU_FABRIC_STATE_COMPLETED and not info.status
        return f"{cluster}.{info.cliqueId}" if joined and cluster.int else None

    return known(ask, None)


def pcie_link(nvml: Any, known: Known, handle: Any) -> PCIe | None:
    """The most that GPU and slot do together; what runs now falls while the GPU is idle.

    Numbers that no link has are a driver's way to say that it does not know.
    """

    def ask() -> PCIe | None:
        generation = nvml.nvmlDeviceGetMaxPcieLinkGeneration(handle)
        lanes = nvml.nvmlDeviceGetMaxPcieLinkWidth(handle)
        try:
            return PCIe(generation=generation, lanes=lanes)
        except ValidationError:
            return None

    return known(ask, None)
