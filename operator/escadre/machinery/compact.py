"""Objects of the API server as the caches keep them: a slim header and the rest compressed.

A Deployment as a dict costs 28 KB of Python objects, as kept here 1-2 KB; `load` brings it back
when a reconcile compares intent with live state. Neither ``managedFields`` nor
``status`` are kept. Used as projection of an informer; pure.

Most later versions of an object differ in its status only. They are not compressed anew: that
takes ten times as long as to see that nothing else changed.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from escadre.machinery.packing import digest_of, pack, unpack

__all__ = ["Compact", "compact", "header"]

# With the version left out, two versions that differ in nothing we keep are equal but for it.
_NOT_KEPT: Final = frozenset({"managedFields", "resourceVersion"})
_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Compact:
    """One object: what indices and decisions need at hand, and `load` for all of it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, str]
    controller_uid: str  # of the controlling owner, empty without one
    terminating: bool
    packed: bytes
    mark: bytes  # tells whether the rest of another version is the same

    def later(self, obj: Mapping[str, Any]) -> "Compact":
        """A later version of the same object."""
        return compact(obj, self)

    def load(self) -> dict[str, Any]:
        """The object without managedFields, version and status."""
        return unpack(self.packed)


def header(obj: Mapping[str, Any], before: Compact | None = None) -> dict[str, Any]:
    """The fields of `Compact` from an object, for it and for views that say more.

    ``before`` is an earlier version as it was kept.
    """
    meta = obj["metadata"]
    slim = {key: value for key, value in obj.items() if key != "status"}
    slim["metadata"] = {key: value for key, value in meta.items() if key not in _NOT_KEPT}
    mark = digest_of(slim)
    if before is not None and before.mark == mark:
        return {name: getattr(before, name) for name in _FIELDS} | {
            "resource_version": meta["resourceVersion"]
        }
    owners = meta.get("ownerReferences") or ()
    return {
        "namespace": sys.intern(meta.get("namespace", "")),
        "name": meta["name"],
        "uid": meta["uid"],
        "resource_version": meta["resourceVersion"],
        "labels": _interned(meta.get("labels") or _NOTHING),
        "controller_uid": next((one["uid"] for one in owners if one.get("controller")), ""),
        "terminating": "deletionTimestamp" in meta,
        "packed": pack(slim, obj.get("kind", "")),
        "mark": mark,
    }


def compact(obj: Mapping[str, Any], before: Compact | None = None) -> Compact:
    """``obj`` as the caches keep it: a projection for an informer."""
    return Compact(**header(obj, before))


_FIELDS: Final = tuple(one.name for one in fields(Compact))


def _interned(pairs: Mapping[str, str]) -> Mapping[str, str]:
    # Thousands of children share a handful of label keys and values.
    return {sys.intern(key): sys.intern(value) for key, value in pairs.items()} or _NOTHING
