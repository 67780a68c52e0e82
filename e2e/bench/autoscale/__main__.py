"""``make bench-autoscale``: GPU-seconds that each policy takes for as many requests served well.

In virtual time; peers decide by their own code (peers/).

Writes build/bench/autoscale.json, the tables and the curves beside it. What is done stays under
build/bench/autoscale/, and a later run goes on from there; ``--fresh`` begins anew. ``--page`` puts
tables and curves into the documentation.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from e2e.bench.autoscale.contender import Contender
from e2e.bench.autoscale.contenders import CONTENDERS
from e2e.bench.autoscale.curves import draw
from e2e.bench.autoscale.judge import cells_of, figures
from e2e.bench.autoscale.losses import losses
from e2e.bench.autoscale.report import Compared, parts, put_into, whole
from e2e.bench.autoscale.scenarios import LEVELS, Scenario, cells, trials
from e2e.bench.autoscale.units import FOLDER, Unit, Work, known, workers
from e2e.bench.numbers import BENCH_FOLDER, write_report
from e2e.cluster.config import REPOSITORY
from escadre import __version__

_SEEDS: Final = 20
_PAGE: Final = REPOSITORY / "docs" / "use" / "scaling-compared.md"
_PICTURE: Final = REPOSITORY / "docs" / "pictures" / "autoscale.svg"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of all a run is to compare."""

    seeds: int
    scenarios: tuple[Scenario, ...]
    contenders: tuple[Contender, ...]

    @property
    def units(self) -> list[Unit]:
        """One for each of the contenders on each of the scenarios."""
        return [
            Unit(scenario.name, contender.name, self.seeds)
            for scenario in self.scenarios
            for contender in self.contenders
        ]

    def results(self, every: list[Scenario]) -> list[dict[str, Any]]:
        """Of those scenarios on which all contenders have been measured."""
        found = list[dict[str, Any]]()
        for scenario in every:
            units = list(known([scenario], self.contenders, self.seeds))
            if scenario in self.scenarios and len(units) == len(self.contenders):
                found += units
        return found


def main() -> int:
    """Runs what is missing, then writes the reports of what there is."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.autoscale", description=__doc__)
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="to judge with")
    parser.add_argument("--cells", default="", help="scenarios whose name has this in it; a|b")
    parser.add_argument("--contenders", default="", help="of these names; a|b")
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="begin no scenario that would end later"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="forget what was done before")
    parser.add_argument("--page", action="store_true", help="write it into the documentation too")
    options = parser.parse_args()
    if options.fresh:
        for path in FOLDER.glob("*.json"):
            path.unlink()
    wanted = _Wanted(
        options.seeds,
        tuple(one for one in (*cells(), *trials()) if _named(one.name, options.cells)),
        tuple(one for one in CONTENDERS if _named(one.name, options.contenders)),
    )
    with workers(options.jobs) as pool:
        work = Work(pool, options.jobs, 60 * options.minutes, partial(print, flush=True))
        work.through(wanted.units)
    _report(wanted, work, page=options.page)
    return int(bool(work.late or work.failed))


def _named(name: str, wanted: str) -> bool:
    """Whether it has one of the parts in it; a part that is a whole name means that one alone."""
    whole = {one.name for one in CONTENDERS}
    return any(part == name or (part in name and part not in whole) for part in wanted.split("|"))


def _not_run(wanted: _Wanted, work: Work) -> Iterator[tuple[str, str]]:
    """What is not compared, and why."""
    failed = {unit.scenario: f"{unit.contender} failed: {why}" for unit, why in work.failed.items()}
    late = {unit.scenario for unit in work.late}
    for one in (*cells(), *trials()):
        if one not in wanted.scenarios:
            yield one.name, "not asked for"
        elif one.name in failed:
            yield one.name, failed[one.name]
        elif one.name in late:
            yield one.name, "no time was left"
    for contender in CONTENDERS:
        if contender not in wanted.contenders:
            yield contender.name, "not asked for"


def _report(wanted: _Wanted, work: Work, *, page: bool) -> None:
    shares = {level.name: level.share for level in LEVELS}
    grid, odd = list(cells()), list(trials())
    results = wanted.results(grid)
    found, beside = cells_of(results, shares), cells_of(wanted.results(odd), shares)
    told, not_run = figures(found), dict(_not_run(wanted, work))
    report = told | {
        "versions": {
            "escadre": __version__,
            "kubernetes": "v1.36.3",
            "knative.dev/serving": "v0.44.0",
            "keda": "2.21, its rule of activation",
            "llm-d-wva": "V2, its documented formula",
        },
        "seeds": list(range(wanted.seeds)),
        "contenders": [one.name for one in wanted.contenders],
        "notRun": not_run,
        "trials": figures(beside),
        "losses": [one.document() for one in losses(found)],
    }
    names = [one.name for one in wanted.contenders]
    made = parts(
        Compared(found, beside, told, wanted.seeds, names, len(grid), len(odd), not_run),
    )
    picture = draw(results)
    (BENCH_FOLDER / "autoscale.md").write_text(whole(made))
    (BENCH_FOLDER / "autoscale.svg").write_text(picture)
    path = write_report("autoscale", report)
    if page:
        _PAGE.write_text(put_into(_PAGE.read_text(), made))
        _PICTURE.write_text(picture)
    print(whole(made))
    print({key: value for key, value in report.items() if key != "losses"})
    print(f"written to {path}, autoscale.md and autoscale.svg")


if __name__ == "__main__":
    sys.exit(main())
