"""The last changes of a deployment's number of replicas, over restarts of the operator. Pure.

What was told is read back from the status; what came since is remembered. Kept small, for one is
held for each deployment.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from escadre.api.scalingstatus import CHANGES, LastScale
from escadre.reasons import Reason

__all__ = ["KEPT", "Change", "joined"]

KEPT: Final = CHANGES.most


class Change(NamedTuple):
    """From how many replicas to how many, for which demand; ``at`` in seconds since the epoch."""

    was: int
    to: int
    demand: int
    target: int
    reason: Reason
    at: int

    @staticmethod
    def of(told: LastScale) -> "Change":
        """As a status tells it."""
        at = int(told.at.timestamp())
        return Change(told.from_, told.to, told.demand, told.target, told.reason, at)

    def told(self) -> LastScale:
        """For a status."""
        return LastScale(
            from_=self.was,
            to=self.to,
            demand=self.demand,
            target=self.target,
            reason=self.reason,
            at=datetime.fromtimestamp(self.at, UTC),
        )


def joined(told: Iterable[Change], since: Iterable[Change]) -> tuple[Change, ...]:
    """Those that the status tells, then those that it does not tell yet; the newest alone."""
    known = tuple(told)
    last = known[-1].at if known else 0
    newer = (one for one in since if one.at > last)
    return (*known, *newer)[-KEPT:]
