"""Informer: one resource held in memory, kept true by a feed.

Its feed (machinery/feed.py) tells it what is so; what is kept of an object is up to the projection.
The controller reads from here and never from the server; handlers only put keys on the queue.
An unreachable or unwilling server means stale memory, shown by `last_activity` and `last_error`.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from typing_extensions import override

from escadre.clients.kube import EVERYTHING, Api, ApiError, Json, Resource, Selection
from escadre.machinery.feed import USUAL, Feed, Held, Pace, Sink
from escadre.machinery.listwatch import ListWatch
from escadre.machinery.store import Change, Index, Key, Store, Stored

__all__ = ["Handler", "Informer", "Pace", "Stored"]

T_co = TypeVar("T_co", bound=Stored, covariant=True)
# kind, old, new: exactly one of the two is None when an object appears or disappears
Handler = Callable[[str, T_co | None, T_co | None], None]


class Informer(Sink, Generic[T_co]):
    """See the module. Reads are synchronous and safe until the next await.

    Without ``feed`` it lists and watches by itself, what ``selection`` chooses.
    """

    def __init__(
        self,
        api: Api,
        resource: Resource,
        project: Callable[[Json], T_co],
        *,
        selection: Selection = EVERYTHING,
        indices: Mapping[str, Index[T_co]] | None = None,
        pace: Pace = USUAL,
        feed: Feed | None = None,
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self.watch_restarts = 0
        self.last_activity = pace.clock()
        self.last_error: ApiError | None = None
        self._clock = pace.clock
        self._own = ListWatch(api, resource, selection, pace)
        self._feed = feed or self._own
        self._store = Store(project, indices or {})
        self._handlers: list[Handler[T_co]] = []
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._failures = 0
        self._lists = 0

    @property
    def relists(self) -> int:
        """Whole lists after the first one."""
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

    @override
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
        await self._own.once(self)

    async def run(self) -> None:
        """Keep memory true until cancelled."""
        await self._feed.run(self)

    # -- what feeds say ---------------------------------------------------------------------------

    @override
    def upsert(self, obj: Json) -> None:
        self._tell(self._store.put(obj))

    @override
    def gone(self, obj: Json) -> None:
        self._tell(self._store.remove(obj))

    @override
    def only(self, keys: Iterable[Key], version: int) -> None:
        self._tell(self._store.keep_only(keys, version))
        self._lists += 1

    @override
    def saw(self, version: int) -> None:
        self._store.saw(version)

    @override
    def complete(self) -> None:
        self.synced.set()

    @override
    def held(self, key: Key) -> Held | None:
        one = self._store.get(key)
        return Held(one.uid, int(one.resource_version)) if one else None

    @override
    def alive(self) -> None:
        self.last_activity = self._clock()
        self.last_error = None
        self._failures = 0

    @override
    def failing(self, error: ApiError | None) -> int:
        self.last_error = error or self.last_error
        self._failures += 1
        return self._failures

    @override
    def restarted(self) -> None:
        self.watch_restarts += 1

    def _tell(self, changes: list[Change[T_co]]) -> None:
        if not changes:
            return
        for old, new in changes:
            for handler in self._handlers:
                handler(self.resource.kind, old, new)
        for predicate, future in self._waiters:
            if not future.done() and predicate():
                future.set_result(None)
