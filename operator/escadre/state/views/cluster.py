"""Views of Nodes, Namespaces and admission policies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from escadre.state.views.meta import GPU_RESOURCE, Json, Meta, epoch, meta_of
from escadre.state.views.unoffered import unoffered

__all__ = ["NamespaceView", "NodeView", "PolicyView"]


@dataclass(frozen=True, slots=True)
class NodeView(Meta):
    """A Node: labels, identity, GPUs, and why nothing new may go there ("" if it may).

    ``unoffered`` says why it offers no GPU although it speaks of some ("" if it does, or has none),
    ``lost_since`` is in seconds since the epoch.
    """

    labels: Mapping[str, str]
    boot_id: str
    gpus: int
    devices: int  # GPUs that its device plugin announces, whether well or not
    unoffered: str
    blocked: str
    lost_since: float | None  # when it stopped being Ready, None for one that is
    taints: tuple[Json, ...]

    def untolerated(self, tolerations: Iterable[Json]) -> str:
        """The first taint that keeps engines with these tolerations away, "" if none does."""
        wanted = tuple(tolerations)
        for taint in self.taints:
            if not any(_tolerates(toleration, taint) for toleration in wanted):
                return f"{taint['key']}:{taint['effect']}"
        return ""

    @staticmethod
    def of(obj: Json) -> "NodeView":
        """Projection."""
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        labels = obj["metadata"].get("labels") or {}
        return NodeView(
            **meta_of(obj),
            labels=labels,
            boot_id=(status.get("nodeInfo") or {}).get("bootID", ""),
            gpus=(gpus := int((status.get("allocatable") or {}).get(GPU_RESOURCE, 0))),
            devices=max(gpus, int((status.get("capacity") or {}).get(GPU_RESOURCE, 0))),
            unoffered=unoffered(labels, status),
            blocked=_node_blocked(spec, status),
            lost_since=_lost_since(status),
            # Kubernetes itself tolerates the taint of a resource for pods that ask for it, where
            # the admission plugin ExtendedResourceToleration is on.
            taints=tuple(
                taint
                for taint in spec.get("taints") or []
                if taint["effect"] in {"NoSchedule", "NoExecute"} and taint["key"] != GPU_RESOURCE
            ),
        )


def _node_blocked(spec: Json, status: Json) -> str:
    if spec.get("unschedulable"):
        return "is cordoned"
    for condition in status.get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] != "True":
            return "is not Ready"
    return ""


def _lost_since(status: Json) -> float | None:
    conditions = status.get("conditions") or []
    ready = next((one for one in conditions if one["type"] == "Ready"), None)
    if ready is None or ready["status"] == "True":
        return None
    return epoch(ready.get("lastTransitionTime"))


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in {None, "", taint["key"]}
    same = toleration.get("key") == taint["key"]
    return same and bool(toleration.get("value", "") == taint.get("value", ""))


@dataclass(frozen=True, slots=True)
class NamespaceView(Meta):
    """A Namespace; ``deleted_at`` is when its deletion began, 0 for one that stays."""

    deleted_at: float

    @staticmethod
    def of(obj: Json) -> "NamespaceView":
        """Projection."""
        began = epoch(obj["metadata"].get("deletionTimestamp"))
        return NamespaceView(**meta_of(obj), deleted_at=began)


@dataclass(frozen=True, slots=True)
class PolicyView(Meta):
    """A ValidatingAdmissionPolicy or its binding."""

    spec: Json

    @staticmethod
    def of(obj: Json) -> "PolicyView":
        """Projection."""
        return PolicyView(**meta_of(obj), spec=obj.get("spec") or {})
