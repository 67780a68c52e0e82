"""How evenly requests are shared among replicas, from what each of them holds. Pure.

By chance, as a Service chooses, the numbers of requests differ as much as Poisson's do, and each
replica is a queue of its own; a gateway that gives each request to the least loaded keeps them
alike, and n replicas are as one queue. So of each look

    the variance between the replicas, over its mean by chance, the mean number of requests

is counted, both without what must be since requests are whole. That is 1 by chance, more where
replicas differ, and about 0.1 behind such a gateway. One that begins, or fills up, makes it more:
on the safe side. Without several replicas, or with hardly a request, nothing is learned.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = ["BY_CHANCE", "Sharing", "as_one_queue"]

_SECONDS: Final = 900.0  # of looks that tell something, over which it is a mean
# Requests × seconds that what it begins from counts for: some tens of seconds of a busy replica.
_BEGUN: Final = 200.0
_BY_CHANCE: Final = 0.8  # times what chance makes on the mean, or less by chance
_STEP: Final = 0.1  # of the logarithm: so that capacities are reckoned for few numbers


class Sharing(NamedTuple):
    """Sums over time; ``begun`` is how even it is where they say nothing, from 0 to 1."""

    between: float = 0.0
    by_chance: float = 0.0
    begun: float = 0.0

    def after(self, requests: Sequence[int], seconds: float) -> "Sharing":
        """With what each replica holds, as it is for so many seconds."""
        count = len(requests)
        if count == 1 or not requests:
            return self
        mean = sum(requests) / count
        part = mean % 1
        whole = part * (1 - part) * count / (count - 1)
        chance = mean - whole
        if chance <= 0:
            return self
        between = sum([one * one for one in requests]) - count * mean * mean
        kept = math.exp(-seconds / _SECONDS)
        return Sharing(
            self.between * kept + (between / (count - 1) - whole) * seconds,
            self.by_chance * kept + chance * seconds,
            self.begun,
        )

    @property
    def even(self) -> float:
        """From 0, by chance, to 1, as one queue."""
        between = self.between + _BY_CHANCE * (1 - self.begun) * _BEGUN
        apart = between / (_BY_CHANCE * (self.by_chance + _BEGUN))
        return max(0.0, min(1 - apart, 1.0))


BY_CHANCE: Final = Sharing()


def as_one_queue(replicas: int, even: float) -> float:
    """As how many of them they are one queue: 1 or more, one of few numbers."""
    if replicas <= 1 or not even:
        return 1.0
    return math.exp(round(math.log(1 + (replicas - 1) * even) / _STEP) * _STEP)
