"""Work queue of the controller: each key once, urgent ones first, failing ones later.

As client-go's: a key that is added while it is being worked on runs once more afterwards, never
twice at the same time. On top: priorities (a user's edit overtakes a resync), turns between
groups (one namespace's hundred keys do not hold up another's one), delayed adds that serve as
debounce, and exponential backoff with jitter per key. Fed by informers and timers, drained by the
workers; it knows nothing of what a key means.

Invariants: a key is in at most one of `waiting` and `processing` plus `dirty`; every `get` is
followed by exactly one `done`.
"""

import asyncio
import heapq
import itertools
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Generic, TypeVar

from escadre.backoff import pause
from escadre.machinery.clock import Clock, Timer

__all__ = ["Priority", "ShutDown", "WorkQueue"]

K = TypeVar("K", bound=Hashable)

# Every so many turns the least urgent band goes first, so that it is never starved.
_TURN_OF_THE_LAST: Final = 10
_JITTER: Final = 0.2


class Priority(IntEnum):
    """How urgent a key is; smaller goes first."""

    BEGUN = 0  # what was begun is brought to its end before anything else is begun
    USER = 1  # somebody changed the object's spec and waits
    NORMAL = 2  # something it depends on changed
    RESYNC = 3  # first list, periodic look


class ShutDown(Exception):
    """The queue hands out no more keys."""


_URGENT: Final = (Priority.BEGUN, Priority.USER)


@dataclass(slots=True)
class _Filed:
    """A key that waits for a worker, or that one has."""

    priority: Priority
    since: float


