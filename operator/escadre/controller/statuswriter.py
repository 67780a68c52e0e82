"""Writes a status: last in a pass, only if it changed, seldom when only numbers did."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from escadre.api.base import Model
from escadre.api.wire import dump, read
from escadre.clients.kube import NotFound, Resource
from escadre.controller.context import Context
from escadre.machinery.diff import holds
from escadre.machinery.informer import Informer
from escadre.machinery.packing import unpack
from escadre.machinery.store import Stored
from escadre.names import API_VERSION

__all__ = ["write_status"]


class _View(Stored, Protocol):
    """An object with a status, as the caches keep it."""

    @property
    def stored(self) -> bytes:
        """The status."""
        ...


_Status = TypeVar("_Status", bound=Model)
_Seen = TypeVar("_Seen", bound=_View)


async def write_status(
    context: Context,
    cache: Informer[_Seen],
    view: _Seen,
    status: _Status,
    essence: Callable[[_Status], object],
) -> float | None:
    """Applies ``status`` where it differs from what ``view`` has stored.

    Returns:
        Seconds after which a change of mere numbers may be written, None when nothing waits.
    """
    told, stored = dump(status), unpack(view.stored)
    if holds(told, stored) and holds(_known(stored, told), told):
        return None
    interval = context.settings.operator.status_interval_seconds
    written = context.memory.status_written.get(view.uid)
    if written is not None and essence(status) == essence(read(type(status), stored)):
        left = written + interval - context.now()
        if left > 0:
            return left
    try:
        result = await context.api.apply(
            cache.resource, _body(cache.resource, view, told), subresource="status"
        )
    except NotFound:
        return None  # deleted meanwhile: there is nobody left to tell
    context.memory.status_written[view.uid] = context.now()
    cache.note_write(result)
    return None


def _body(resource: Resource, view: _View, told: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": view.name, "uid": view.uid}
    if view.namespace:
        meta["namespace"] = view.namespace
    return {"apiVersion": API_VERSION, "kind": resource.kind, "metadata": meta, "status": told}


def _known(stored: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """The stored status without what schema defaults put there."""
    return {key: value for key, value in stored.items() if key in status or value}
