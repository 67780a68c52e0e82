"""What the work queue needs of a clock: the time, and timers."""

from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "Timer"]


class Timer(Protocol):
    """What `Clock.call_at` returns."""

    def cancel(self) -> None:
        """Do not call."""
        ...


class Clock(Protocol):
    """Time and timers; an asyncio event loop is one."""

    def time(self) -> float:
        """Seconds, monotonic."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` at ``when``."""
        ...
