"""At most so many bytes a second over all requests of a pull. Pure; the clock is an argument.

Kept by agent/pull/transfer.py under its lock.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["Throttle"]

_BURST: Final = 0.25  # seconds of bytes that may come at once after a pause


@dataclass(slots=True)
class Throttle:
    """The cap.

    Args:
        rate: bytes per second.
        paid: until when the bytes that came are paid for.
    """

    rate: float
    paid: float = 0.0

    def pause(self, count: int, now: float) -> float:
        """Seconds to read nothing after ``count`` bytes came."""
        self.paid = max(self.paid, now - _BURST) + count / self.rate
        return max(0.0, self.paid - now)
