"""kopf as a feed meets it, on the fake API server: each object by a worker of its own.

Never kinder than kopf 1.45: nobody tells that a listing has ended, the order across objects is
lost, and a new list after a gap tells of no deletion.
"""

import asyncio
import random
from collections.abc import Iterable
from contextlib import aclosing

from tests.fakes.kube import FakeApi

from escadre.clients.kube import ApiError, Gone, Json
from escadre.machinery.heard import Heard

__all__ = ["FakeKopf"]

_PAUSE = 0.001


class FakeKopf:
    """Watches for ``heard`` until cancelled; with ``rng``, workers are slow as it likes."""

    def __init__(
        self, api: FakeApi, heard: Iterable[Heard], rng: random.Random | None = None
    ) -> None:
        self._api = api
        self._heard = tuple(heard)
        self._rng = rng
        self._workers: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for feed in self._heard:
                    group.create_task(self._watch(feed))
        finally:
            for worker in self._workers.values():
                worker.cancel()
            await asyncio.gather(*self._workers.values(), return_exceptions=True)

    async def _watch(self, feed: Heard) -> None:
        while True:
            try:
                version = await self._list(feed)
                while True:
                    version = await self._follow(feed, version)
                    await asyncio.sleep(_PAUSE)
            except Gone:
                continue
            except ApiError:
                await asyncio.sleep(_PAUSE)

    async def _list(self, feed: Heard) -> str:
        token = ""
        while True:
            page = await self._api.list_page(feed.resource, limit=2, continue_token=token)
            for obj in page.items:
                self._hand(feed, None, obj)
            token = page.continue_token
            if not token:
                return page.resource_version

    async def _follow(self, feed: Heard, version: str) -> str:
        async with aclosing(self._api.watch(feed.resource, resource_version=version)) as stream:
            async for event in stream:
                version = event.object["metadata"]["resourceVersion"]
                if event.type != "BOOKMARK":
                    self._hand(feed, event.type, event.object)
        return version

    def _hand(self, feed: Heard, kind: str | None, obj: Json) -> None:
        if self._rng is None:
            feed.hear(kind, obj)
            return
        uid = obj["metadata"]["uid"]
        before = self._workers.get(uid)
        delay = self._rng.random() * 3 * _PAUSE

        async def late() -> None:
            if before is not None:
                await asyncio.gather(before, return_exceptions=True)
            await asyncio.sleep(delay)
            feed.hear(kind, obj)

        self._workers[uid] = asyncio.create_task(late())
