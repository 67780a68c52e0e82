"""The lines of the benchmark of planning: what each row's runs come to, and its goal. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

__all__ = ["Line", "lines", "ratios", "table"]

GOALS: Final = {"cold": 1.0, "standing": 0.15, "vanished": 0.5, "changed": 0.02}
MEMORY: Final = 400.0  # MB
LARGE_OVER_BEFORE: Final = 0.15

_NAMES: Final = {
    "cold": "cold pass",
    "standing": "nothing changed",
    "vanished": "5 % of the nodes gone",
    "changed": "one wish changed",
}
_WIDTHS: Final = (30, 11, 11, 12, 4)

Runs = Mapping[str, Sequence[Mapping[str, float]]]  # by row or build


@dataclass(frozen=True, slots=True)
class Line:
    """One number of several runs; ``goal`` is an upper bound of their median, None: only told."""

    key: str
    name: str
    unit: str
    least: float
    middle: float
    goal: float | None = None

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.goal is None or self.middle <= self.goal

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "key": self.key,
            "unit": self.unit,
            "min": round(self.least, 4),
            "median": round(self.middle, 4),
            "goal": self.goal,
            "met": None if self.goal is None else self.met,
        }


def lines(rows: Runs) -> list[Line]:
    """Processor time of each row, and the most memory that any took."""
    found = [_line(row, _NAMES[row], "s", _all(rows[row], "seconds"), GOALS[row]) for row in rows]
    peaks = [one["megabytes"] for runs in rows.values() for one in runs]
    return [*found, Line("memory", "memory, most", "MB", min(peaks), max(peaks), MEMORY)]


def ratios(this: Sequence[Mapping[str, float]], before: Runs) -> list[Line]:
    """The large cold pass of all builds, and this one over each; the goal is of the first."""
    mine = _all(this, "seconds")
    found = [_line("largeThis", "large cold pass, this", "s", mine)]
    for number, (build, runs) in enumerate(before.items()):
        theirs = _all(runs, "seconds")
        pairs = [one / other for one, other in zip(mine, theirs, strict=True)]
        goal = None if number else LARGE_OVER_BEFORE
        found.append(_line(f"large-{build}", f"large cold pass, {build}", "s", theirs))
        found.append(_line(f"over-{build}", f"this over {build}", "×", pairs, goal))
    return found


def table(found: Sequence[Line]) -> str:
    """For people: 80 columns."""
    head = _row("processor time", "min", "median", "goal", "")
    shown = (
        _row(
            one.name,
            _amount(one.least, one.unit),
            _amount(one.middle, one.unit),
            "" if one.goal is None else f"≤ {one.goal:g} {one.unit}",
            "" if one.goal is None else "yes" if one.met else "NO",
        )
        for one in found
    )
    return "\n".join([head, "-" * len(head), *shown])


def _line(
    key: str, name: str, unit: str, values: Sequence[float], goal: float | None = None
) -> Line:
    return Line(key, name, unit, min(values), median(values), goal)


def _all(runs: Sequence[Mapping[str, float]], what: str) -> list[float]:
    return [one[what] for one in runs]


def _amount(value: float, unit: str) -> str:
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _row(*cells: str) -> str:
    first, *others = (
        f"{cell:<{width}}" if number in {0, 4} else f"{cell:>{width}}"
        for number, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    )
    return " ".join([first, *others]).rstrip()
