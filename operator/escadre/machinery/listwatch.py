"""The feed of our own: list in pages, then watch from there.

A watch that ends is taken up where it stopped, one that is too old (410) leads to a new list whose
difference to memory becomes deletions. `run` ends only when cancelled: an unreachable or unwilling
server means stale memory and another try after a jittered back-off.
"""

import asyncio
import sys
from contextlib import aclosing
from typing import Final

from escadre.clients.kube import (
    EVERYTHING,
    Api,
    ApiError,
    Gone,
    NotFound,
    Resource,
    Selection,
    WatchEvent,
)
from escadre.machinery.feed import USUAL, Pace, Sink, back_off
from escadre.machinery.store import Key, key_of, version_of

__all__ = ["ListWatch"]

_TOO_SHORT_SECONDS: Final = 1.0  # a watch that ends sooner, without an event, is a failure


class ListWatch:
    """See the module."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        selection: Selection = EVERYTHING,
        pace: Pace = USUAL,
    ) -> None:
        self._api = api
        self._resource = resource
        self._selection = selection
        self._pace = pace
        self._version = ""

    async def run(self, sink: Sink) -> None:
        """Until cancelled."""
        while True:
            try:
                there = await self.once(sink)
            except ApiError as error:
                await back_off(sink, self._pace, error)
                continue
            if there:
                await self._follow(sink)
            else:
                await asyncio.sleep(self._pace.absent_seconds or self._pace.longest_pause)

    async def once(self, sink: Sink) -> bool:
        """Every page into memory, and the version to watch from; whether there is something to."""
        try:
            await self._list(sink)
        except NotFound:
            if self._pace.absent_seconds is None:
                raise
            sink.alive()
            sink.only((), sys.maxsize)  # nothing is there, of whatever version
            sink.complete()
            return False
        return True

    async def _list(self, sink: Sink) -> None:
        keys: set[Key] = set()
        token = ""
        while True:
            page = await self._api.list_page(
                self._resource,
                self._selection,
                limit=self._pace.page_size,
                continue_token=token,
            )
            sink.alive()
            for obj in page.items:
                keys.add(key_of(obj))
                sink.upsert(obj)
            page.items.clear()  # two pages of whole objects at once would be the peak of memory
            token = page.continue_token
            if not token:
                sink.only(keys, int(page.resource_version))
                sink.complete()
                self._version = page.resource_version
                return

    async def _follow(self, sink: Sink) -> None:
        """Watch, again and again, until only a new list can help."""
        while True:
            started, before = self._pace.clock(), self._version
            error: ApiError | None = None
            try:
                await self._watch_once(sink)
            except ApiError as raised:
                error = raised
            except TimeoutError:
                pass  # silent for too long: a frozen connection
            # A stream that ends at once and without a word must not be asked for in a tight loop.
            empty = self._version == before
            if empty and (error or self._pace.clock() - started < _TOO_SHORT_SECONDS):
                await back_off(sink, self._pace, error)
            if isinstance(error, Gone | NotFound):
                return
            sink.restarted()

    async def _watch_once(self, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        stream = self._api.watch(
            self._resource,
            self._selection,
            resource_version=self._version,
            timeout_seconds=self._pace.watch_seconds,
        )
        async with aclosing(stream), asyncio.timeout(self._pace.inactivity_seconds) as silence:
            async for event in stream:
                self._take(sink, event)
                silence.reschedule(loop.time() + self._pace.inactivity_seconds)

    def _take(self, sink: Sink, event: WatchEvent) -> None:
        sink.alive()
        match event.type:
            case "ADDED" | "MODIFIED":
                sink.upsert(event.object)
            case "DELETED":
                sink.gone(event.object)
            case "BOOKMARK":
                sink.saw(version_of(event.object))
        self._version = event.object["metadata"]["resourceVersion"]
