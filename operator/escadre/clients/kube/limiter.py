"""Token bucket in front of the API server: a polite third party limits itself.

Used by `KubeApi` for every request but the renewals of watches. FIFO: a waiter reserves its token
at once, so that late comers cannot overtake.
"""

import asyncio
from collections.abc import Callable

__all__ = ["TokenBucket"]


class TokenBucket:
    """``qps`` requests per second on average, ``burst`` at once; qps 0 = no limit."""

    def __init__(self, qps: float, burst: int, clock: Callable[[], float]) -> None:
        self._qps = qps
        self._burst = max(1, burst)
        self._clock = clock
        self._tokens = float(self._burst)
        self._at = clock()

    def reserve(self) -> float:
        """Take one token and say how many seconds to wait before using it."""
        if self._qps <= 0:
            return 0.0
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._qps)
        self._at = now
        self._tokens -= 1
        return 0.0 if self._tokens >= 0 else -self._tokens / self._qps

    def give_back(self) -> None:
        """Return a reserved token that will not be used."""
        self._tokens = min(self._burst, self._tokens + 1)

    async def wait(self, limit: float) -> bool:
        """Wait for a token, at most ``limit`` seconds; False (at once) if it would be longer."""
        delay = self.reserve()
        if delay > limit:
            self.give_back()
            return False
        if delay > 0:
            try:
                await asyncio.sleep(delay)
            except asyncio.CancelledError:
                self.give_back()
                raise
        return True
