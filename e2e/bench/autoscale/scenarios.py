"""What each policy is played on: a trace, how long replicas load, and what goes wrong. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from e2e.bench.autoscale.steptable import Table
from e2e.bench.autoscale.traces import TRACES, Half, Trace
from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.policy import Windows
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Sight
from escadre.core.simulation.replica import ReplicaModel
from escadre.core.simulation.setting import ColdStart, Objective, Scaled, Setting

__all__ = ["COLD_STARTS", "LEVELS", "MODEL", "Level", "Scenario", "cells", "trials"]

# mistral-small-3-2-24b-instruct-2506 on one H100 with 32,768 tokens of context, as
# `escadre simulate --profile … -o json` tells it; 8,192 tokens a step.
MODEL: Final = ReplicaModel(
    speed=Speed(16869.0, DecodeStep(0.0184819, 7.38503e-05, 5.43416e-08)),
    cache_blocks=10326,
    max_num_seqs=40,
    max_num_batched_tokens=8192,
    max_model_len=32768,
    gpus=1,
)
TARGET: Final = 30  # three quarters of max_num_seqs, the layout's default
COLD_STARTS: Final = (30, 180, 420)
_ROUND: Final = 3.0
_STALE: Final = 15.0
_TRIAL: Final = "bursty"  # in which policies follow most of what comes


@dataclass(frozen=True, slots=True)
class Level:
    """A share of the requests, and what each of them is to meet."""

    name: str
    share: float
    objective: Objective


LEVELS: Final = (
    Level("95 %", 0.95, Objective(2.0, 0.2)),
    Level("99 %", 0.99, Objective(10.0, 0.5)),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A trace with a cold start, in seconds, and maybe one thing that is another than usual.

    ``sight``: how every policy comes by its numbers; None: each by its own way.
    """

    trace: Trace
    cold: ColdStart
    twist: str = ""
    sight: Sight | None = None
    table: bool = False

    @property
    def name(self) -> str:
        """As the report calls it."""
        twist = f", {self.twist}" if self.twist else ""
        return f"{self.trace.name}, {self.cold.median:g} s{twist}"

    def setting(self, begin: tuple[int, int], warm: float, half: Half, seed: int) -> Setting:
        """For one deployment of one run.

        ``begin``: minReplicas, and how many are ready at the beginning; ``warm``: seconds that are
        played before what counts.
        """
        minimum, ready = begin
        first, *rest = [level.objective for level in LEVELS]
        model, odd = MODEL, {}
        if self.table:
            model, odd = Table.of(MODEL, seed), {1: Table.of(MODEL, seed, slower=1.5)}
        return Setting(
            model=model,
            scaled=self.scaled(minimum),
            cold=self.cold,
            objective=first,
            routing="least-loaded",
            seed=2 * seed + (half == "judged"),
            beside=tuple(rest),
            odd=odd,
            begin=ready,
            counted_from=warm,
        )

    def scaled(self, minimum: int, target: int = TARGET, stable: float = 300.0) -> Scaled:
        """As the chart sets it; metrics that are older here are not stale."""
        aged = 2 * self.sight.every + self.sight.delay if self.sight else 0.0
        windows = Windows(stable, max(_STALE, aged))
        return Scaled(Bounds(minimum, self.trace.most), target, windows, _ROUND)


def cells() -> Iterator[Scenario]:
    """Those that the figures are taken over."""
    for trace in TRACES:
        for seconds in COLD_STARTS:
            yield Scenario(trace, ColdStart(seconds))


def trials() -> Iterator[Scenario]:
    """Those that are told beside them: one thing each that is another than usual."""
    plain = Scenario(next(one for one in TRACES if one.name == _TRIAL), ColdStart(180))
    bad = replace(plain.cold, failing=0.05, slow=0.05)
    yield replace(plain, twist="5 % of loads fail, 5 % take four times as long", cold=bad)
    yield replace(plain, twist="metrics 15 to 30 s old for all", sight=Sight(15.0, 15.0))
    yield replace(plain, twist="1 of 5 scrapes lost", sight=Sight(_ROUND, 0.0, 0.2))
    yield replace(plain, twist="another step model, one slow node", table=True)
