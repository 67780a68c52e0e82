"""What the fake API server knows of each kind: subresources, generation, immutables, defaults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from escadre.clients import kube

__all__ = ["TRAITS", "Traits", "matches_fields", "matches_labels"]

Json = dict[str, Any]


def _no_defaults(_: Json) -> None:
    """No defaults."""


@dataclass(frozen=True, slots=True)
class Traits:
    """``status``: has the subresource; ``generation``: counts changes outside metadata and status.

    ``default`` fills an object in place when it is created; ``immutable`` are dotted paths.
    """

    status: bool = False
    generation: bool = False
    immutable: tuple[str, ...] = ()
    finalizers: tuple[str, ...] = ()
    default: Callable[[Json], None] = _no_defaults


def _deployment(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    for key, value in (
        ("replicas", 1),
        ("progressDeadlineSeconds", 600),
        ("revisionHistoryLimit", 10),
    ):
        spec.setdefault(key, value)
    obj.setdefault("status", {})


def _claim(obj: Json) -> None:
    obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    obj["status"] = {"phase": "Pending"}


def _volume(obj: Json) -> None:
    obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    obj["status"] = {"phase": "Pending"}


def _service(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
    obj["status"] = {"loadBalancer": {}}


def _pod(obj: Json) -> None:
    obj["status"] = {"phase": "Pending"}


def _namespace(obj: Json) -> None:
    obj["status"] = {"phase": "Active"}


TRAITS: Mapping[kube.Resource, Traits] = {
    kube.MODEL_DEPLOYMENTS: Traits(status=True, generation=True),
    kube.MODEL_APPROVALS: Traits(status=True, generation=True, immutable=("spec",)),
    kube.MODEL_SIGNATURES: Traits(generation=True, immutable=("spec",)),
    kube.MODEL_MIRRORS: Traits(status=True, generation=True),
    kube.GPU_NODES: Traits(status=True, generation=True),
    kube.SERVICES: Traits(status=True, default=_service),
    kube.PODS: Traits(status=True, generation=True, default=_pod),
    kube.EVENTS: Traits(),
    kube.CONFIG_MAPS: Traits(),
    kube.SECRETS: Traits(),
    kube.PERSISTENT_VOLUME_CLAIMS: Traits(
        status=True,
        immutable=("spec.accessModes", "spec.volumeName", "spec.storageClassName"),
        finalizers=("kubernetes.io/pvc-protection",),
        default=_claim,
    ),
    kube.PERSISTENT_VOLUMES: Traits(
        status=True,
        immutable=("spec.local", "spec.nodeAffinity"),
        finalizers=("kubernetes.io/pv-protection",),
        default=_volume,
    ),
    kube.NODES: Traits(status=True),
    kube.NAMESPACES: Traits(status=True, default=_namespace),
    kube.DEPLOYMENTS: Traits(
        status=True, generation=True, immutable=("spec.selector",), default=_deployment
    ),
    kube.POD_DISRUPTION_BUDGETS: Traits(status=True, generation=True),
    kube.NETWORK_POLICIES: Traits(generation=True),
    kube.RESOURCE_CLAIMS: Traits(status=True),
    kube.LEASES: Traits(),
    kube.CUSTOM_RESOURCE_DEFINITIONS: Traits(status=True, generation=True),
    kube.VALIDATING_ADMISSION_POLICIES: Traits(status=True, generation=True),
    kube.VALIDATING_ADMISSION_POLICY_BINDINGS: Traits(generation=True),
    kube.SELF_SUBJECT_REVIEWS: Traits(),
    kube.SELF_SUBJECT_ACCESS_REVIEWS: Traits(),
}


def matches_labels(obj: Json, selector: str | None) -> bool:
    """Equality-based selectors: ``a=b``, ``a!=b``, ``a``, ``!a``, joined by commas."""
    labels = obj["metadata"].get("labels") or {}
    for term in (selector or "").split(","):
        if not term:
            continue
        if " in " in term or "(" in term:
            raise AssertionError(f"the fake API knows no set-based selector: {selector!r}")
        if "!=" in term:
            key, value = term.split("!=")
            matched = labels.get(key) != value
        elif "=" in term:
            key, value = term.replace("==", "=").split("=")
            matched = labels.get(key) == value
        else:
            matched = (term.removeprefix("!") in labels) != term.startswith("!")
        if not matched:
            return False
    return True


def matches_fields(obj: Json, selector: str | None) -> bool:
    """``metadata.name=x`` and the like, equality only."""
    for term in (selector or "").split(","):
        if not term:
            continue
        path, value = term.split("=", 1)
        found: Any = obj
        for part in path.split("."):
            found = (found or {}).get(part)
        if (found or "") != value:
            return False
    return True
