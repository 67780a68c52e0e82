"""What came of a simulation. Pure; fleet.py adds up, cli/simulate shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from escadre.core.simulation.engine import Engine
from escadre.core.simulation.gaps import Gaps, quantile
from escadre.core.simulation.setting import Setting

__all__ = ["Answers", "Moment", "Outcome", "Supply", "answers_of", "reversals"]


@dataclass(frozen=True, slots=True)
class Answers:
    """How the requests were served; seconds, None without any.

    ``attained`` is the share that met the objective, ``beside`` those that met the further ones. A
    request that no engine takes, for it is longer than the context or the cache, is only counted,
    in ``refused``.
    """

    requests: int
    refused: int
    first_token: dict[int, float | None]  # by percent
    between_tokens_p99: float | None
    attained: float | None
    preemptions: int
    beside: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Supply:
    """What it took.

    ``gpu_seconds`` are those of replicas from their decision on until they are gone: loading and
    draining too. Of the ``loads``, ``wasted_loads`` are of replicas that were gone before one
    request came, ``unfinished_loads`` of those that load or stand there at the end and had none
    yet: whether these were wasted, the log is too short to tell. ``reversals`` are changes of the
    number of replicas against the direction of the change before.
    """

    seconds: float
    gpu_seconds: float
    most_replicas: int
    loads: int
    wasted_loads: int
    unfinished_loads: int
    changes: int
    reversals: int


@dataclass(frozen=True, slots=True)
class Moment:
    """How it stood after a round: requests running and waiting, replicas wanted and there."""

    at: float
    demand: int
    wanted: int
    ready: int
    loading: int
    draining: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one run, and how it stood after each round of the operator."""

    answers: Answers
    supply: Supply
    timeline: tuple[Moment, ...] = ()


def answers_of(engines: Sequence[Engine], refused: int, setting: Setting) -> Answers:
    """Of all engines that there were; gaps between tokens are counted from the beginning on."""
    gaps = Gaps()
    for engine in engines:
        gaps.merge(engine.gaps)
    since = setting.counted_from
    jobs = [job for engine in engines for job in engine.ended if job.request.at >= since]
    first = [job.first_at - job.request.at for job in jobs]
    shares = [
        sum(map(objective.met_by, jobs)) / len(jobs)
        for objective in (setting.objective, *setting.beside)
        if jobs
    ]
    return Answers(
        requests=len(first),
        refused=refused,
        first_token={percent: quantile(first, percent / 100) for percent in (50, 95, 99)},
        between_tokens_p99=gaps.quantile(0.99),
        attained=shares[0] if shares else None,
        preemptions=sum(engine.preemptions for engine in engines),
        beside=tuple(shares[1:]),
    )


def reversals(numbers: Sequence[int]) -> int:
    """How often ``numbers``, each another than the one before, turn from more to less or back."""
    ups = [after > before for before, after in pairwise(numbers)]
    return sum(before != after for before, after in pairwise(ups))
