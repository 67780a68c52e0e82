"""How far estimates are from published start-ups: errors, limits, verdicts. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from e2e.bench.layout.ours import Answer, answer, without_model
from e2e.bench.layout.table import Startup

__all__ = ["Beside", "Judged", "beside", "judge", "summary"]

OVER: Final = (0.03, 0.4)  # most that may be promised too much: share of the cache, GiB per GPU
UNDER: Final = (0.10, 1.0)


@dataclass(frozen=True, slots=True)
class Judged:
    """A row, our answer, and that without its model; ``error`` None where no engine started."""

    startup: Startup
    ours: Answer
    without: Answer

    @property
    def off(self) -> float:
        """GiB that were promised too much; negative: too little."""
        return self.ours.cache - self.startup.cache

    @property
    def error(self) -> float | None:
        """Share of the cache, where an engine had one."""
        return _share(self.ours.cache, self.startup)

    @property
    def within(self) -> bool:
        """Whether both answers keep to the limits; a start that failed has only a verdict."""
        if self.error is None:
            return True
        return all(_within(one.cache, self.startup.cache) for one in (self.ours, self.without))

    @property
    def right(self) -> bool:
        """Whether the verdict is that of the engine."""
        return self.ours.fits == bool(self.startup.row["fits"])


@dataclass(frozen=True, slots=True)
class Beside:
    """A peer on the rows that it answers, and ours on the same."""

    name: str
    rows: int
    median: float | None
    ours: float | None
    wrong: int
    verdicts: int


def judge(startups: tuple[Startup, ...]) -> tuple[Judged, ...]:
    """Every row."""
    return tuple(Judged(one, answer(one), without_model(one, startups)) for one in startups)


def beside(name: str, judged: Sequence[Judged], told: Mapping[str, dict[str, Any]]) -> Beside:
    """One peer; what it refuses to answer counts neither for it nor against it."""
    pairs = [(one, told[one.startup.row["id"]]) for one in judged]
    errors = [
        (error, one.error)
        for one, said in pairs
        if "cacheGiB" in said and one.error is not None
        if (error := _share(said["cacheGiB"], one.startup)) is not None
    ]
    verdicts = [(one, said["fits"]) for one, said in pairs if "fits" in said]
    return Beside(
        name=name,
        rows=len(errors),
        median=median(theirs for theirs, _ in errors) if errors else None,
        ours=median(ours for _, ours in errors) if errors else None,
        wrong=sum(fits != bool(one.startup.row["fits"]) for one, fits in verdicts),
        verdicts=len(verdicts),
    )


def summary(judged: Sequence[Judged], peers: Sequence[Beside]) -> dict[str, Any]:
    """build/bench/layout.json."""
    started = [one for one in judged if one.error is not None]
    medians = [peer.median for peer in peers if peer.median is not None]
    return {
        "medianError": median(one.error for one in started if one.error is not None),
        "medianErrorWithoutModel": median(
            abs(one.without.cache - one.startup.cache) / one.startup.cache for one in started
        ),
        "medianErrorUnfitted": median(
            one.error
            for one in started
            if one.error is not None and "escadre" not in one.startup.row["fittedBy"]
        ),
        "bestPeerMedianError": min(medians) if medians else None,
        "worstOver": max(one.off for one in started),
        "worstUnder": max(-one.off for one in started),
        "outsideLimits": [one.startup.row["id"] for one in judged if not one.within],
        "verdictsWrong": sum(not one.right for one in judged),
        "rows": len(judged),
    }


def _share(cache: float, startup: Startup) -> float | None:
    if not startup.row["fits"] or startup.cache <= 0:
        return None
    return abs(cache - startup.cache) / startup.cache


def _within(cache: float, measured: float) -> bool:
    off = cache - measured
    over, under = (max(share * measured, gib) for share, gib in (OVER, UNDER))
    return -under <= off <= over
