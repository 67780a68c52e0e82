"""`escadre simulate`: a request log, or so many people, played against a deployment of one's own.

Neither a cluster nor a network is asked. The decisions are the operator's own code (core/scaling),
in virtual time (core/simulation).
"""

import math
from dataclasses import replace
from typing import Final

import typer

from escadre.cli.shared.failures import BadInput
from escadre.cli.shared.session import Environment, Output, environment_of
from escadre.cli.simulate import sizingview, view
from escadre.cli.simulate.asked import (
    Asked,
    SimulateCommand,
    SimulateOutput,
    SimulateOutputOption,
    asked_of,
)
from escadre.cli.simulate.judged import judged_by
from escadre.cli.simulate.replicas import Planned, planned_for
from escadre.cli.simulate.requestlog import read_log
from escadre.core.simulation.people import busiest, needed
from escadre.core.simulation.play import simulate
from escadre.core.simulation.setting import ColdStart, Objective, Setting
from escadre.core.simulation.sizing import USES, Use, cut, holds
from escadre.core.simulation.traffic import scaled

__all__ = ["register"]

_MOST_REQUESTS: Final = 5_000_000
_DAY: Final = 86400.0
_LONG: Final = 7 * _DAY
# Of one replica that hardly has a request: the operator's looks alone, one each 3 s.
_SECONDS_OF_DAY: Final = 3.4


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "simulate",
        cls=SimulateCommand,
        help="Play a request log against a ModelDeployment in virtual time: how long requests "
        "wait, how many GPUs that takes. With --users: how many GPUs so many people need. Asks no "
        "cluster.",
    )(_simulate)


def _simulate(context: typer.Context, output: SimulateOutputOption = SimulateOutput.TABLE) -> None:
    environment, asked = environment_of(context), asked_of(context)
    if asked.users is not None and output is SimulateOutput.SVG:
        raise BadInput(
            "-o svg draws the course of a log; --users has none: use table, json or yaml"
        )
    planned = planned_for(asked, environment.read_file, environment.now())
    if asked.users is not None:
        _size(environment, Output(output.value), asked, planned)
    else:
        _play(environment, output, asked, planned)


def _play(environment: Environment, output: SimulateOutput, asked: Asked, planned: Planned) -> None:
    log = read_log(asked.trace or "-", environment.read_file)
    span = log[-1].at
    if asked.copies > 1 and not span:
        raise BadInput(
            f"--scale {asked.copies}: all requests of the log come at one moment, so its copies "
            "have no other to begin at"
        )
    if len(log) * asked.copies > _MOST_REQUESTS:
        raise BadInput(
            f"--scale {asked.copies}: {asked.copies} times {len(log):,} requests are more than "
            f"{_MOST_REQUESTS:,}; simulate a part of the log"
        )
    if span > _LONG:
        environment.err.print(
            f"escadre: {span / _DAY:,.0f} days of log (its numbers are read as seconds) take a "
            f"core {math.ceil(span / _DAY * _SECONDS_OF_DAY / 60)} minutes or more; a part of it "
            "takes less",
            soft_wrap=True,
        )
    judged = judged_by(asked, planned.spec)
    setting = Setting(
        planned.model,
        planned.scaled,
        ColdStart(asked.cold_start),
        Objective.of(judged.level),
        asked.routing,
        asked.seed,
    )
    outcome = simulate(scaled(log, asked.copies, asked.seed), setting)
    told = view.Told(asked, planned, judged, setting, outcome)
    if output is SimulateOutput.SVG:
        environment.out.print(
            view.picture(told), end="", soft_wrap=True, markup=False, highlight=False
        )
        return
    environment.answer(
        Output(output.value),
        document=lambda: view.document(told),
        view=lambda: view.view(told),
    )


def _size(environment: Environment, output: Output, asked: Asked, planned: Planned) -> None:
    judged = judged_by(asked, planned.spec)
    found = []
    for use in (_use(use, asked) for use in USES):
        held = holds(planned.model, use, judged.level, asked.seed)
        shorter = cut(planned.model, use)
        peak = busiest(asked.users or 1, use.requests_per_day)
        span = needed(peak, held, planned.terms) if held else None
        found.append(sizingview.Sized(use, shorter, peak, held, span))
    told = sizingview.Told(asked, planned, judged, tuple(found))
    environment.answer(
        output,
        document=lambda: sizingview.document(told),
        view=lambda: sizingview.view(told),
    )


def _use(use: Use, asked: Asked) -> Use:
    return replace(use, requests_per_day=asked.requests_per_day or use.requests_per_day)
