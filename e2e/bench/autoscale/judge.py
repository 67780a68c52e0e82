"""From the units' results to the figures: ratios of cost in each cell, with intervals over seeds.

A cell is a scenario at a level. A cost is GPU-seconds on the judged half of what reached the level
on the tuning half; who has none there has no cost. Pure.
"""

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Final, Literal

__all__ = ["OURS", "STATIC", "Cell", "Cost", "How", "Ratio", "Tried", "cells_of", "figures"]

OURS: Final = "escadre"
STATIC: Final = "static"
_RESAMPLES: Final = 2000
_WORSE: Final = 1.03
How = Literal["default", "tuned"]


@dataclass(frozen=True, slots=True)
class Tried:
    """A setting on the tuning half, with the first seed alone."""

    settings: Mapping[str, Any]
    gpu_seconds: float
    attained: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one contender in a cell, seed by seed; ``loads`` and ``wasted`` are means of a run."""

    contender: str
    gpu_seconds: tuple[float, ...]
    attained: tuple[float, ...]
    settings: Mapping[str, Any]
    loads: float = 0.0
    wasted: float = 0.0

    @property
    def mean(self) -> float:
        """GPU-seconds."""
        return fmean(self.gpu_seconds)

    @property
    def share(self) -> float:
        """Of the requests that met the objective, on the mean."""
        return fmean(self.attained)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Our cost over another's: of the means, and the 95 % interval of a bootstrap over seeds."""

    value: float
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Whether the interval does not exclude that we are more than 3 % worse."""
        return self.high > _WORSE

    @property
    def better(self) -> bool:
        """Whether the interval excludes that we are no better."""
        return self.high < 1


@dataclass(frozen=True, slots=True)
class Cell:
    """``costs`` by contender, for defaults and tuned; without those who have none.

    ``tried`` has all settings of all contenders.
    """

    scenario: str
    level: str
    share: float
    lower_bound: float
    peers: frozenset[str]
    costs: Mapping[How, Mapping[str, Cost]]
    tried: Mapping[str, Sequence[Tried]]

    @property
    def name(self) -> str:
        """As tables call it."""
        return f"{self.scenario}, {self.level}"

    def best_peer(self, how: How, without: frozenset[str] = frozenset()) -> Cost | None:
        """The cheapest of the peers, ``without`` some of them."""
        peers = self.peers - without
        found = [cost for name, cost in self.costs[how].items() if name in peers]
        return min(found, key=lambda one: one.mean, default=None)

    def kept(self) -> Ratio | None:
        """Ours tuned over the cheapest tuned peer, of those that kept the level where judged.

        None where no peer did, or we did not.
        """
        tuned = {name: one for name, one in self.costs["tuned"].items() if self._keeps(one)}
        ours = tuned.get(OURS)
        peers = [one for name, one in tuned.items() if name in self.peers]
        best = min(peers, key=lambda one: one.mean, default=None)
        return None if ours is None or best is None else _ratio(ours, best)

    def _keeps(self, cost: Cost) -> bool:
        return cost.share >= self.share

    def over(self, how: How, other: Cost | None) -> Ratio | None:
        """Ours over another's; None where one of them has no cost."""
        ours = self.costs[how].get(OURS)
        return None if ours is None or other is None else _ratio(ours, other)


def cells_of(results: Iterable[Mapping[str, Any]], shares: Mapping[str, float]) -> list[Cell]:
    """Of all units of the same scenarios."""
    by_scenario: dict[str, list[Mapping[str, Any]]] = {}
    for one in results:
        by_scenario.setdefault(one["scenario"], []).append(one)
    return [
        Cell(
            scenario=scenario,
            level=level,
            share=share,
            lower_bound=units[0]["lowerBound"],
            peers=frozenset(one["contender"] for one in units if one["kind"] == "peer"),
            costs={how: _costs(units, place, how) for how in ("default", "tuned")},
            tried={one["contender"]: tuple(_tried(one, place)) for one in units},
        )
        for scenario, units in by_scenario.items()
        for place, (level, share) in enumerate(shares.items())
    ]


