"""The port by which the objects of a kind come into memory, whoever watches them.

A `Sink` is the memory of one kind (machinery/informer.py), a `Feed` tells it what is so. Two feeds
exist: our own list and watch (machinery/listwatch.py), and what kopf hears, held to names lists of
our own (machinery/heard.py). One conformance file holds both to the same behaviour.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from escadre.backoff import pause
from escadre.clients.kube import ApiError, Json
from escadre.machinery.store import Key

__all__ = ["USUAL", "Feed", "Held", "Pace", "Sink", "back_off"]

_JITTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class Pace:
    """How a feed lists, watches, looks again and tries again. Pauses are doubled, with jitter.

    The whole objects of a page of every kind are the peak of memory, so pages are small; a page of
    names is a tenth of that. ``look_seconds`` is how often a count is compared, ``late_seconds``
    how long what a names list names may take to be heard of. With ``absent_seconds`` a resource
    that the server does not serve is one without objects, looked for again after so long.
    """

    page_size: int = 50
    names_size: int = 500
    watch_seconds: int = 300
    inactivity_seconds: float = 90.0
    look_seconds: float = 30.0
    late_seconds: float = 5.0
    first_pause: float = 0.5
    longest_pause: float = 10.0
    absent_seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    rng: random.Random = field(default_factory=random.Random)


USUAL: Final = Pace()


class Held(NamedTuple):
    """Which object memory has under a key."""

    uid: str
    version: int


class Sink(Protocol):
    """The memory of one kind. Versions only go up: what is older than what is held is dropped."""

    def upsert(self, obj: Json) -> None:
        """An object as it is listed, watched or heard of."""
        ...

    def gone(self, obj: Json) -> None:
        """A deletion; ``obj`` is the object's last state, of the version of its deletion."""
        ...

    def only(self, keys: Iterable[Key], version: int) -> None:
        """Everything there is at ``version``: what is not in ``keys`` and not younger is gone."""
        ...

    def saw(self, version: int) -> None:
        """A bookmark: nothing up to ``version`` is still to come."""
        ...

    def complete(self) -> None:
        """Memory has everything that a whole list named."""
        ...

    def held(self, key: Key) -> Held | None:
        """What memory has under ``key``."""
        ...

    def __len__(self) -> int:
        """How many objects memory has."""
        ...

    def alive(self) -> None:
        """The server answers."""
        ...

    def failing(self, error: ApiError | None) -> int:
        """It does not, or says nothing; returns how often in a row."""
        ...

    def restarted(self) -> None:
        """A watch ended and is taken up where it stopped."""
        ...


class Feed(Protocol):
    """Who tells the memory of one kind."""

    async def run(self, sink: Sink) -> None:
        """Keeps memory true until cancelled; errors of the server are shown and tried again."""
        ...


async def back_off(sink: Sink, pace: Pace, error: ApiError | None) -> None:
    """Waits before another try, the longer the more have failed in a row."""
    delay = pause(sink.failing(error), first=pace.first_pause, longest=pace.longest_pause)
    await asyncio.sleep(delay * (1 + pace.rng.uniform(-_JITTER, _JITTER)))
