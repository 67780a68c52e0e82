"""``make bench-live``: ten minutes of a published log, on the cluster and in the simulator.

Three runs on a real API server with the stand-in as engine; what the simulator says of the same
requests, the same engine and the same settings stands beside their median. A run without idle
processor time is void and is not repeated for ever: ``--runs`` counts those too.
"""

import argparse
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from e2e.bench.live.compare import Measured, Verdict, judge
from e2e.bench.live.setting import CHART, NAME, SPEC, Engine
from e2e.bench.live.sides import played_live, played_virtually
from e2e.bench.live.trace import LONGEST, cut
from e2e.bench.numbers import versions, write_report
from e2e.cluster.cluster import Cluster
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.wait import wait_for
from e2e.stage.ledger import Ledger
from e2e.stage.opened import staged
from e2e.stage.stage import Stage

__all__ = ["main"]

_SEEDS: Final = range(5)
_CONSOLE: Final = Console(width=100)


def main() -> None:
    """Plays, compares, prints, and writes build/bench/live.json."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.live", description=__doc__)
    parser.add_argument("--seconds", type=float, default=LONGEST, help="of the log")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    requests = cut(options.seconds)
    live: list[Measured] = []
    cluster = Cluster(f"live-{os.getpid()}", nodes=(NodeSpec("gpu-0"),))
    with (
        tempfile.TemporaryDirectory(prefix="bench-live-") as folder,
        staged(cluster, Path(folder)) as stage,
    ):
        stage.install(**CHART)
        stage.wait_installed(120)
        stage.furnish()
        load_seconds = _first_load(stage)
        engine = _engine(stage)
        for number in range(options.runs):
            live.append(played_live(stage, requests))
            _CONSOLE.print(f"run {number + 1}: {live[-1]}{' VOID' if live[-1].void else ''}")
    virtual = [played_virtually(requests, engine, load_seconds, seed) for seed in _SEEDS]
    verdicts = judge(live, virtual)
    _show(live, virtual, verdicts)
    report = _report(live, virtual, verdicts) | {
        "seconds": options.seconds,
        "loadSeconds": round(load_seconds, 2),
        "engine": asdict(engine),
    }
    _CONSOLE.print(str(write_report("live", report)))


def _first_load(stage: Stage) -> float:
    """Deploys; how long the first replica takes to be ready, in seconds."""
    with Ledger(stage, NAME) as ledger:
        stage.deploy(NAME, "base", **SPEC)
        stage.wait_condition(NAME, "Ready", "Ready", deadline=180)
        wait_for(lambda: any(one.ready for one in ledger.lives.values()), 30, "it to be ready")
        (life,) = ledger.lives.values()
    assert life.ready is not None
    return life.ready - life.made


def _engine(stage: Stage) -> Engine:
    plan: dict[str, Any] = stage.mdep(NAME)["status"]["plan"]
    return Engine(plan["maxNumSeqs"], plan["maxNumBatchedTokens"], plan["maxModelLen"])


def _show(live: list[Measured], virtual: list[Measured], verdicts: list[Verdict]) -> None:
    table = Table("measure", "live", "simulated", "may differ by", "holds")
    for one in verdicts:
        numbers = (f"{number:.4g}" for number in (one.live, one.simulated, one.allowed))
        table.add_row(one.name, *numbers, "yes" if one.holds else "NO")
    _CONSOLE.print(table)
    for name, side in (("live", live), ("simulated", virtual)):
        changes = [one.changes for one in side]
        most = [one.most_replicas for one in side]
        _CONSOLE.print(f"{name}: changes {changes}, replicas at most {most}")
    if not verdicts:
        _CONSOLE.print("every run is void: the machine had no idle processor time")


def _report(
    live: list[Measured], virtual: list[Measured], verdicts: list[Verdict]
) -> dict[str, Any]:
    return {
        "versions": versions(),
        "void": sum(one.void for one in live),
        "measures": {one.name: one.document() for one in verdicts},
        "live": [asdict(one) for one in live],
        "simulated": [asdict(one) for one in virtual],
    }


if __name__ == "__main__":
    main()
