"""Writes a status: last in a pass, only if it changed, seldom when only numbers did."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from escadre.api.base import Model
from escadre.api.wire import dump
from escadre.clients.kube import NotFound, Resource
from escadre.controller.context import Context
from escadre.machinery.diff import holds
from escadre.machinery.informer import Informer
from escadre.machinery.packing import unpack
from escadre.machinery.store import Stored
from escadre.names import API_VERSION
from escadre.state.memory import Written

__all__ = ["write_status"]


class _View(Stored, Protocol):
    """An object with a status, as the caches keep it."""

    @property
    def stored(self) -> bytes:
        """The status."""
        ...


_Seen = TypeVar("_Seen", bound=_View)


async def write_status(
    context: Context,
    cache: Informer[_Seen],
    view: _Seen,
    status: Model,
    essence: Callable[[], bytes] | None = None,
) -> float | None:
    """Applies ``status`` where it differs from what ``view`` has stored.

    ``essence`` is what it says but for numbers; it is asked for only when something differs. What
    has none is written at once, and so is what differs when nobody remembers what was said last.

    Returns:
        Seconds after which a change of mere numbers may be written, None when nothing waits.
    """
    told, stored = dump(status), unpack(view.stored)
    if holds(told, stored) and holds(_known(stored, told), told):
        return None
    now = context.now()
    said = essence() if essence else None
    last = context.memory.status_written.get(view.uid)
    if last is not None and said is not None and last.essence == said:
        left = last.at + context.settings.operator.status_interval_seconds - now
        if left > 0:
            return left
    try:
        result = await context.api.apply(
            cache.resource, _body(cache.resource, view, told), subresource="status"
        )
    except NotFound:
        return None  # deleted meanwhile: there is nobody left to tell
    context.memory.status_written[view.uid] = Written(context.now(), said)
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
