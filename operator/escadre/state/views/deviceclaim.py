"""The view of a ResourceClaim (Dynamic Resource Allocation): which node's GPUs it holds.

A claim holds its devices from its allocation until that is taken back, whoever uses it by then. The
scheduler writes the node into the allocation, so ResourceSlices need not be read.
"""

from dataclasses import dataclass
from typing import Final

from escadre.state.views.meta import Json, Meta, meta_of

__all__ = ["DeviceClaimView"]

_DRIVER: Final = "gpu.nvidia.com"
# Made by the scheduler for a pod that asks for nvidia.com/gpu; it is counted by that.
_OF_A_POD: Final = "resource.kubernetes.io/extended-resource-claim"


@dataclass(frozen=True, slots=True)
class DeviceClaimView(Meta):
    """``gpus`` of ``node``, whole or in part: what has a part of a GPU keeps all of it from us."""

    node: str
    gpus: int

    @staticmethod
    def of(obj: Json) -> "DeviceClaimView":
        """Projection; of what its writers left out nothing is held."""
        allocation = (obj.get("status") or {}).get("allocation") or {}
        results = (allocation.get("devices") or {}).get("results") or []
        annotations = obj["metadata"].get("annotations") or {}
        held = {
            (one.get("pool"), one.get("device"))
            for one in results
            if one.get("driver") == _DRIVER and not one.get("adminAccess")
        }
        counted = annotations.get(_OF_A_POD) == "true"
        node = "" if counted else _node(allocation.get("nodeSelector") or {})
        return DeviceClaimView(**meta_of(obj), node=node, gpus=len(held) if node else 0)


def _node(selector: Json) -> str:
    """The one node that an allocation is for, "" for one that several may use."""
    terms = selector.get("nodeSelectorTerms") or []
    fields = [one for term in terms for one in term.get("matchFields") or []]
    names = [
        name
        for one in fields
        if one.get("key") == "metadata.name" and one.get("operator") == "In"
        for name in one.get("values") or []
    ]
    return names[0] if len(names) == 1 else ""
