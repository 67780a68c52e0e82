"""``make bench-plan``: how long planning takes, without a cluster, beside builds before this one.

2,000 deployments on 5,000 nodes that are 70 % full: a pass of a process that has planned nothing
yet, one where nothing changed, one after nodes are gone, one after an edit. Then the first again
with 10,000 on 20,000, in each build by turns. Every pass has a process of its own.
"""

import argparse
import json
import os
import subprocess
from typing import Any, Final

from e2e.bench.builds import THIS, Build, before
from e2e.bench.numbers import versions, write_report
from e2e.bench.plan.lines import GOALS, lines, ratios, table
from e2e.cluster.config import REPOSITORY
from e2e.upgrade.earlier import COMMIT_0_1_0, EarlierError

__all__ = ["main"]

# The last one whose planning looked through all pulls for each that waits; then 0.1.0.
COMMITS: Final = ("9ee30e7bb8cf1ac45166a8e4ba3649b01e393b7d", COMMIT_0_1_0)
SIZE: Final = (2_000, 5_000)
LARGE: Final = (10_000, 20_000)

Found = dict[str, float]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.plan", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of all rows")
    parser.add_argument("--pairs", type=int, default=3, help="of the large pass; 0: without it")
    parser.add_argument(
        "--commit", action="append", help="what the large pass is held against, several times"
    )
    return parser.parse_args()


def _measured(build: Build, row: str, size: tuple[int, int]) -> Found:
    """One pass in a process of its own."""
    words = [str(build.python), "-m", "e2e.bench.plan.rows", row, *map(str, size)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{build.name}: {row}: {done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout)
    return found


def _rows(rounds: int) -> dict[str, list[Found]]:
    """All rows by turns: what else the machine does meanwhile meets all of them."""
    found: dict[str, list[Found]] = {row: [] for row in GOALS}
    for _ in range(rounds):
        for row, runs in found.items():
            runs.append(_measured(THIS, row, SIZE))
    return found


def _large(pairs: int, builds: list[tuple[str, Build]]) -> dict[str, list[Found]]:
    """The large cold pass of each build; who comes first changes."""
    found: dict[str, list[Found]] = {name: [] for name, _ in builds}
    for number in range(pairs):
        for name, build in builds if number % 2 == 0 else builds[::-1]:
            found[name].append(_measured(build, "cold", LARGE))
            print(f"pair {number + 1}: {name}: {found[name][-1]['seconds']:.2f} s", flush=True)
    return found


def main() -> int:
    """Runs it; the exit status says whether every goal was met."""
    options = _options()
    commits = list(options.commit or COMMITS) if options.pairs else []
    try:
        builds = [("this", THIS), *((one[:9], before(one)) for one in commits)]
    except EarlierError as error:
        print(f"bench-plan: {error}")
        return 2
    names = {name: build.version() for name, build in builds}
    for name, version in names.items():
        print(f"{name:9} {version}", flush=True)
    load = [os.getloadavg()[0]]
    rows = _rows(options.rounds)
    large = _large(options.pairs, builds)
    judged = lines(rows)
    if options.pairs:
        judged += ratios(large["this"], {one: large[one] for one in large if one != "this"})
    print(f"\n{SIZE[0]:,} deployments on {SIZE[1]:,} nodes; large: {LARGE[0]:,} on {LARGE[1]:,}\n")
    print(f"{table(judged)}\n")
    report: dict[str, Any] = {
        "rounds": options.rounds,
        "pairs": options.pairs,
        "load": [round(one, 1) for one in (*load, os.getloadavg()[0])],
        "lines": [one.as_json() for one in judged],
        "samples": {"rows": rows, "large": large},
        "builds": names,
        "versions": versions(),
    }
    print(write_report("plan", report))
    return 0 if all(one.met for one in judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