class _Band(Generic[K]):
    """Keys of one priority: first in, first out within a group, turns between groups."""

    def __init__(self, group_of: Callable[[K], Hashable]) -> None:
        self._group_of = group_of
        self._groups: OrderedDict[Hashable, OrderedDict[K, None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def push(self, key: K) -> None:
        self._groups.setdefault(self._group_of(key), OrderedDict())[key] = None

    def pop(self) -> K:
        group, keys = self._groups.popitem(last=False)
        key, _ = keys.popitem(last=False)
        if keys:
            self._groups[group] = keys  # to the end: the next group's turn
        return key

    def remove(self, key: K) -> None:
        group = self._group_of(key)
        del self._groups[group][key]
        if not self._groups[group]:
            del self._groups[group]


class WorkQueue(Generic[K]):
    """See the module; not thread-safe, one event loop."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        group_of: Callable[[K], Hashable] = lambda _: None,
        base_delay: float = 0.2,
        max_delay: float = 60.0,
        rng: random.Random | None = None,
    ) -> None:
        self._given_clock = clock
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._bands: dict[Priority, _Band[K]] = {each: _Band(group_of) for each in Priority}
        self._waiting: dict[K, _Filed] = {}
        self._processing: dict[K, _Filed] = {}
        self._dirty: dict[K, Priority] = {}
        self._failures: dict[K, int] = {}
        self._delayed: dict[K, tuple[float, int, Priority]] = {}
        self._due: list[tuple[float, int, K]] = []
        self._sequence = itertools.count()
        self._timer: Timer | None = None
        self._turns = 0
        self._getters: deque[asyncio.Future[None]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return len(self._waiting)

    @property
    def processing(self) -> int:
        """Keys that a worker has."""
        return len(self._processing)

    @property
    def delayed(self) -> int:
        """Keys that wait for their time."""
        return len(self._delayed)

    @property
    def urgent(self) -> bool:
        """Whether anything waits or is worked on that somebody waits for."""
        return any(self._bands[each] for each in _URGENT) or any(
            each.priority in _URGENT for each in self._processing.values()
        )

    def oldest_age(self) -> float:
        """Seconds that the longest waiting key has waited; 0 when none does."""
        if not self._waiting:
            return 0.0
        return self._clock().time() - min(each.since for each in self._waiting.values())

    def oldest_processing_age(self) -> float:
        """Seconds since the longest running key was handed out; 0 when none runs."""
        if not self._processing:
            return 0.0
        return self._clock().time() - min(each.since for each in self._processing.values())

    def add(self, key: K, priority: Priority = Priority.NORMAL) -> None:
        """Have ``key`` worked on; waiting already, it only may become more urgent."""
        if self._closed:
            return
        if key in self._processing:
            self._dirty[key] = min(priority, self._dirty.get(key, priority))
            return
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = _Filed(priority, self._clock().time())
        elif priority < waiting.priority:
            self._bands[waiting.priority].remove(key)
            waiting.priority = priority
        else:
            return
        self._bands[priority].push(key)
        self._wake_one()

    def add_after(self, key: K, delay: float, priority: Priority = Priority.NORMAL) -> None:
        """Add ``key`` in ``delay`` seconds; of several times asked for, the earliest counts.

        So a burst of calls with one delay is a debounce: one run, ``delay`` after the first.
        """
        if self._closed:
            return
        if delay <= 0:
            self.add(key, priority)
            return
        when = self._clock().time() + delay
        known = self._delayed.get(key)
        if known is not None:
            priority = min(priority, known[2])
            if known[0] <= when:
                self._delayed[key] = (known[0], known[1], priority)
                return
        number = next(self._sequence)
        self._delayed[key] = (when, number, priority)
        heapq.heappush(self._due, (when, number, key))
        self._set_timer()

    def retry(self, key: K, priority: Priority = Priority.NORMAL) -> float:
        """Add ``key`` after its backoff, which doubles with each call until `forget`."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = pause(failures, first=self._base_delay, longest=self._max_delay)
        delay *= 1 + self._rng.uniform(-_JITTER, _JITTER)
        self.add_after(key, delay, priority)
        return delay

    def forget(self, key: K) -> None:
        """``key`` succeeded: its next failure waits the shortest time again."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """Failures of ``key`` since it last succeeded."""
        return self._failures.get(key, 0)

    async def get(self, room: int | None = None) -> K:
        """The next key; the caller must call `done` with it. Raises ShutDown.

        ``room``: no more keys than so many that are less urgent than an edit at a time.
        """
        while not self._closed:
            if band := self._next(room):
                return self._take(band)
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                # Woken and cancelled at once: the key must not wait for the next add.
                if getter.done() and not getter.cancelled() and self._waiting:
                    self._wake_one()
                raise
        raise ShutDown

    def done(self, key: K) -> None:
        """The worker has finished with ``key``; added meanwhile, it waits again."""
        del self._processing[key]
        if not self._processing:
            self._idle.set()
        priority = self._dirty.pop(key, None)
        if priority is not None:
            self.add(key, priority)

    async def shutdown(self, grace: float) -> bool:
        """Hand out no more keys, wait for those being worked on; False if ``grace`` ran out."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._getters:
            self._wake_one()
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _clock(self) -> Clock:
        return self._given_clock or asyncio.get_running_loop()

    def _next(self, room: int | None) -> _Band[K] | None:
        """The band whose turn it is, if any that may be worked on now has keys."""
        patient = sum(each.priority > Priority.USER for each in self._processing.values())
        least = Priority.RESYNC if room is None or patient < room else Priority.USER
        order = sorted(Priority, reverse=(self._turns + 1) % _TURN_OF_THE_LAST == 0)
        bands = (self._bands[each] for each in order if each <= least)
        return next((band for band in bands if band), None)

    def _take(self, band: _Band[K]) -> K:
        self._turns += 1
        key = band.pop()
        filed = self._processing[key] = self._waiting.pop(key)
        filed.since = self._clock().time()
        self._idle.clear()
        return key

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due and not self._closed:
            self._timer = self._clock().call_at(self._due[0][0], self._add_due)

    def _add_due(self) -> None:
        now = self._clock().time()
        while self._due and self._due[0][0] <= now:
            _, number, key = heapq.heappop(self._due)
            known = self._delayed.get(key)
            if known is not None and known[1] == number:  # else superseded by an earlier time
                del self._delayed[key]
                self.add(key, known[2])
        self._set_timer()
