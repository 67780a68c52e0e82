"""Informer: one resource held in memory, kept true by list and watch.

Lists in pages, then watches from there; a watch that ends is taken up where it stopped, one that is
too old (410) leads to a new list whose difference to memory becomes synthetic deletions. What is
kept of an object is up to the projection. The controller reads from here and never from the server;
handlers only put keys on the queue.

`run` ends only when cancelled: an unreachable or unwilling server means stale memory, shown by
`last_activity` and `last_error`, and another try after a jittered backoff.
"""

import asyncio
import random
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from escadre.backoff import pause
from escadre.clients.kube import (
    EVERYTHING,
    Api,
    ApiError,
    Gone,
    Json,
    NotFound,
    Resource,
    Selection,
    WatchEvent,
)
from escadre.machinery.store import Change, Index, Key, Store, Stored, key_of, version_of

__all__ = ["Handler", "Informer", "Pace", "Stored"]

T_co = TypeVar("T_co", bound=Stored, covariant=True)
# kind, old, new: exactly one of the two is None when an object appears or disappears
Handler = Callable[[str, T_co | None, T_co | None], None]

_JITTER: Final = 0.2
_TOO_SHORT_SECONDS: Final = 1.0  # a watch that ends sooner, without an event, is a failure


@dataclass(frozen=True, slots=True)
class Pace:
    """How an informer lists, watches and tries again. Pauses are doubled, with jitter.

    The whole objects of a page of every kind are the peak of memory, so pages are small.
    """

    page_size: int = 50
    watch_seconds: int = 300
    inactivity_seconds: float = 90.0
    first_pause: float = 0.5
    longest_pause: float = 10.0
    clock: Callable[[], float] = time.monotonic
    rng: random.Random = field(default_factory=random.Random)


_USUAL: Final = Pace()


class Informer(Generic[T_co]):
    """See the module. Reads are synchronous and safe until the next await."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        project: Callable[[Json], T_co],
        *,
        selection: Selection = EVERYTHING,
        indices: Mapping[str, Index[T_co]] | None = None,
        pace: Pace = _USUAL,
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self.watch_restarts = 0
        self.last_activity = pace.clock()
        self.last_error: ApiError | None = None
        self._api = api
        self._selection = selection
        self._pace = pace
        self._store = Store(project, indices or {})
        self._handlers: list[Handler[T_co]] = []
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._failures = 0
        self._lists = 0
        self._version = ""

    @property
    def relists(self) -> int:
        """Lists after the first one."""
        return max(0, self._lists - 1)

    def on_change(self, handler: Handler[T_co]) -> None:
        """Call ``handler`` after every change of memory; register before `run`."""
        self._handlers.append(handler)

    def get(self, name: str, namespace: str = "") -> T_co | None:
        """One object from memory."""
        return self._store.get((namespace, name))

    def values(self) -> Iterable[T_co]:
        """All objects; not to be iterated across an await."""
        return self._store.values()

    def by(self, index: str, value: Hashable) -> tuple[T_co, ...]:
        """The objects that ``index`` files under ``value``."""
        return self._store.by(index, value)

    def __len__(self) -> int:
        return len(self._store)

    def note_write(self, obj: Json) -> None:
        """Take in the answer of our own write, so that memory is never older than it."""
        if self.synced.is_set():
            self._tell(self._store.note(obj))

    async def wait_until(self, predicate: Callable[[], bool], within: float) -> bool:
        """Wait until ``predicate`` holds, looked at again after every change; False if never."""
        if predicate():
            return True
        future = asyncio.get_running_loop().create_future()
        entry = (predicate, future)
        self._waiters.append(entry)
        try:
            async with asyncio.timeout(within):
                await future
        except TimeoutError:
            return predicate()
        finally:
            self._waiters.remove(entry)
        return True

    async def refresh(self) -> None:
        """One list into memory, without a watch: for passes that bring their own rhythm."""
        await self._list()
        self._lists += 1
        self.synced.set()

    async def run(self) -> None:
        """Keep memory true until cancelled."""
        while True:
            try:
                await self._list()
            except ApiError as error:
                await self._back_off(error)
                continue
            self._lists += 1
            self.synced.set()
            await self._follow()

    async def _list(self) -> None:
        """Every page into memory, and the version to watch from."""
        keys: set[Key] = set()
        token = ""
        while True:
            page = await self._api.list_page(
                self.resource,
                self._selection,
                limit=self._pace.page_size,
                continue_token=token,
            )
            self._alive()
            for obj in page.items:
                keys.add(key_of(obj))
                self._tell(self._store.put(obj))
            page.items.clear()  # two pages of whole objects at once would be the peak of memory
            token = page.continue_token
            if not token:
                self._tell(self._store.keep_only(keys, int(page.resource_version)))
                self._version = page.resource_version
                return

    async def _follow(self) -> None:
        """Watch, again and again, until only a new list can help."""
        while True:
            started, before = self._pace.clock(), self._version
            error: ApiError | None = None
            try:
                await self._watch_once()
            except ApiError as raised:
                error = raised
            except TimeoutError:
                pass  # silent for too long: a frozen connection
            # A stream that ends at once and without a word must not be asked for in a tight loop.
            empty = self._version == before
            if empty and (error or self._pace.clock() - started < _TOO_SHORT_SECONDS):
                await self._back_off(error)
            if isinstance(error, Gone | NotFound):
                return
            self.watch_restarts += 1

    async def _watch_once(self) -> None:
        loop = asyncio.get_running_loop()
        stream = self._api.watch(
            self.resource,
            self._selection,
            resource_version=self._version,
            timeout_seconds=self._pace.watch_seconds,
        )
        async with aclosing(stream), asyncio.timeout(self._pace.inactivity_seconds) as silence:
            async for event in stream:
                self._take(event)
                silence.reschedule(loop.time() + self._pace.inactivity_seconds)

    def _take(self, event: WatchEvent) -> None:
        self._alive()
        match event.type:
            case "ADDED" | "MODIFIED":
                self._tell(self._store.put(event.object))
            case "DELETED":
                self._tell(self._store.remove(event.object))
            case "BOOKMARK":
                self._store.saw(version_of(event.object))
        self._version = event.object["metadata"]["resourceVersion"]

    def _tell(self, changes: list[Change[T_co]]) -> None:
        if not changes:
            return
        for old, new in changes:
            for handler in self._handlers:
                handler(self.resource.kind, old, new)
        for predicate, future in self._waiters:
            if not future.done() and predicate():
                future.set_result(None)

    def _alive(self) -> None:
        self.last_activity = self._pace.clock()
        self.last_error = None
        self._failures = 0

    async def _back_off(self, error: ApiError | None) -> None:
        self.last_error = error or self.last_error
        self._failures += 1
        pace = self._pace
        delay = pause(self._failures, first=pace.first_pause, longest=pace.longest_pause)
        await asyncio.sleep(delay * (1 + pace.rng.uniform(-_JITTER, _JITTER)))
