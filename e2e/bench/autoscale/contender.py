"""What a contender is: who decides, with which settings, and how its policy is made. Pure data.

contenders.py lists them. A contender has settings: its defaults, and others that tuning may try, as
many for each.
"""

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
    """

    name: str
    kind: Kind
    default: Given
    space: Mapping[str, Sequence[Any]]
    make: Callable[[Given, World], Policy]
    code: tuple[str, ...] = ()

    def settings(self) -> list[Settings]:
        """The defaults, then others of the space, drawn once and for all."""
        rng = random.Random(f"settings of {self.name}")  # noqa: S311 - draws, not secrets
        found = {tuple(sorted(self.default.items())): None}
        for _ in range(50 * _TRIED):
            if len(found) < _TRIED:
                drawn = {name: rng.choice(values) for name, values in sorted(self.space.items())}
                found[tuple(sorted(drawn.items()))] = None
        return list(found)
