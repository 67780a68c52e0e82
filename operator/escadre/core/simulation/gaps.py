"""Times between tokens, counted in fine steps: a day of traffic has too many to keep each. Pure.

A bucket spans half a percent, so a quantile is right to a quarter of a percent.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Gaps", "quantile"]

_STEP: Final = math.log(1.005)
_NARROW: Final = 0.005


@dataclass(slots=True)
class Gaps:
    """A histogram of seconds."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float, count: int = 1) -> None:
        """``count`` gaps of ``seconds``, which is more than 0."""
        self.counts[round(math.log(seconds) / _STEP)] += count

    def add_growing(self, first: float, growth: float, steps: int, each: int) -> None:
        """``steps`` times ``each`` gaps, from ``first`` on, every step longer by ``growth``."""
        if growth * (steps - 1) <= _NARROW * first:
            self.add(first + growth * (steps - 1) / 2, steps * each)
            return
        half = steps // 2
        self.add_growing(first, growth, half, each)
        self.add_growing(first + growth * half, growth, steps - half, each)

    def merge(self, other: "Gaps") -> None:
        """Takes in what another has counted."""
        self.counts.update(other.counts)

    def quantile(self, share: float) -> float | None:
        """The gap that ``share`` of all do not pass, in seconds; None without any."""
        wanted = math.ceil(share * self.counts.total())
        for bucket, count in sorted(self.counts.items()):
            wanted -= count
            if wanted <= 0:
                return math.exp(bucket * _STEP)
        return None


def quantile(values: list[float], share: float) -> float | None:
    """The smallest value that ``share`` of them do not pass (nearest rank); None without any."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
