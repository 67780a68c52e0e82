"""``make bench-demand``: what it costs to read 500 engines every 5 seconds, and to decide on it.

The operator's own loop reads bodies of 50 kB, recorded from vLLM, over kept connections from
engines in a process of their own; the cluster is played in the process that is measured. Then
what a decision costs after hours of traffic. At last edits on a real API server: from the edit to
the first write that follows from it, with the engines read and without, by turns in one operator.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from e2e.bench.builds import THIS
from e2e.bench.demand.edits import Half, measured, summary
from e2e.bench.numbers import Row, percentile, print_table, versions, write_report
from e2e.cluster.config import REPOSITORY

__all__ = ["main", "table"]

CORE_SHARE: Final = 0.06
DECISIONS_SECONDS: Final = 0.05
KEPT_MEGABYTES: Final = 40.0
KEPT_DEPLOYMENTS: Final = 5000
EDIT_RATIO: Final = 1.1
_EACH: Final = (1, 10)  # replicas of a deployment, in the fleets that are read
_HISTORY_LOOKS: Final = 1440  # two hours

Found = dict[str, float]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.demand", description=__doc__)
    parser.add_argument("--replicas", type=int, default=500)
    parser.add_argument("--looks", type=int, default=9, help="that reading is measured for")
    parser.add_argument("--rounds", type=int, default=1, help="of that")
    parser.add_argument("--pairs", type=int, default=5, help="of edits; 0: no cluster")
    parser.add_argument("--edits", type=int, default=50, help="of half a pair")
    options = parser.parse_args()
    if options.replicas % max(_EACH):
        parser.error(f"--replicas must be a multiple of {max(_EACH)}")
    if options.replicas < (most := 2 * options.pairs * options.edits):
        parser.error(f"{most} edits are too many: each of --replicas is edited once")
    return options


def _row(name: str, replicas: int, each: int, looks: int) -> Found:
    """One row of rows.py in a process of its own."""
    words = [sys.executable, "-m", "e2e.bench.demand.rows", name]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [*words, str(replicas), str(each), str(looks)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    print(f"{name} {replicas} by {each}: {found}", flush=True)
    return found


def _edits(options: argparse.Namespace) -> list[Half]:
    if not options.pairs:
        return []
    with tempfile.TemporaryDirectory(prefix="escadre-bench-") as folder:
        found = measured(options.replicas, options.pairs, options.edits, Path(folder))
        return asyncio.run(found)


def table(
    cost: dict[int, list[Found]], history: dict[int, Found], edits: Found | None
) -> list[Row]:
    """The lines, by replicas of a deployment; pure."""
    rows = []
    for each, found in cost.items():
        shape = f", {each} of a deployment"
        decisions = _median(found, "decisionsSeconds")
        rows += [
            Row(f"share of a core{shape}", _median(found, "coreShare"), "", CORE_SHARE),
            Row(f"one reading{shape}", _median(found, "microsecondsEach"), "µs"),
            Row(f"a round's decisions{shape}", decisions, "s", DECISIONS_SECONDS),
            Row(f"scrapes that failed{shape}", max(one["failed"] for one in found), "", 0),
        ]
    for each, one in history.items():
        name = f"the policy alone after 2 h, {each} of a deployment"
        rows.append(Row(name, one["decisionsSeconds"], "s", DECISIONS_SECONDS))
    kept = KEPT_DEPLOYMENTS * history[1]["bytesEach"] / 1e6
    rows.append(Row(f"kept of {KEPT_DEPLOYMENTS:,} deployments", kept, "MB", KEPT_MEGABYTES))
    return rows if edits is None else rows + _edit_rows(edits)


def _edit_rows(edits: Found) -> list[Row]:
    return [
        Row("edit to first write, p50, not reading", edits["aloneP50Seconds"], "s"),
        Row("edit to first write, p50, reading", edits["readingP50Seconds"], "s"),
        Row("edit to first write, p99, not reading", edits["aloneP99Seconds"], "s"),
        Row("edit to first write, p99, reading", edits["readingP99Seconds"], "s"),
        Row("p99, one over the other", edits["p99Ratio"], "×", EDIT_RATIO),
        Row("the same, median of the pairs", edits["p99RatioOfPairs"], "×"),
        Row("operator's share of a core, not reading", edits["aloneCoreShare"], ""),
        Row("operator's share of a core, reading", edits["readingCoreShare"], ""),
    ]


def _median(found: list[Found], name: str) -> float:
    return percentile([one[name] for one in found], 0.5)


def main() -> int:
    """Runs it; the exit status says whether every goal was met."""
    options = _options()
    replicas, rounds = options.replicas, range(max(1, options.rounds))
    print(THIS.version(), versions(), flush=True)
    cost: dict[int, list[Found]] = {each: [] for each in _EACH}
    for _ in rounds:
        for each, found in cost.items():
            found.append(_row("cost", replicas, each, options.looks))
    shapes = (*_EACH, replicas)
    history = {each: _row("history", replicas, each, _HISTORY_LOOKS) for each in shapes}
    halves = _edits(options)
    edits = summary(halves) if halves else None
    rows = table(cost, history, edits)
    print_table(f"reading {replicas} engines every 5 s", rows)
    report: dict[str, Any] = {
        "versions": versions() | {"build": THIS.version()},
        "goals": [{**asdict(row), "met": row.met} for row in rows if row.goal is not None],
        "cost": cost,
        "history": history,
        "edits": edits,
        "halves": [asdict(one) for one in halves],
    }
    print(write_report("demand", report))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
