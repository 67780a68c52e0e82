"""What was read for a bundle, as it was read: nothing of it is redacted yet. Pure data."""

from dataclasses import dataclass, field
from typing import Any, Final

from escadre.clients.kube import Json
from escadre.names import FIELD_MANAGER, GROUP, LABEL_COMPONENT, LABEL_MANAGED_BY

__all__ = ["CHILDREN", "INSTALLED", "OURS", "PROCESSES", "Found", "of_interest", "trimmed_node"]

CHILDREN: Final = f"{LABEL_MANAGED_BY}={FIELD_MANAGER}"  # label selectors
INSTALLED: Final = "app.kubernetes.io/part-of=escadre"  # by the chart
OURS: Final = LABEL_COMPONENT  # whoever has it, whatever its value
PROCESSES: Final = frozenset({"operator", "agent"})
_NODE_STATUS: Final = ("allocatable", "capacity", "conditions", "nodeInfo")


@dataclass(slots=True)
class Found:
    """Objects by the name of their resource, and texts by the path they get."""

    versions: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, list[Json]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    settings: str = ""  # of the platform, as the chart wrote them

    def of(self, plural: str) -> list[Json]:
        """The objects of a resource."""
        return self.objects.get(plural, [])

    @property
    def names(self) -> list[tuple[str, str]]:
        """Namespace and name of each ModelDeployment."""
        metas = (one["metadata"] for one in self.of("modeldeployments"))
        return [(meta["namespace"], meta["name"]) for meta in metas]


def of_interest(event: Json, found: Found, system: str) -> bool:
    """Whether an event is about escadre: its kinds, its namespace, a child of a deployment."""
    about = event.get("involvedObject") or {}
    if event["metadata"].get("namespace") == system:
        return True
    if str(about.get("apiVersion", "")).startswith(f"{GROUP}/"):
        return True
    namespace, name = about.get("namespace", ""), about.get("name", "")
    return any(
        namespace == where and (name == one or name.startswith(f"{one}-"))
        for where, one in found.names
    )


def trimmed_node(node: Json) -> Json:
    """Labels, taints, what it can give and how it does; not its addresses and images."""
    meta, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    kept = ("name", "uid", "labels", "creationTimestamp", "deletionTimestamp")
    return {
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {key: spec[key] for key in ("taints", "unschedulable") if key in spec},
        "status": {key: status[key] for key in _NODE_STATUS if key in status},
    }
