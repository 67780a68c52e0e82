"""How many requests of a pull may be under way at once. Pure; the clock comes in as an argument.

One value for the whole pull, so that its own tries never add to the load that makes a mirror
refuse: it begins at one, grows by one with each request that is answered quickly, and falls to
what goes on when one is refused. A mirror that lets five in is left alone with five, and asked for
a sixth after pauses that double. Held by agent/pull/handout.py.
"""

from dataclasses import dataclass, replace
from typing import Final

__all__ = ["FIRST_HOLD", "LONGEST_HOLD", "QUICK", "Width"]

QUICK: Final = 2.0  # seconds to the first byte up to which a further request is worth a try
FIRST_HOLD: Final = 5.0  # seconds after a refusal without a further request
LONGEST_HOLD: Final = 300.0


@dataclass(frozen=True, slots=True)
class Width:
    """The width now.

    Args:
        ceiling: most requests at once.
        limit: how many may be under way now.
        wider_at: no further growth before.
        quiet_until: no request at all begins before.
        hold: seconds without growth after the next refusal.
        refused_at: how many were under way when one was refused, 0 when that is overcome.
    """

    ceiling: int
    limit: int = 1
    wider_at: float = 0.0
    quiet_until: float = 0.0
    hold: float = FIRST_HOLD
    refused_at: int = 0

    def room(self, busy: int, now: float) -> bool:
        """Whether one more may be asked for beside ``busy``."""
        return busy < self.limit and now >= self.quiet_until

    def grown(self, served: int, now: float) -> "Width":
        """While the mirror serves so many requests at once; only what is used up grows."""
        overcome = served >= self.refused_at
        calm = replace(self, refused_at=0, hold=FIRST_HOLD) if overcome else self
        if served < self.limit or now < self.wider_at or self.limit >= self.ceiling:
            return calm
        return replace(calm, limit=self.limit + 1)

    def shrunk(self, others: int, now: float, pause: float, asked: float) -> "Width":
        """After a refusal, while ``others`` go on.

        Args:
            others: requests still under way.
            now: seconds.
            pause: before the refused one may try again.
            asked: seconds the mirror asked to wait, 0 when it said nothing.
        """
        again = now < self.wider_at  # several refusals of one moment are one
        return replace(
            self,
            limit=max(1, min(self.limit, others)),
            wider_at=max(self.wider_at, now + max(self.hold, asked)),
            quiet_until=self.quiet_until if others else now + max(pause, asked),
            hold=self.hold if again else min(LONGEST_HOLD, 2 * self.hold),
            refused_at=others + 1,
        )