def _costs(units: Sequence[Mapping[str, Any]], place: int, how: str) -> dict[str, Cost]:
    found = {}
    for one in units:
        told = one["levels"][place][how]
        if told is not None:
            found[one["contender"]] = Cost(
                one["contender"],
                tuple(told["gpuSeconds"]),
                tuple(told["attained"]),
                told["settings"],
                told["loads"],
                told["wastedLoads"],
            )
    return found


def _tried(unit: Mapping[str, Any], place: int) -> Iterator[Tried]:
    for one in unit["tried"]:
        yield Tried(one["settings"], one["gpuSeconds"], one["attained"][place])


def _ratio(ours: Cost, other: Cost) -> Ratio:
    """Seeds are drawn in pairs: both saw the same traffic and the same loads."""
    pairs = list(zip(ours.gpu_seconds, other.gpu_seconds, strict=True))
    rng = random.Random("bootstrap")  # noqa: S311 - draws, not secrets
    drawn = sorted(_of(rng.choices(pairs, k=len(pairs))) for _ in range(_RESAMPLES))
    edge = _RESAMPLES // 40
    return Ratio(_of(pairs), drawn[edge], drawn[-1 - edge])


def _of(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(pair[0] for pair in pairs) / sum(pair[1] for pair in pairs)


def figures(cells: Sequence[Cell]) -> dict[str, Any]:
    """The figures of all cells; where we have no cost and a peer has, the ratio is infinite.

    A median that is infinite is null in the report: in most cells we reached no level. Where only
    we have a cost the ratio is 0. So ``reached`` counts the cells beside the medians.
    """
    over = {how: [_told(one, how) for one in cells] for how in ("default", "tuned")}
    tuned = [one for one in over["tuned"] if one is not None]
    kept = [ratio.value for one in cells if (ratio := one.kept()) is not None]
    oracle = [one.over("tuned", one.costs["tuned"].get("clairvoyant")) for one in cells]
    bound = [
        one.costs["tuned"][OURS].mean / one.lower_bound
        for one in cells
        if OURS in one.costs["tuned"]
    ]
    return {
        "overBestDefault": _median(one.value for one in over["default"] if one is not None),
        "overBestTuned": _median(one.value for one in tuned),
        "overBestTunedThatKept": _median(kept),
        "cellsKept": len(kept),
        "cellsWorse": sum(one.worse for one in tuned),
        "cellsBetter": sum(one.better for one in tuned),
        "cells": len(tuned),
        "cellsNobodyReached": len(cells) - len(tuned),
        "notReached": {
            how: sum(one is not None and math.isinf(one.value) for one in told)
            for how, told in over.items()
        },
        "reached": {
            "default": _reached(cells, "default", frozenset()),
            "defaultBesideStatic": _reached(cells, "default", frozenset({STATIC})),
            "tuned": _reached(cells, "tuned", frozenset()),
        },
        "overOracle": _median(one.value for one in oracle if one is not None),
        "overLowerBound": _median(bound),
    }


def _reached(cells: Sequence[Cell], how: How, without: frozenset[str]) -> dict[str, Any]:
    """In how many cells who reached the level; the median ratio where both did."""
    ratios: list[float] = []
    alone = peers_alone = 0
    for cell in cells:
        best, ours = cell.best_peer(how, without), cell.costs[how].get(OURS)
        ratios += [ours.mean / best.mean] if ours is not None and best is not None else []
        alone += ours is not None and best is None
        peers_alone += ours is None and best is not None
    return {
        "both": len(ratios),
        "oursAlone": alone,
        "peersAlone": peers_alone,
        "nobody": len(cells) - len(ratios) - alone - peers_alone,
        "ratioWhereBoth": _median(ratios),
    }


def _told(cell: Cell, how: How) -> Ratio | None:
    """None where neither we nor a peer reached the level."""
    best, ours = cell.best_peer(how), cell.costs[how].get(OURS)
    if best is None and ours is None:
        return None
    if ours is None:
        return Ratio(float("inf"), float("inf"), float("inf"))
    return _ratio(ours, best) if best is not None else Ratio(0.0, 0.0, 0.0)


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    middle = median(found) if found else math.inf
    return None if math.isinf(middle) else round(middle, 4)
