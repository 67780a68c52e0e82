"""The GPUNode of a node: owned by it, carrying the weights wanted there and what it is asked."""

from collections.abc import Sequence
from typing import Any

from escadre.api.base import Model
from escadre.api.gpunode import GPUNodeSpec
from escadre.names import (
    API_VERSION,
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
    LABEL_SYSTEM_NAMESPACE,
)

__all__ = ["gpunode"]


def gpunode(
    node: str,
    node_uid: str,
    told: GPUNodeSpec,
    system_namespace: str,
) -> dict[str, Any]:
    """The intent; collected by Kubernetes when the Node is replaced.

    It says where the operator is, so that whoever sees GPUNodes can look for its leader.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "GPUNode",
        "metadata": {
            "name": node,
            "labels": {
                LABEL_MANAGED_BY: FIELD_MANAGER,
                LABEL_SYSTEM_NAMESPACE: system_namespace,
            },
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node_uid}
            ],
        },
        "spec": {
            "weights": _dumped(told.weights),
            **({"mirrors": _dumped(told.mirrors)} if told.mirrors else {}),
            **({"probes": _dumped(told.probes)} if told.probes else {}),
        },
    }


def _dumped(models: Sequence[Model]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in models]
