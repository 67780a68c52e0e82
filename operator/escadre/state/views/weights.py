"""Views of the gate of the weights: volumes and claims, with what decides about them at hand."""

from dataclasses import dataclass

from typing_extensions import override

from escadre.machinery.compact import Compact, header
from escadre.state.views.meta import Json, epoch

__all__ = ["ClaimRecord", "VolumeRecord"]


@dataclass(frozen=True, slots=True)
class VolumeRecord(Compact):
    """A PersistentVolume; ``tied`` to one claim by its uid, which may be gone."""

    tied: bool

    @override
    def later(self, obj: Json) -> "VolumeRecord":
        return VolumeRecord.of(obj, self)

    @staticmethod
    def of(obj: Json, before: Compact | None = None) -> "VolumeRecord":
        """Projection."""
        reference = (obj.get("spec") or {}).get("claimRef") or {}
        return VolumeRecord(**header(obj, before), tied=bool(reference.get("uid")))


@dataclass(frozen=True, slots=True)
class ClaimRecord(Compact):
    """A PersistentVolumeClaim; ``settled`` when it was bound once, ``held`` by its finalizers.

    ``deleted`` is when somebody deleted it, in seconds since the epoch, 0 without that.
    """

    settled: bool
    held: tuple[str, ...] = ()
    deleted: float = 0.0

    @override
    def later(self, obj: Json) -> "ClaimRecord":
        return ClaimRecord.of(obj, self)

    @staticmethod
    def of(obj: Json, before: Compact | None = None) -> "ClaimRecord":
        """Projection."""
        phase = (obj.get("status") or {}).get("phase")
        meta = obj["metadata"]
        return ClaimRecord(
            **header(obj, before),
            settled=phase in {"Bound", "Lost"},
            held=tuple(meta.get("finalizers") or ()),
            deleted=epoch(meta.get("deletionTimestamp")),
        )
