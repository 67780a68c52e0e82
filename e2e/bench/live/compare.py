"""Judges live runs beside simulated ones: replica-seconds and the time to the first token. Pure.

A run for which the machine had no idle processor time says something about the machine only: it is
void. Each measure is compared by its median over the runs that count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

__all__ = ["Measured", "Verdict", "judge"]

_SHARE: Final = 0.2  # what may lie between the two sides, of the live one
_SECONDS: Final = 1.0  # or so much, of times to the first token
_MEASURES: Final = (
    ("replicaSeconds", "replica_seconds", 0.0),
    ("firstTokenP50", "first_p50", _SECONDS),
    ("firstTokenP95", "first_p95", _SECONDS),
)
_LEAST_IDLE: Final = 0.1  # of all processors, in the busiest ten seconds of a run


@dataclass(frozen=True, slots=True)
class Measured:
    """One run, live or simulated.

    Args:
        replica_seconds: from the making of each replica until it is gone.
        first_p50: seconds to the first token.
        idle: share of processor time left in the busiest ten seconds; 1 in virtual time.
    """

    requests: int
    lost: int
    replica_seconds: float
    first_p50: float
    first_p95: float
    most_replicas: int
    changes: int
    idle: float = 1.0

    @property
    def void(self) -> bool:
        """Whether the machine was too busy for its times to say something."""
        return self.idle < _LEAST_IDLE


@dataclass(frozen=True, slots=True)
class Verdict:
    """One measure on both sides, and what may lie between them."""

    name: str
    live: float
    simulated: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether they agree as far as is asked."""
        return abs(self.live - self.simulated) <= self.allowed

    def document(self) -> dict[str, Any]:
        """For the report."""
        numbers = {"live": self.live, "simulated": self.simulated, "allowed": self.allowed}
        return {key: round(number, 3) for key, number in numbers.items()} | {"holds": self.holds}


def judge(live: Sequence[Measured], simulated: Sequence[Measured]) -> list[Verdict]:
    """By the medians of the runs that are not void; none without such a run."""
    counted = [one for one in live if not one.void]
    if not counted:
        return []
    return [
        _verdict(name, _of(counted, member), _of(simulated, member), least)
        for name, member, least in _MEASURES
    ]


def _of(side: Sequence[Measured], member: str) -> float:
    return float(median(getattr(one, member) for one in side))


def _verdict(name: str, live: float, simulated: float, least: float) -> Verdict:
    return Verdict(name, live, simulated, max(_SHARE * live, least))
