"""Waits for a condition with a deadline, and says what was last seen when it does not come.

Called by tests, by the demo and by the cluster itself. It looks again every few milliseconds;
nothing here waits a fixed time and hopes. Deadlines are written for a quiet machine: they say when
to give up, not how fast something is. On a busy one ``patience`` times as long is waited.
"""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["PATIENCE", "NotReachedError", "patience", "wait_for", "wait_for_async"]

# Set by the tests, which run beside each other and beside anything else; read by all processes
# of their clusters.
PATIENCE = "ESCADRE_PATIENCE"
_FIRST_INTERVAL = 0.02
_LAST_INTERVAL = 0.5


class NotReachedError(AssertionError):
    """The condition did not come true before its deadline."""

    def __init__(self, what: str, deadline: float, seen: object) -> None:
        shown = f"; last seen: {seen!r}" if seen else ""  # "False" tells nobody anything
        super().__init__(f"waiting for {what}: not within {deadline:g} s{shown}")


def patience() -> float:
    """How many times as long as written to wait for something before giving up."""
    return float(os.environ.get(PATIENCE) or 1)


def wait_for(
    predicate: Callable[[], Any],
    deadline: float,
    what: str,
    seen: Callable[[], object] | None = None,
) -> Any:
    """Call ``predicate`` until it returns something true, and return that.

    An AssertionError, LookupError or OSError of the predicate counts as "not yet" and is what the
    message shows. ``deadline`` is in seconds; ``seen`` may add what to show when time is up.
    """
    deadline *= patience()
    end = time.monotonic() + deadline
    interval = _FIRST_INTERVAL
    while True:
        last: object
        try:
            last = predicate()
            if last:
                return last
        except (AssertionError, LookupError, OSError) as error:
            last = error
        if time.monotonic() > end:
            raise NotReachedError(what, deadline, seen() if seen else last)
        time.sleep(interval)
        interval = min(interval * 1.5, _LAST_INTERVAL)


async def wait_for_async(
    predicate: Callable[[], Any | Awaitable[Any]],
    deadline: float,
    what: str,
) -> Any:
    """Like ``wait_for`` for an event loop; the predicate may be a coroutine function."""
    deadline *= patience()
    end = time.monotonic() + deadline
    interval = _FIRST_INTERVAL
    while True:
        last: object
        try:
            answer = predicate()
            last = await answer if inspect.isawaitable(answer) else answer
            if last:
                return last
        except (AssertionError, LookupError, OSError) as error:
            last = error
        if time.monotonic() > end:
            raise NotReachedError(what, deadline, last)
        await asyncio.sleep(interval)
        interval = min(interval * 1.5, _LAST_INTERVAL)
