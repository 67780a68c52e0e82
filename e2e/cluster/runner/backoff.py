"""When a container that ended may start again: a kubelet's crash-loop back-off. Pure.

First restart at once, then after base, 2 x base, … up to the limit; a container that stayed up
for twice the limit starts over. Times are seconds of one monotonic clock.
"""

from dataclasses import dataclass

__all__ = ["CrashBackoff"]


@dataclass(slots=True)
class CrashBackoff:
    """The back-off of one container."""

    base: float = 10.0
    limit: float = 300.0
    _next: float = 0.0
    _updated: float | None = None

    def delay(self, ended: float) -> float:
        """Seconds to wait from ``ended`` until the next start."""
        if self._updated is None or ended - self._updated > 2 * self.limit:
            self._next = self.base
            self._updated = ended
            return 0.0
        delay = self._next
        self._next = min(self.limit, self._next * 2)
        self._updated = ended + delay
        return delay
