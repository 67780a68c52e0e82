"""``make bench-autoscale``: GPU-seconds that each policy takes for as many requests served well.

In virtual time; peers decide by their own code (peers/).

Writes build/bench/autoscale.json, the table of losses and the curves beside it. What is done stays
under build/bench/autoscale/, and a later run goes on from there; ``--fresh`` begins anew.
"""

import argparse
import sys
import time
from functools import partial
from typing import Any

from e2e.bench.autoscale.contenders import CONTENDERS, Contender
from e2e.bench.autoscale.curves import draw
from e2e.bench.autoscale.judge import cells_of, figures
from e2e.bench.autoscale.losses import losses, table
from e2e.bench.autoscale.scenarios import LEVELS, Scenario, cells, trials
from e2e.bench.autoscale.units import FOLDER, Unit, known, work_through
from e2e.bench.numbers import BENCH_FOLDER, write_report
from escadre import __version__

_SEEDS = 20


def main() -> int:
    """Runs what is missing, then writes the reports of what there is."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.autoscale", description=__doc__)
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="to judge with")
    parser.add_argument("--cells", default="", help="scenarios whose name has this in it; a|b")
    parser.add_argument("--contenders", default="", help="of these names; a|b")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no unit after")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="forget what was done before")
    options = parser.parse_args()
    if options.fresh:
        for path in FOLDER.glob("*.json"):
            path.unlink()
    contenders = [one for one in CONTENDERS if _named(one.name, options.contenders)]
    grid = [one for one in cells() if _named(one.name, options.cells)]
    odd = [one for one in trials() if _named(one.name, options.cells)]
    units = [
        Unit(scenario.name, contender.name, options.seeds)
        for scenario in (*grid, *odd)
        for contender in contenders
    ]
    deadline = time.monotonic() + 60 * options.minutes
    left = work_through(units, options.jobs, deadline, partial(print, flush=True))
    _report(grid, odd, contenders, options.seeds, left)
    return int(left > 0)


def _whole(
    scenarios: list[Scenario], contenders: list[Contender], seeds: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """The results of scenarios on which all have been measured, and the names of the others."""
    found, missing = list[dict[str, Any]](), list[str]()
    for scenario in scenarios:
        units = list(known([scenario], contenders, seeds))
        if len(units) == len(contenders):
            found += units
        else:
            missing.append(scenario.name)
    return found, missing


def _named(name: str, wanted: str) -> bool:
    return any(part in name for part in wanted.split("|"))


def _report(
    grid: list[Scenario], odd: list[Scenario], contenders: list[Contender], seeds: int, left: int
) -> None:
    shares = {level.name: level.share for level in LEVELS}
    results, left_out = _whole(grid, contenders, seeds)
    others, _ = _whole(odd, contenders, seeds)
    found, beside = cells_of(results, shares), cells_of(others, shares)
    report = figures(found) | {
        "versions": {
            "escadre": __version__,
            "kubernetes": "v1.36.3",
            "knative.dev/serving": "v0.44.0",
            "keda": "2.21, its rule of activation",
            "llm-d-wva": "V2, its documented formula",
        },
        "seeds": list(range(seeds)),
        "contenders": [one.name for one in contenders],
        "unitsLeft": left,
        "scenariosLeftOut": left_out,
        "trials": figures(beside),
        "losses": [one.document() for one in losses(found)],
    }
    text = table(found, beside)
    (BENCH_FOLDER / "autoscale.md").write_text(text)
    (BENCH_FOLDER / "autoscale.svg").write_text(draw(results))
    path = write_report("autoscale", report)
    print(text)
    print({key: value for key, value in report.items() if key != "losses"})
    print(f"written to {path}, autoscale.md and autoscale.svg")


if __name__ == "__main__":
    sys.exit(main())
