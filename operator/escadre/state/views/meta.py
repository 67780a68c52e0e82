"""What every view has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from escadre.fieldfaults import first_fault

__all__ = ["GPU_RESOURCE", "Json", "Meta", "epoch", "explain", "meta_of"]

Json = Mapping[str, Any]
GPU_RESOURCE = "nvidia.com/gpu"


def epoch(text: str | None) -> float:
    """Seconds since the epoch of a Kubernetes time; 0 when there is none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def explain(error: ValidationError) -> str:
    """The first fault of a spec, with the path of its field."""
    return first_fault(error, "spec")


@dataclass(frozen=True, slots=True)
class Meta:
    """The metadata that every view has; ``created`` in seconds since the epoch."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: float
    terminating: bool


def meta_of(obj: Json) -> dict[str, Any]:
    """The fields of `Meta` from an object."""
    meta = obj["metadata"]
    return {
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "uid": meta["uid"],
        "resource_version": meta["resourceVersion"],
        "generation": int(meta.get("generation", 0)),
        "created": epoch(meta.get("creationTimestamp")),
        "terminating": "deletionTimestamp" in meta,
    }
