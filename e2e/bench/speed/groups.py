"""Measured runs in groups, and how far the estimate is off in each. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from statistics import median
from typing import Any

from e2e.bench.speed.runs import Run, error

__all__ = ["Group", "by_model", "by_product", "each_once", "median_error"]


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that have something in common."""

    name: str
    runs: tuple[Run, ...]

    @property
    def median(self) -> float:
        """Median of the errors without their sign."""
        return median_error(self.runs)

    @property
    def bias(self) -> float:
        """Median of the errors with it: above 0 where the estimate is too slow."""
        return median(error(run) for run in self.runs)

    @property
    def fitted(self) -> int:
        """Runs that a number of the estimate was fitted on."""
        return sum(run.fitted for run in self.runs)

    @property
    def engines(self) -> str:
        """Versions of vLLM, the oldest and the newest that are told; ? where one is not."""
        told = {run.engine for run in self.runs}
        released = sorted(one for one in told if one[:1].isdigit())
        ends = [*dict.fromkeys([*released[:1], *released[-1:]])]
        return " ".join(("-".join(ends), "?" if told != set(released) else "")).strip()

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rows": len(self.runs),
            "rowsFitted": self.fitted,
            "medianError": self.median,
            "bias": self.bias,
            "engines": sorted({run.engine for run in self.runs if run.engine}),
        }


def median_error(runs: Iterable[Run]) -> float:
    """Median of the errors without their sign."""
    return median(abs(error(run)) for run in runs)


def by_product(runs: Sequence[Run]) -> list[Group]:
    """One group a product."""
    return _grouped(runs, lambda run: run.product)


def by_model(runs: Sequence[Run]) -> list[Group]:
    """One group a model in a number format."""
    return _grouped(runs, _model)


def each_once(runs: Iterable[Run]) -> list[Run]:
    """The source repeats runs; of those with equal settings the first stands."""
    found: dict[tuple[object, ...], Run] = {}
    for run in runs:
        found.setdefault(astuple(run)[:-1], run)
    return list(found.values())


def _model(run: Run) -> str:
    name = run.model.rpartition("/")[2].removesuffix("-FP8").removesuffix("-Instruct")
    return f"{name} {run.precision}".strip()


def _grouped(runs: Iterable[Run], key: Callable[[Run], str]) -> list[Group]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return [Group(name, tuple(found[name])) for name in sorted(found)]
