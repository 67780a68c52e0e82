"""Who decides: this build, with and without what it learns, 0.1.0, the peers, and what bounds them.

A contender has settings: its defaults, and those that tuning may try. All have minReplicas among
them, and the same maxReplicas, traffic, routes, loads and drains.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

from e2e.bench.autoscale.before import Before
from e2e.bench.autoscale.oracle import Clairvoyant
from e2e.bench.autoscale.scenarios import TARGET, Scenario
from escadre.core.simulation.deciding import Observation, Policy, Product, Sight
from escadre.core.simulation.replica import ReplicaModel, Request

__all__ = ["CONTENDERS", "Contender", "Settings", "World"]

Settings = tuple[tuple[str, float], ...]
_TRIED: Final = 16  # settings of each contender, its defaults among them
_MINIMA: Final = (1, 2, 3, 4, 6)


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
    """``kind``: ours, a peer to be compared with, or a bound."""

    name: str
    kind: Literal["ours", "peer", "bound"]
    words: str
    default: Mapping[str, float]
    space: Mapping[str, Sequence[float]]
    make: Callable[[Mapping[str, float], World], Policy]

    def settings(self) -> list[Settings]:
        """The defaults, then others of the space in an order drawn once."""
        names = sorted(self.space)
        every = [
            tuple(zip(names, values, strict=True))
            for values in product(*(self.space[name] for name in names))
        ]
        default = tuple(sorted(self.default.items()))
        rng = random.Random(f"settings of {self.name}")  # noqa: S311 - draws, not secrets
        others = sorted({one for one in every if one != default})
        return [default, *rng.sample(others, min(_TRIED - 1, len(others)))]


@dataclass(slots=True)
class Static:
    """So many replicas, whatever comes."""

    number: int
    every: float = 60.0
    sight: Sight = Sight(math.inf)  # noqa: RUF009 - frozen

    def look(self, seen: Observation, now: float) -> int:
        """The number."""
        del seen, now
        return self.number


def _escadre(given: Mapping[str, float], world: World) -> Policy:
    target = int(given.get("target", TARGET))
    scaled = world.scenario.scaled(int(given["minReplicas"]), target, given["stable"])
    return Product(scaled, world.sight(Sight(scaled.every)))


def _before(given: Mapping[str, float], world: World) -> Policy:
    scaled = world.scenario.scaled(int(given["minReplicas"]), int(given["target"]), given["stable"])
    return Before(scaled, world.sight(Sight(scaled.every)))


def _static(given: Mapping[str, float], world: World) -> Policy:
    return Static(min(int(given["minReplicas"]), world.scenario.trace.most))


def _oracle(given: Mapping[str, float], world: World) -> Policy:
    return Clairvoyant(
        world.scenario.scaled(int(given["minReplicas"])),
        world.requests,
        world.model,
        given["window"],
        given["use"],
        given["ahead"] * world.scenario.cold.median,
    )


_FIXED: Final = {"minReplicas": _MINIMA, "target": (4, 8, 12, 16, 24, 30), "stable": (60, 180, 300)}

CONTENDERS: Final = (
    Contender(
        "escadre",
        "ours",
        "this build",
        {"minReplicas": 1, "stable": 300},
        {"minReplicas": _MINIMA, "stable": (60, 180, 300)},
        _escadre,
    ),
    Contender(
        "escadre, fixed target",
        "ours",
        "this build with targetQueueDepth: nothing is learned",
        {"minReplicas": 1, "target": TARGET, "stable": 300},
        _FIXED,
        _escadre,
    ),
    Contender(
        "0.1.0",
        "ours",
        "the policy of 0.1.0",
        {"minReplicas": 1, "target": TARGET, "stable": 300},
        _FIXED,
        _before,
    ),
    Contender(
        "static",
        "peer",
        "as many replicas all the time",
        {"minReplicas": 64},
        {"minReplicas": tuple(range(1, 17))},
        _static,
    ),
    Contender(
        "clairvoyant",
        "bound",
        "knows every arrival",
        {"minReplicas": 1, "window": 20, "use": 0.6, "ahead": 1.4},
        {
            "minReplicas": (1,),
            "window": (5, 20, 60),
            "use": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
            "ahead": (1.2, 1.5),
        },
        _oracle,
    ),
)
