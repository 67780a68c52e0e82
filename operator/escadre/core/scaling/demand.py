"""Demand: the requests that an engine runs and holds, from the scrape to the decision.

clients/engine.py reads it, the demand loop dates and keeps it as a `Reading`, core/scaling decides
on it. What is missing is None, never zero. Pure.
"""

from dataclasses import dataclass, replace
from typing import Final

__all__ = ["QUIET_READINGS", "UNKNOWN", "Demand", "Reading", "read"]

# Two, because a request may be on its way to a pod that has just left the Service.
QUIET_READINGS: Final = 2


@dataclass(frozen=True, slots=True)
class Demand:
    """Requests, None where a number is not known. ``at``: when they were counted, None for never.

    Times are seconds since the epoch.
    """

    running: int | None
    waiting: int | None
    at: float | None = None

    @property
    def requests(self) -> int | None:
        """All of them, None when one of the numbers is unknown."""
        if self.running is None or self.waiting is None:
            return None
        return self.running + self.waiting


UNKNOWN: Final = Demand(None, None)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the last scrapes of one engine tell.

    ``quiet`` counts those in a row, since it left the Service, with nothing running or waiting.
    ``failure`` says why the last one gave no numbers; the numbers before it stay.
    """

    demand: Demand
    quiet: int = 0
    failure: str = ""

    @property
    def idle(self) -> bool:
        """Whether the engine has nothing left to finish."""
        return self.quiet >= QUIET_READINGS

    def failed(self, message: str) -> "Reading":
        """After a scrape that failed: nothing new is known."""
        return replace(self, failure=message)


def read(before: Reading | None, demand: Demand, *, leaving: bool) -> Reading:
    """After a scrape that went well; ``leaving``: the Service sends the engine nothing any more."""
    if not leaving or demand.requests != 0:
        return Reading(demand)
    return Reading(demand, quiet=(before.quiet if before else 0) + 1)
