"""What a contender is: who decides, with which settings, and how its policy is made. Pure data.

contenders.py lists them. A contender has settings: its defaults, and others that tuning may try, as
many for each.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from e2e.bench.autoscale.scenarios import Scenario
from escadre.core.simulation.deciding import Policy, Sight
from escadre.core.simulation.replica import ReplicaModel, Request

__all__ = ["Contender", "Given", "Kind", "Settings", "World"]

Settings: TypeAlias = tuple[tuple[str, Any], ...]
Given: TypeAlias = Mapping[str, Any]
Kind = Literal["ours", "peer", "bound"]
_TRIED: Final = 16  # settings of each contender, its defaults among them


@dataclass(frozen=True, slots=True)
class World:
    """What a policy is made for: one deployment of a run. ``requests`` are for the oracle alone."""

    scenario: Scenario
    model: ReplicaModel
    requests: Sequence[Request]

    def sight(self, own: Sight) -> Sight:
        """How it comes by its numbers: its own way, unless the scenario says how all do."""
        return self.scenario.sight or own


@dataclass(frozen=True, slots=True)
class Contender:
    """Who decides.

    Args:
        kind: ours, a peer to be compared with, or a bound.
        code: files and folders of the repository that it decides by, beside what is the same for
            all: with other code its results are void (digests.py).
        memory: seconds; what was before them is of no effect on what it decides, so only so much is
            played before what counts, one draw of the trace at most.
    """

    name: str
    kind: Kind
    default: Given
    space: Mapping[str, Sequence[Any]]
    make: Callable[[Given, World], Policy]
    code: tuple[str, ...] = ()
    memory: float = 3600.0

    def settings(self) -> list[Settings]:
        """The defaults, then others of the space, drawn once and for all.

        As a Latin hypercube: each value of a name comes as often as its others, for with so few
        draws chance alone would leave some values out.
        """
        rng = random.Random(f"settings of {self.name}")  # noqa: S311 - draws, not secrets
        found = {tuple(sorted(self.default.items())): None}
        for _ in range(_TRIED):
            columns = [_spread(rng, values) for _, values in sorted(self.space.items())]
            for drawn in zip(*columns, strict=True):
                if len(found) < _TRIED:
                    found[tuple(zip(sorted(self.space), drawn, strict=True))] = None
        return list(found)


def _spread(rng: random.Random, values: Sequence[Any]) -> list[Any]:
    """As many as are drawn, each of them as often as the others or once more, in any order."""
    drawn = _TRIED - 1
    among = rng.sample(values, len(values)) * math.ceil(drawn / len(values))
    return rng.sample(among[:drawn], drawn)
