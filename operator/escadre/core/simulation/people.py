"""How many replicas, GPUs and nodes so many people need, by figures of public traces. Pure.

What one replica holds (sizing.py) divides what all of them ask for at the busiest time. Both are
known as a range, so the answer is one. cli/simulate asks; docs/use/simulate.md has the sources.
"""

import math
from dataclasses import dataclass
from typing import Final

from escadre.core.engines.amounts import ceil_div
from escadre.core.simulation.sizing import Held

__all__ = ["PEAK_TO_MEAN", "SOURCE_OF_PEAKS", "Needed", "Terms", "busiest", "needed"]

# Busiest to mean rate of the sum of all clients, over two weeks: the least and the most of the
# three models of general use (m-mid 1.92, m-large 2.98, m-small 3.30).
PEAK_TO_MEAN: Final = (1.92, 3.30)
SOURCE_OF_PEAKS: Final = "alibaba/ServeGen data, m-mid and m-small, two weeks"
_DAY: Final = 86400


@dataclass(frozen=True, slots=True)
class Terms:
    """What replicas are, whatever one holds.

    Args:
        gpus: of one replica.
        largest: GPUs of the largest node that takes one.
        smallest: GPUs of the smallest node that takes one.
        minimum: replicas that run anyway.
        spare: replicas beyond what is asked for.
    """

    gpus: int
    largest: int
    smallest: int
    minimum: int = 1
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Needed:
    """For one end of the range."""

    replicas: int
    gpus: int
    nodes: int


def busiest(users: int, per_day: int) -> tuple[float, float]:
    """Requests per second at the busiest time of the flattest day, and of the steepest."""
    mean = users * per_day / _DAY
    return mean * PEAK_TO_MEAN[0], mean * PEAK_TO_MEAN[1]


def needed(
    peak: tuple[float, float], held: tuple[Held, Held], terms: Terms
) -> tuple[Needed, Needed]:
    """The least: the flattest day, the most that was held, the largest nodes. And the most.

    ``peak`` is what `busiest` found.
    """
    (flat, steep), (least, most) = peak, held
    return (
        _needed(flat, most, terms, terms.largest),
        _needed(steep, least, terms, terms.smallest),
    )


def _needed(rate: float, held: Held, terms: Terms, node: int) -> Needed:
    replicas = max(terms.minimum, math.ceil(rate / held.per_second) + terms.spare)
    together = max(1, node // terms.gpus)  # replicas of one node
    return Needed(replicas, replicas * terms.gpus, ceil_div(replicas, together))
