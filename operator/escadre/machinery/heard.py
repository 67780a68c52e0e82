"""The feed of a kind that somebody else watches: kopf, for the kinds of our own.

kopf hands over each object by a worker of its own. So nobody tells that a listing has ended, an
empty kind is silence, the order across objects is lost, and what was deleted while its watch was
down is never told (kopf 1.45). What is heard is therefore held to lists of names of our own, which
cost no whole objects: memory is complete when all that such a list names has been heard of, what it
does not name is gone, and every half a minute a count tells whether another one is needed.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from escadre.clients.kube import Api, ApiError, Gone, Json, Resource, Selection
from escadre.machinery.feed import USUAL, Held, Pace, Sink, back_off
from escadre.machinery.store import Key, key_of, version_of

__all__ = ["Heard"]

_FETCHED_AT_ONCE: Final = 50
_DELETED: Final = "DELETED"


class Heard:
    """See the module. ``hear`` is called by whoever watches, `run` by the memory it is for."""

    def __init__(self, api: Api, resource: Resource, pace: Pace = USUAL) -> None:
        self.resource = resource
        self._api = api
        self._pace = pace
        self.last_heard: float | None = None  # by the pace's clock
        self._sink: Sink | None = None
        self._named: Mapping[Key, Held] = {}
        self._named_at = 0  # the version of that list
        self._buried: dict[Key, int] = {}  # versions of deletions younger than it
        self._awaited: set[Key] = set()  # of those named, what was not heard of
        self._arrived = asyncio.Event()  # nothing is awaited

    def hear(self, kind: str | None, obj: Json) -> None:
        """An event of a watch, or an object of its listing (None); of one object in order."""
        self.last_heard = self._pace.clock()
        sink = self._sink
        if sink is None:
            return  # it is in the names list that comes first, and is told again or fetched
        sink.alive()
        key, version = key_of(obj), version_of(obj)
        if kind == _DELETED:
            self._buried[key] = max(version, self._buried.get(key, 0))
            sink.gone(obj)
        elif not self._is_history(key, obj["metadata"]["uid"], version):
            sink.upsert(obj)
        if key in self._awaited and not self._lacks(sink, key, self._named[key]):
            self._awaited.discard(key)
            self._tell_arrival()

    def _tell_arrival(self) -> None:
        if not self._awaited:
            self._arrived.set()

    def _is_history(self, key: Key, uid: str, version: int) -> bool:
        """Whether the object is known to be gone: not named any more, or deleted since."""
        if version <= self._buried.get(key, 0):
            return True
        named = self._named.get(key)
        return version <= self._named_at and (named is None or named.uid != uid)

    async def run(self, sink: Sink) -> None:
        """Until cancelled."""
        self._sink = sink
        try:
            while True:
                try:
                    await self._agree(sink)
                    while await self._counts(sink):  # noqa: ASYNC110 - nothing tells of it
                        await asyncio.sleep(self._pace.look_seconds)
                except ApiError as error:
                    await back_off(sink, self._pace, error)
        finally:
            self._sink = None

    async def _agree(self, sink: Sink) -> None:
        """Until all that a list names is in memory, and nothing else that is as old."""
        first = True
        while True:
            await self._list(sink)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.late_seconds):
                    await self._arrived.wait()
                sink.complete()
                return
            # Deleted meanwhile, and then the next list does not name it; or nobody tells of it.
            if not first:
                await self._fetch()
            first = False

    async def _list(self, sink: Sink) -> None:
        named, version = await self._names()
        sink.alive()
        self._named, self._named_at = named, version
        self._buried = {key: at for key, at in self._buried.items() if at > version}
        sink.only(named.keys(), version)
        self._awaited = {key for key, one in named.items() if self._lacks(sink, key, one)}
        self._arrived.clear()
        self._tell_arrival()

    async def _names(self) -> tuple[dict[Key, Held], int]:
        while True:
            try:
                return await self._pages()
            except Gone:
                continue  # the continue token has expired

    async def _pages(self) -> tuple[dict[Key, Held], int]:
        named: dict[Key, Held] = {}
        token = ""
        while True:
            page = await self._api.list_names(
                self.resource, limit=self._pace.names_size, continue_token=token
            )
            for one in page.items:
                named[key_of(one)] = Held(one["metadata"]["uid"], version_of(one))
            token = page.continue_token
            if not token:
                return named, int(page.resource_version)

    def _lacks(self, sink: Sink, key: Key, named: Held) -> bool:
        """Whether neither what was named nor anything younger of that name has been heard of."""
        held = sink.held(key)
        known = max(held.version if held else 0, self._buried.get(key, 0))
        return known < named.version

    async def _fetch(self) -> None:
        """By the right to list, which whoever watches has; a get is another right."""
        for namespace, name in sorted(self._awaited)[:_FETCHED_AT_ONCE]:
            one = Selection(namespace or None, fields=f"metadata.name={name}")
            page = await self._api.list_page(self.resource, one, limit=1)
            for found in page.items:
                self.hear(None, found)

    async def _counts(self, sink: Sink) -> bool:
        """Whether the server has as many objects as memory: a watch may be down unheard."""
        page = await self._api.list_page(self.resource, limit=1)
        sink.alive()
        return len(page.items) + page.remaining == len(sink)
