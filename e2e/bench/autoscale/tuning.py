"""What one contender makes of one scenario: tuned on the one half, judged on the other.

Successive halving: all settings with one seed, the better half with two, the better half of those
with four. Each contender gets the same simulated seconds so. A level's cost is that of the cheapest
setting that reached the level on the tuning half, and of the defaults if they did.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from e2e.bench.autoscale.contender import Contender, Settings
from e2e.bench.autoscale.runs import Run, as_played, bound, run
from e2e.bench.autoscale.scenarios import LEVELS, Scenario
from e2e.bench.autoscale.traces import Half

__all__ = ["further", "measure"]

_SEEDS: Final = (1, 2, 4)  # of each round of halving
# Of the runs, with as many digits.
_MEANS: Final[Mapping[str, tuple[Callable[[Run], float], int]]] = {
    "firstTokenP99": (lambda one: one.first_token, 3),
    "loads": (lambda one: one.loads, 2),
    "wastedLoads": (lambda one: one.wasted, 2),
    "reversals": (lambda one: one.reversals, 2),
}


@dataclass(slots=True)
class _Bench:
    """Runs of one contender on one scenario, none of them twice."""

    scenario: Scenario
    contender: Contender
    done: dict[tuple[Settings, Half, int], Run] = field(default_factory=dict)

    def runs(self, settings: Settings, half: Half, seeds: int, first: int = 0) -> list[Run]:
        """With seeds ``first`` to ``seeds`` - 1."""
        played = as_played(self.scenario, settings)
        for seed in range(first, seeds):
            key = (played, half, seed)
            if key not in self.done:
                self.done[key] = run(self.scenario, self.contender, played, half, seed)
        return [self.done[played, half, seed] for seed in range(first, seeds)]


def measure(scenario: Scenario, contender: Contender, seeds: int) -> dict[str, Any]:
    """The unit of the benchmark, as JSON."""
    bench = _Bench(scenario, contender)
    half: Half = "judged" if contender.kind == "bound" else "tuning"
    settings = contender.settings()
    found: dict[str, Any] = {
        "scenario": scenario.name,
        "contender": contender.name,
        "kind": contender.kind,
        "lowerBound": _lower_bound(scenario, seeds),
        "levels": [],
    }
    for place, level in enumerate(LEVELS):
        best = _cheapest(bench, settings, half, place)
        default = settings[0] if _reached(bench, settings[0], half, place) else None
        found["levels"].append(
            {
                "level": level.name,
                "default": _judged(bench, default, place, seeds),
                "tuned": _judged(bench, best, place, seeds),
            }
        )
    found["tried"] = [_tried(bench, one, half) for one in settings]
    return found


def further(
    scenario: Scenario, contender: Contender, known: Mapping[str, Any], seeds: int
) -> dict[str, Any]:
    """A unit that is judged with fewer seeds, with more of them: tuning rests on none of these."""
    bench, had = _Bench(scenario, contender), known["seeds"]
    levels = [
        told
        | {
            how: _with_more(bench, told[how], place, had, seeds)
            for how in ("default", "tuned")
            if told[how] is not None
        }
        for place, told in enumerate(known["levels"])
    ]
    return {**known, "lowerBound": _lower_bound(scenario, seeds), "levels": levels}


def _lower_bound(scenario: Scenario, seeds: int) -> float:
    return fmean(bound(scenario, "judged", seed) for seed in range(seeds))


def _with_more(
    bench: _Bench, known: Mapping[str, Any], place: int, had: int, seeds: int
) -> dict[str, Any]:
    settings = tuple(sorted(known["settings"].items()))
    more = _told(settings, bench.runs(settings, "judged", seeds, had), place)
    joined = {name: [*known[name], *more[name]] for name in ("gpuSeconds", "attained")}
    means = {
        name: round((had * known[name] + (seeds - had) * more[name]) / seeds, digits)
        for name, (_, digits) in _MEANS.items()
    }
    return {"settings": dict(settings), **joined, **means}


def _cheapest(
    bench: _Bench, settings: Sequence[Settings], half: Half, place: int
) -> Settings | None:
    """By successive halving; None where none reached the level with the seeds of the last round.

    Where none of the last ones did, the safest of the others are asked, as many as were left.
    """
    left = list(settings)
    for number, seeds in enumerate(_SEEDS):
        left.sort(key=_rank(bench, half, seeds, place))
        if number < len(_SEEDS) - 1:
            left = left[: max(1, len(settings) // 2 ** (number + 1))]
    safest = sorted(settings, key=lambda one: -bench.runs(one, half, 1)[0].attained[place])
    for some in (left, safest[: len(left)]):
        for one in sorted(some, key=_rank(bench, half, _SEEDS[-1], place)):
            if _reached(bench, one, half, place):
                return one
    return None


def _rank(
    bench: _Bench, half: Half, seeds: int, place: int
) -> Callable[[Settings], tuple[bool, float]]:
    """Those that reached the level by their cost, then the others by what they lack."""

    def rank(settings: Settings) -> tuple[bool, float]:
        runs = bench.runs(settings, half, seeds)
        share = fmean(one.attained[place] for one in runs)
        reached = share >= LEVELS[place].share
        return (not reached, fmean(one.gpu_seconds for one in runs) if reached else -share)

    return rank


def _reached(bench: _Bench, settings: Settings, half: Half, place: int) -> bool:
    runs = bench.runs(settings, half, _SEEDS[-1])
    return fmean(one.attained[place] for one in runs) >= LEVELS[place].share


def _judged(
    bench: _Bench, settings: Settings | None, place: int, seeds: int
) -> dict[str, Any] | None:
    """What it cost and attained on the judged half, seed by seed."""
    if settings is None:
        return None
    return _told(settings, bench.runs(settings, "judged", seeds), place)


def _told(settings: Settings, runs: Sequence[Run], place: int) -> dict[str, Any]:
    return {
        "settings": dict(settings),
        "gpuSeconds": [round(one.gpu_seconds, 1) for one in runs],
        "attained": [round(one.attained[place], 5) for one in runs],
        **{name: round(fmean(map(of, runs)), digits) for name, (of, digits) in _MEANS.items()},
    }


def _tried(bench: _Bench, settings: Settings, half: Half) -> dict[str, Any]:
    """A point of the curves: the first seed of every setting."""
    (one,) = bench.runs(settings, half, 1)
    return {
        "settings": dict(settings),
        "gpuSeconds": round(one.gpu_seconds, 1),
        "attained": [round(share, 5) for share in one.attained],
    }
