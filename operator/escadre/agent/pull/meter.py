"""How far a pull is, how fast, and how long it will take.

Threads that pull report what arrives; whoever reports asks for a reading. The clock comes in as an
argument, so tests and reports see the same arithmetic.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from escadre.api.progress import Progress

__all__ = ["Meter", "Reading"]

_MEMORY: Final = 10.0  # seconds after which an old rate has faded to a third
_SILENT_AFTER: Final = 5.0  # seconds without a byte after which rate and time left are no more told
_LONGEST: Final = 1 << 31  # seconds that are told


@dataclass(frozen=True, slots=True)
class Reading:
    """A pull at one moment.

    Args:
        progress: bytes that are here (those of unfinished chunks included), the rate smoothed over
            some ten seconds, and the time left at it.
        arrived: bytes the mirror sent since the pull began, repeated ones included.
        seconds: since the pull began.
        silent_since: seconds since the epoch of the last byte, once none came for some seconds.
        hashing: what is on the disk is verified for some seconds, and nothing is asked for.
        asked: seconds since the mirror is asked for bytes.
        waits_until: seconds since the epoch until which the mirror asked to be left alone.
    """

    progress: Progress
    arrived: int
    seconds: float
    silent_since: float | None = None
    hashing: bool = False
    asked: float = 0.0
    waits_until: float | None = None


def _progress(done: int, total: int, rate: int) -> Progress:
    """``total`` is 0 while the manifest is not known: then a time left says nothing."""
    left = min(math.ceil((total - done) / rate), _LONGEST) if rate and total else None
    return Progress(bytes_done=done, bytes_total=total, bytes_per_second=rate, eta_seconds=left)


class Meter:
    """Counts the bytes of one pull; shared by threads.

    Args:
        clock: monotonic seconds.
        wall: seconds since the epoch, for people.
    """

    def __init__(self, clock: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        self._clock, self._wall = clock, wall
        self._lock = threading.Lock()
        self._begun = self._looked = self._heard = self._asked = clock()
        self._hashing = False
        self._waits_until: float | None = None
        self._heard_at = wall()
        self._done = self._total = self._arrived = self._seen = 0
        self._rate = 0.0

    def waits(self, seconds: float) -> None:
        """The mirror asked to be left alone for so long, and is."""
        with self._lock:
            self._waits_until = self._wall() + seconds

    def expect(self, total: int, done: int) -> None:
        """Say how much there is in all and how much of it was here before."""
        with self._lock:
            self._total, self._done = total, done

    @contextmanager
    def hashing(self) -> Iterator[None]:
        """Work on the disk alone, during which the mirror is neither silent nor slow."""
        self._hashing = True
        try:
            yield
        finally:
            with self._lock:
                self._hashing = False
                self._heard = self._asked = self._looked = self._clock()
                self._heard_at = self._wall()

    def arrived(self, count: int) -> None:
        """Bytes came from the mirror."""
        with self._lock:
            self._done += count
            self._arrived += count
            self._heard, self._heard_at = self._clock(), self._wall()
            self._waits_until = None

    def lost(self, count: int) -> None:
        """Bytes that came were not the right ones or have to come again."""
        with self._lock:
            self._done -= count

    def reading(self) -> Reading:
        """Where the pull is now; the rate is smoothed from reading to reading."""
        with self._lock:
            now = self._clock()
            if (passed := now - self._looked) > 0:
                fresh = (self._arrived - self._seen) / passed
                # After a silence the rate of before says nothing.
                anew = self._looked == self._asked or self._rate == 0
                weight = 1.0 if anew else 1 - math.exp(-passed / _MEMORY)
                self._rate += weight * (fresh - self._rate)
                self._looked, self._seen = now, self._arrived
            quiet = now - self._heard >= _SILENT_AFTER
            if quiet:
                self._rate = 0.0
            waits = quiet and self._waits_until is not None and self._waits_until > self._wall()
            return Reading(
                progress=_progress(self._done, self._total, round(self._rate)),
                arrived=self._arrived,
                seconds=now - self._begun,
                silent_since=self._heard_at if quiet and not self._hashing else None,
                hashing=quiet and self._hashing,
                asked=now - self._asked,
                waits_until=self._waits_until if waits else None,
            )
