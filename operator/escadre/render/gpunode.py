"""The GPUNode of a node: owned by it, carrying the weights that are wanted there."""

from collections.abc import Sequence
from typing import Any

from escadre.api.base import Model
from escadre.api.gpunode import MirrorSource, WantedWeights
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
    weights: Sequence[WantedWeights],
    mirrors: Sequence[MirrorSource],
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
            "weights": _dumped(weights),
            **({"mirrors": _dumped(mirrors)} if mirrors else {}),
        },
    }


def _dumped(models: Sequence[Model]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in models]
