"""Percentiles, tables and report files of the benchmarks. Pure but for printing and writing."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from e2e.cluster.config import REPOSITORY
from e2e.cluster.programs import KUBERNETES_VERSION
from escadre import __version__

__all__ = [
    "BENCH_FOLDER",
    "Row",
    "percentile",
    "print_table",
    "read_report",
    "versions",
    "write_report",
]

BENCH_FOLDER: Final = REPOSITORY / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; ``goal`` None for what is only reported."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def met(self) -> bool:
        """Whether the goal, an upper bound, is met."""
        return self.goal is None or self.value <= self.goal


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values: nothing was measured")
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


def versions() -> dict[str, str]:
    """What was measured, and on what."""
    return {
        "escadre": __version__,
        "kubernetes": KUBERNETES_VERSION,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
    }


def print_table(title: str, rows: Sequence[Row]) -> None:
    """The table for people."""
    table = Table(title=title)
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("met")
    for row in rows:
        goal = "" if row.goal is None else f"≤ {row.goal:g} {row.unit}"
        mark = "" if row.goal is None else "[green]yes[/green]" if row.met else "[red]NO[/red]"
        table.add_row(row.name, f"{row.value:.3g} {row.unit}".strip(), goal, mark)
    Console().print(table)


def read_report(name: str) -> dict[str, Any]:
    """What ``write_report`` wrote; empty when it wrote nothing."""
    path = BENCH_FOLDER / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def write_report(name: str, report: Mapping[str, Any]) -> Path:
    """``build/bench/NAME.json`` for machines; returns its path."""
    BENCH_FOLDER.mkdir(parents=True, exist_ok=True)
    path = BENCH_FOLDER / f"{name}.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    return path
