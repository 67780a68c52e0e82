"""The lines of the comparison: what each is made of, its goal, and what came of it. Pure.

Samples are lists of numbers by name, one list for each build: one number for each pair, or one for
each edit. A line condenses those of both builds and sets them in relation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal

from e2e.bench.numbers import percentile

__all__ = ["GROUPS", "LINES", "Judged", "Line", "Samples", "judge", "over_before", "table"]

Samples = Mapping[str, Sequence[float]]
Value = Callable[[Samples], float | None]
GROUPS: Final = ("rest", "edit", "cold", "writes", "memory", "delete")
_WIDTHS: Final = (38, 10, 10, 7)


@dataclass(frozen=True, slots=True)
class Goal:
    """An upper bound: of this build's value, or of its ratio to the one before."""

    most: float
    of: Literal["value", "ratio"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    key: str
    name: str
    unit: str
    value: Value
    goal: Goal | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A line with the values of both builds."""

    line: Line
    before: float
    this: float

    @property
    def ratio(self) -> float | None:
        """This over before; None where before is nothing."""
        return self.this / self.before if self.before else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none, or no ratio to judge by."""
        goal = self.line.goal
        value = self.this if goal and goal.of == "value" else self.ratio
        return None if goal is None or value is None else value <= goal.most

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        goal = self.line.goal
        return {
            "key": self.line.key,
            "name": self.line.name,
            "unit": self.line.unit,
            "before": round(self.before, 4),
            "this": round(self.this, 4),
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "goal": {"of": goal.of, "most": goal.most} if goal else None,
            "met": self.met,
        }


def _middle(name: str) -> Value:
    """The median of the pairs."""
    return lambda samples: median(samples[name]) if samples.get(name) else None


def _most(name: str) -> Value:
    return lambda samples: max(samples[name]) if samples.get(name) else None


def _pooled(name: str, share: float) -> Value:
    """A percentile of the edits of all pairs together."""
    return lambda samples: percentile(samples[name], share) if samples.get(name) else None


def _over(one: Value, other: Value) -> Value:
    def value(samples: Samples) -> float | None:
        top, bottom = one(samples), other(samples)
        return top / bottom if top is not None and bottom else None

    return value


def _times(most: float) -> Goal:
    return Goal(most, "ratio")


def _at_most(most: float) -> Goal:
    return Goal(most, "value")


def _edits(sample: str, what: str) -> tuple[Line, ...]:
    """The percentiles of one latency of an edit, and what scraping adds to it."""
    scraped, silent = f"{sample}On", f"{sample}Off"
    return (
        Line(f"{sample}P50", f"{what}, p50", "s", _pooled(scraped, 0.50)),
        Line(f"{sample}P95", f"{what}, p95", "s", _pooled(scraped, 0.95)),
        Line(f"{sample}P99", f"{what}, p99", "s", _pooled(scraped, 0.99), _times(0.5)),
        Line(f"{sample}OffP99", f"{what}, p99, unscraped", "s", _pooled(silent, 0.99)),
        Line(
            f"{sample}OnOverOff",
            f"{what}, p99, on / off",
            "×",
            _over(_pooled(scraped, 0.99), _pooled(silent, 0.99)),
            _at_most(1.15),
        ),
    )


def _writes(prefix: str, what: str) -> tuple[Line, ...]:
    """Writes for each deployment at a cold start."""
    late = f"{prefix}StatusAfterChildren"
    return (
        Line(
            f"{prefix}Status",
            f"{what}: status writes each",
            "",
            _middle(f"{prefix}Status"),
            _at_most(2.2),
        ),
        Line(
            f"{prefix}Event", f"{what}: events each", "", _middle(f"{prefix}Event"), _at_most(1.5)
        ),
        Line(
            f"{prefix}All", f"{what}: all writes each", "", _middle(f"{prefix}All"), _at_most(9.8)
        ),
        Line(late, f"{what}: children to status, most", "s", _most(late), _at_most(2)),
    )


LINES: Final[tuple[Line, ...]] = (
    Line("restOn", "at rest: CPU, scraping", "%", _middle("restOn"), _times(0.35)),
    Line("restOff", "at rest: CPU, not scraping", "%", _middle("restOff"), _at_most(1)),
    Line("restWrites", "at rest: writes", "", _most("restWrites"), _at_most(0)),
    *_edits("editChild", "edit to child"),
    *_edits("editStatus", "edit to status"),
    Line("coldCpu", "cold: CPU, not scraping", "s", _middle("largeCpu"), _times(0.7)),
    Line("coldSeconds", "cold: last child applied", "s", _middle("largeSeconds")),
    Line("coldOverFloor", "cold: over the floor", "×", _middle("largeOverFloor"), _at_most(1.25)),
    *_writes("large", "cold"),
    *_writes("cold", "cold, pairs"),
    Line("memoryBase", "memory, no deployment", "MB", _middle("memoryBase"), _times(0.9)),
    Line("memorySlope", "memory, each deployment", "kB", _middle("memorySlope"), _times(0.6)),
    Line("largeSlope", "memory, each, cold fleet", "kB", _middle("largeSlope"), _times(0.6)),
    Line("deleteSeconds", "all deleted: gone", "s", _middle("deleteSeconds"), _times(0.8)),
    Line("deleteLate", "all deleted: applied afterwards", "", _most("deleteLate"), _at_most(0)),
)


def judge(before: Samples, this: Samples, lines: Sequence[Line] = LINES) -> list[Judged]:
    """The lines that both builds have samples for."""
    found = []
    for line in lines:
        old, new = line.value(before), line.value(this)
        if old is not None and new is not None:
            found.append(Judged(line, old, new))
    return found


def over_before(judged: Sequence[Judged]) -> dict[str, float]:
    """The ratios of medians that the report of the control plane carries; what was measured."""
    ratios = {one.line.key: one.ratio for one in judged if one.ratio is not None}
    edits = [ratios[key] for key in ("editChildP99", "editStatusP99") if key in ratios]
    found = {
        "restCpu": ratios.get("restOn"),
        "editP99": max(edits, default=None),
        "coldCpu": ratios.get("coldCpu"),
        "memoryBase": ratios.get("memoryBase"),
        "memorySlope": ratios.get("memorySlope"),
        "deleteSeconds": ratios.get("deleteSeconds"),
    }
    return {key: round(ratio, 3) for key, ratio in found.items() if ratio is not None}


def table(judged: Sequence[Judged]) -> str:
    """For people: 80 columns."""
    head = _row("", "before", "this", "ratio", "goal")
    return "\n".join([head, "-" * len(head), *(_shown(one) for one in judged)])


def _shown(one: Judged) -> str:
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    return _row(one.line.name, _amount(one, one.before), _amount(one, one.this), ratio, _goal(one))


def _amount(one: Judged, value: float) -> str:
    number = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{number} {one.line.unit}".strip()


def _goal(one: Judged) -> str:
    goal = one.line.goal
    if goal is None:
        return ""
    unit = "×" if goal.of == "ratio" else one.line.unit
    return f"≤ {goal.most:g} {unit}".strip() + (" NO" if one.met is False else "")


def _row(name: str, *cells: str) -> str:
    left, *widths = _WIDTHS
    numbers = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False))
    return f"{name:<{left}}{numbers}  {cells[-1]}".rstrip()
