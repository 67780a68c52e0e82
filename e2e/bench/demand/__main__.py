"""``make bench-demand``: what it costs to read 500 engines every 5 seconds, and to decide on it.

The operator's own loop reads bodies of 50 kB, recorded from vLLM, over kept connections from
engines in a process of their own; the cluster is played in the process that is measured. Then
edits: from the edit to the first write that follows from it, with the engines read and without, by
turns in one process.
"""

import argparse
import json
import os
import subprocess
import sys
from typing import Any, Final

from e2e.bench.numbers import Row, percentile, print_table, versions, write_report
from e2e.cluster.config import REPOSITORY

__all__ = ["main"]

CORE_SHARE: Final = 0.06
DECISIONS_SECONDS: Final = 0.05
EDIT_RATIO: Final = 1.1

Found = dict[str, float]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.demand", description=__doc__)
    parser.add_argument("--replicas", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60, help="that reading is measured for")
    parser.add_argument("--rounds", type=int, default=3, help="of reading")
    parser.add_argument("--pairs", type=int, default=5, help="of edits; 0: without them")
    return parser.parse_args()


def _measured(row: str, replicas: int, much: float) -> Found:
    words = [sys.executable, "-m", "e2e.bench.demand.rows", row, str(replicas)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [*words, str(much)], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{row}: {done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    print(f"{row}: {found}", flush=True)
    return found


def _table(cost: list[Found], edits: Found | None) -> list[Row]:
    rows = [
        Row("share of a core", _median(cost, "coreShare"), "", CORE_SHARE),
        Row("one reading", _median(cost, "microsecondsEach"), "µs"),
        Row("scrapes that failed", max(one["failed"] for one in cost), "", 0),
        Row("a round's decisions", _median(cost, "decisionsSeconds"), "s", DECISIONS_SECONDS),
    ]
    if edits is not None:
        ratio = edits["scrapingP99Seconds"] / edits["aloneP99Seconds"]
        rows += [
            Row("edit to first write, p99, not reading", edits["aloneP99Seconds"], "s"),
            Row("edit to first write, p99, reading", edits["scrapingP99Seconds"], "s"),
            Row("one over the other", ratio, "×", EDIT_RATIO),
            Row("the same, median of the pairs", edits["pairsRatioMedian"], "×"),
        ]
    return rows


def _median(found: list[Found], name: str) -> float:
    return percentile([one[name] for one in found], 0.5)


def main() -> int:
    """Runs it; the exit status says whether every goal was met."""
    options = _options()
    replicas, rounds = options.replicas, max(1, options.rounds)
    cost = [_measured("cost", replicas, options.seconds) for _ in range(rounds)]
    edits = _measured("edits", replicas, options.pairs) if options.pairs else None
    rows = _table(cost, edits)
    print_table(f"reading {options.replicas} engines every 5 s", rows)
    report: dict[str, Any] = {"versions": versions(), "cost": cost, "edits": edits}
    print(write_report("demand", report))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
