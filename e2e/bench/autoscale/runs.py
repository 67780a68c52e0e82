"""One run: a contender with its settings on one half of a scenario, with one seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from e2e.bench.autoscale.contender import Contender, Settings, World
from e2e.bench.autoscale.oracle import lower_bound, work_of
from e2e.bench.autoscale.scenarios import LEVELS, MODEL, Scenario
from e2e.bench.autoscale.steptable import fastest
from e2e.bench.autoscale.traces import TRACES, Half
from escadre.core.simulation.deciding import Observation
from escadre.core.simulation.outcome import Outcome
from escadre.core.simulation.play import Played, simulate_together
from escadre.core.simulation.replica import Request

__all__ = ["Run", "as_played", "bound", "run"]

_FIRST: Final = 60.0  # seconds
_USE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Run:
    """``attained``: the share that met the objective of each level, of all deployments together.

    ``first_token``: seconds, the highest 99th percentile of the deployments.
    """

    attained: tuple[float, ...]
    gpu_seconds: float
    first_token: float
    loads: int
    wasted: int
    reversals: int


def run(scenario: Scenario, contender: Contender, given: Settings, half: Half, seed: int) -> Run:
    """Plays it."""
    settings = dict(as_played(scenario, given))
    minimum = settings["minReplicas"]
    every = []
    warm = scenario.trace.warm(contender.memory)
    for log in _logs(scenario.trace.name, half, seed, warm):
        world = World(scenario, scenario.setting((minimum, 0), warm, half, seed).model, log)
        policy = contender.make(settings, world)
        begin = _begin(scenario, log)
        if contender.kind == "bound":  # who knows the future has prepared for it
            begin = min(_most(scenario), policy.look(Observation((), None), 0.0))
        setting = scenario.setting((minimum, begin), warm, half, seed)
        every.append(Played(log, setting, policy))
    outcomes = simulate_together(every, scenario.trace.gpus)
    for one in every:
        end = getattr(one.policy, "end", None)
        if end is not None:  # the program of the peers forgets it
            end()
    return _told(outcomes)


def as_played(scenario: Scenario, given: Settings) -> Settings:
    """The settings with minReplicas as far as they can be had: of several so the same run comes."""
    settings = dict(given)
    minimum = min(int(settings["minReplicas"]), _most(scenario))
    return tuple(sorted((settings | {"minReplicas": minimum}).items()))


def _most(scenario: Scenario) -> int:
    """MinReplicas of each deployment at most, so that all begin with theirs."""
    trace = scenario.trace
    if trace.gpus is None:
        return trace.most
    return min(trace.most, trace.gpus // len(_logs(trace.name, "tuning", 0)))


def _begin(scenario: Scenario, log: Sequence[Request]) -> int:
    """What is there at the beginning, for all alike: what the first minute keeps busy."""
    work = sum(work_of(MODEL, one) for one in log if one.at < _FIRST)
    return min(_most(scenario), max(1, math.ceil(work / (_FIRST * _USE))))


@lru_cache(maxsize=24)
def _logs(name: str, half: Half, seed: int, warm: float = 0.0) -> tuple[list[Request], ...]:
    return next(one for one in TRACES if one.name == name).warmed(half, seed, warm)


def _told(outcomes: Sequence[Outcome]) -> Run:
    answers = [one.answers for one in outcomes]
    requests = sum(one.requests for one in answers)
    shares = [
        sum(one.requests * (one.attained or 0.0, *one.beside)[place] for one in answers)
        for place in range(len(LEVELS))
    ]
    return Run(
        attained=tuple(share / requests for share in shares),
        gpu_seconds=sum(one.supply.gpu_seconds for one in outcomes),
        first_token=max(one.first_token[99] or 0.0 for one in answers),
        loads=sum(one.supply.loads for one in outcomes),
        wasted=sum(one.supply.wasted_loads for one in outcomes),
        reversals=sum(one.supply.reversals for one in outcomes),
    )


def bound(scenario: Scenario, half: Half, seed: int) -> float:
    """GPU-seconds that no policy goes below, whatever it attains."""
    logs = scenario.trace.draw(half, seed)
    model = fastest(MODEL) if scenario.table else MODEL
    return sum(lower_bound(model, log, 1, scenario.trace.seconds) for log in logs)
