"""Writes a status: last in a pass, only if it changed, seldom when only numbers did.

What a deployment goes through in passing waits a moment for what comes next.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from zlib import crc32

from escadre.api.base import Model
from escadre.api.wire import dump
from escadre.clients.kube import NotFound, Resource
from escadre.controller.context import Context
from escadre.core.status.moments import MOMENT_SECONDS
from escadre.machinery.diff import holds
from escadre.machinery.informer import Informer
from escadre.machinery.packing import unpack
from escadre.machinery.store import Stored
from escadre.names import API_VERSION
from escadre.state.memory import Written

__all__ = ["Draft", "Pace", "draft_of", "wait_of_numbers", "write_draft", "write_status"]

_EARLY_SECONDS: Final = 0.05  # the clock of the queue is another one
# Mere numbers are to be no load: of a large fleet so many statuses a second are written for them,
# as long as none is older than the longest.
_NUMBERS_PER_SECOND: Final = 5
_LONGEST_SECONDS: Final = 300.0


class _View(Stored, Protocol):
    """An object with a status, as the caches keep it."""

    @property
    def stored(self) -> bytes:
        """The status."""
        ...


_Seen = TypeVar("_Seen", bound=_View)


@dataclass(frozen=True, slots=True)
class Pace:
    """How urgent a status is.

    ``essence`` is what it says but for numbers; it is asked for only when something differs.
    ``passing``: all that it says anew goes on by itself.
    """

    essence: Callable[[], bytes]
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be written of a status; ``told`` None: nothing, or not yet.

    ``left`` is in how many seconds it may be written, None when nothing waits. ``soon``: it waits
    a moment only.
    """

    told: dict[str, Any] | None = None
    essence: bytes | None = None
    left: float | None = None
    soon: bool = False


def draft_of(context: Context, view: _View, status: Model, pace: Pace | None = None) -> Draft:
    """Compares ``status`` with what ``view`` has stored.

    What has no ``pace`` is written at once, and so is what differs when nobody remembers what was
    said last, but for what is passing.
    """
    told, stored = dump(status), unpack(view.stored)
    unsaid = context.memory.unsaid
    if holds(told, stored) and holds(_known(stored, told), told):
        unsaid.pop(view.uid, None)
        return Draft()
    if pace is None:
        return Draft(told)
    now, last = context.now(), context.memory.status_written.get(view.uid)
    said = pace.essence() if last is not None else None
    if last is not None and last.essence == said:
        left = wait_of_numbers(context, view.uid)
        return Draft(left=left) if left > _EARLY_SECONDS else Draft(told, said)
    if _edited(stored, told):  # what was heard of since the pass began is still to be told
        return Draft(told, said or pace.essence())
    if pace.passing:
        waited = now - unsaid.setdefault(view.uid, now)
        if 0 <= waited < MOMENT_SECONDS - _EARLY_SECONDS:  # a clock may be set back
            return Draft(left=MOMENT_SECONDS - waited, soon=True)
    unsaid.pop(view.uid, None)
    return Draft(told, said or pace.essence())


def wait_of_numbers(context: Context, uid: str) -> float:
    """In how many seconds a status of an object may be written in which only numbers differ.

    In a large fleet each has its own moment of a period: what all had to tell at once, after a
    change of the leader, would else be told anew by all at once for ever.
    """
    last = context.memory.status_written.get(uid)
    if last is None:
        return 0.0
    least = context.settings.operator.status_interval_seconds
    period = min(len(context.caches.deployments) / _NUMBERS_PER_SECOND, _LONGEST_SECONDS)
    may = last.at + least
    if period > least:
        moment = crc32(uid.encode()) / 2**32 * period
        may += (moment - may) % period
    return max(0.0, may - context.now())


async def write_draft(context: Context, cache: Informer[_Seen], view: _Seen, draft: Draft) -> None:
    """Applies what is to be written, if anything is."""
    if draft.told is None:
        return
    try:
        result = await context.api.apply(
            cache.resource, _body(cache.resource, view, draft.told), subresource="status"
        )
    except NotFound:
        return  # deleted meanwhile: there is nobody left to tell
    context.memory.status_written[view.uid] = Written(
        context.now(), draft.essence, result["metadata"]["resourceVersion"]
    )
    cache.note_write(result)


async def write_status(
    context: Context, cache: Informer[_Seen], view: _Seen, status: Model
) -> None:
    """Applies ``status`` where it differs from what ``view`` has stored."""
    await write_draft(context, cache, view, draft_of(context, view, status))


def _edited(stored: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether it is the first that is said of an edit; a new object's user waits for Ready."""
    before: int | None = stored.get("observedGeneration")
    return before is not None and before > 0 and before != told.get("observedGeneration")


def _body(resource: Resource, view: _View, told: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": view.name, "uid": view.uid}
    if view.namespace:
        meta["namespace"] = view.namespace
    return {"apiVersion": API_VERSION, "kind": resource.kind, "metadata": meta, "status": told}


def _known(stored: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """The stored status without what schema defaults put there."""
    return {key: value for key, value in stored.items() if key in status or value}
