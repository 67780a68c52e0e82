"""Labels, owner reference and metadata that every child carries."""

from dataclasses import dataclass
from typing import Any

from escadre.names import (
    API_VERSION,
    FIELD_MANAGER,
    LABEL_COMPONENT,
    LABEL_DEPLOYMENT,
    LABEL_MANAGED_BY,
    LABEL_OWNER_NAME,
    LABEL_OWNER_NAMESPACE,
    LABEL_OWNER_UID,
)

__all__ = ["Owner", "engine_selector", "metadata", "owner_labels"]


@dataclass(frozen=True, slots=True)
class Owner:
    """The ModelDeployment that a child belongs to."""

    namespace: str
    name: str
    uid: str


def engine_selector(owner: Owner) -> dict[str, str]:
    """Labels that select every engine pod of a deployment."""
    return {LABEL_COMPONENT: "engine", LABEL_DEPLOYMENT: owner.name}


def owner_labels(owner: Owner) -> dict[str, str]:
    """Labels that tie a cluster-scoped child to its owner, which cannot own it."""
    return {
        LABEL_MANAGED_BY: FIELD_MANAGER,
        LABEL_OWNER_NAMESPACE: owner.namespace,
        LABEL_OWNER_NAME: owner.name,
        LABEL_OWNER_UID: owner.uid,
    }


def metadata(owner: Owner, name: str, **more: Any) -> dict[str, Any]:
    """Metadata of a namespaced child; ``labels`` and ``annotations`` are added to the common."""
    labels = {
        LABEL_MANAGED_BY: FIELD_MANAGER,
        LABEL_DEPLOYMENT: owner.name,
        **more.pop("labels", {}),
    }
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": labels,
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": "ModelDeployment",
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
            }
        ],
        **more,
    }
