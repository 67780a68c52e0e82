"""Trying again, within bounds, when a mirror fails for a moment.

A read that broke off goes on behind the bytes that have arrived. Tries that bring next to nothing
are counted; one that brought at least ``worth`` bytes starts the count anew, so a flaky link
finishes and a dead one does not hold a pull up for ever.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from escadre.backoff import pause
from escadre.clients.sources.errors import MirrorError
from escadre.clients.sources.protocol import Data, RemoteFile, Sink
from escadre.clients.sources.reading import Reading
from escadre.errors import EscadreError

__all__ = ["Cancelled", "RetryPolicy", "Wait", "attempt", "read_to"]

_NOTICED: Final = 3.0  # seconds
_T = TypeVar("_T")
Wait = Callable[[float], bool]  # waits so many seconds; True when the work was called off


class Cancelled(EscadreError):
    """The work is no longer wanted; what has arrived is kept."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently.

    Args:
        tries: consecutive tries that may bring next to nothing.
        base: seconds before the second try, doubled for each further one.
        ceiling: most seconds between two tries.
        patience: longest Retry-After that is waited out here; a longer one ends the tries.
        worth: bytes that make a try count as progress.
        told: hears why, before a wait that a person would notice, and how many seconds it lasts.
    """

    tries: int = 6
    base: float = 0.5
    ceiling: float = 30.0
    patience: float = 120.0
    worth: int = 1024 * 1024
    told: Callable[[str, float], None] | None = None

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row: exponential with jitter."""
        full = pause(failures, first=self.base, longest=self.ceiling)
        return full * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    def wait_after(self, error: MirrorError, failures: int, wait: Wait) -> None:
        """Wait for the next try, or raise: ``error`` when there is none, Cancelled."""
        if not error.transient or failures >= self.tries or (error.delay or 0) > self.patience:
            raise error
        seconds = max(self.pause(failures), error.delay or 0.0)
        if self.told and seconds >= _NOTICED:
            self.told(error.message, seconds)
        if wait(seconds):
            raise Cancelled(f"called off while waiting after: {error.message}") from error


def attempt(work: Callable[[], _T], policy: RetryPolicy, wait: Wait) -> _T:
    """Do ``work``, again after transient faults; raises its last MirrorError, or Cancelled."""
    failures = 0
    while True:
        try:
            return work()
        except MirrorError as error:
            failures += 1
            policy.wait_after(error, failures, wait)


def read_to(
    reading: Reading, file: RemoteFile, end: int, *, sink: Sink, policy: RetryPolicy, wait: Wait
) -> None:
    """Hand a file's bytes up to ``end`` to ``sink``, each once.

    Raises the last MirrorError, or Cancelled.
    """
    failures = done = 0

    def arrived(piece: Data) -> None:
        nonlocal done
        sink(piece)
        done += len(piece)
        if wait(0):
            raise Cancelled(f"called off while reading {reading.source.url(file.path)}")

    while done < end:
        before = done
        try:
            reading.read(file, done, end, arrived)
        except MirrorError as error:
            failures = 1 if done - before >= policy.worth else failures + 1
            policy.wait_after(error, failures, wait)
