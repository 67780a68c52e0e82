"""``make bench-layout``: the estimate of the cache beside published start-ups, and beside peers.

The table (data/startups.json) was fixed before any estimator ran on it. Peers run in environments
of their own, as their users call them; each is compared on the rows it answers. Fails when a
verdict is wrong or the median error misses its goal; rows outside the limits are listed.
"""

import argparse
import sys
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from e2e.bench.layout.environments import PEERS, answers_of
from e2e.bench.layout.judge import Beside, Judged, beside, judge, summary
from e2e.bench.layout.table import document, startups
from e2e.bench.numbers import write_report
from escadre import __version__

MEDIAN_ERROR = 0.02


def main() -> int:
    """Prints the tables and writes build/bench/layout.json."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.layout", description=__doc__)
    parser.add_argument("--alone", action="store_true", help="without the peers")
    options = parser.parse_args()
    judged = judge(startups())
    told = {} if options.alone else {peer: answers_of(peer, document()) for peer in PEERS}
    peers = [beside(f"{peer.package} {peer.version}", judged, told[peer]) for peer in told]
    numbers = summary(judged, peers)
    console = Console(width=80, highlight=False)
    console.print(_rows(judged))
    console.print(_peers(peers, judged))
    report = numbers | {
        "peers": [asdict(peer) for peer in peers],
        "estimates": [_estimate(one) for one in judged],
    }
    print(f"written to {write_report('layout', report)}")
    best = numbers["bestPeerMedianError"]
    goal = MEDIAN_ERROR if best is None else max(MEDIAN_ERROR, best / 2)
    print(
        f"median error {numbers['medianError']:.2%} (goal {goal:.2%}), of rows that gave no "
        f"constant {numbers['medianErrorUnfitted']:.2%}, without the row's model "
        f"{numbers['medianErrorWithoutModel']:.2%}; worst {numbers['worstOver']:+.2f} and "
        f"{-numbers['worstUnder']:+.2f} GiB; outside the limits: "
        f"{', '.join(numbers['outsideLimits']) or 'none'}; "
        f"wrong verdicts {numbers['verdictsWrong']}"
    )
    return int(numbers["medianError"] > goal or numbers["verdictsWrong"] > 0)


def _rows(judged: tuple[Judged, ...]) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    for name, justify in (("", "left"), ("MODEL", "left"), ("VLLM", "left"), ("TP×PP", "left")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # literals
    for name in ("CACHE", "ESTIMATE", "OFF", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for one in judged:
        row = one.startup.row
        mark = "verdict" if not one.right else "" if one.within else "outside"
        table.add_row(
            row["id"],
            row["model"].split("/")[1][:27],
            row["engine"],
            f"{row['tensorParallel']}×{row['pipelineParallel']}",
            f"{one.startup.cache:.2f}",
            f"{one.ours.cache:.2f}",
            f"{one.off:+.2f}",
            mark,
        )
    return table


def _peers(peers: list[Beside], judged: tuple[Judged, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("MEDIAN ERROR OF THE CACHE")
    for name in ("ROWS", "THEIRS", "OURS", "WRONG VERDICTS"):
        table.add_column(name, justify="right")
    for peer in peers:
        theirs, ours = (
            f"{one:.2%}" if one is not None else "-" for one in (peer.median, peer.ours)
        )
        table.add_row(peer.name, str(peer.rows), theirs, ours, f"{peer.wrong} of {peer.verdicts}")
    wrong = sum(not one.right for one in judged)
    numbers = summary(judged, peers)
    rows = sum(one.error is not None for one in judged)
    mine = f"{numbers['medianError']:.2%}"
    table.add_row(f"escadre {__version__}", str(rows), "", mine, f"{wrong} of {len(judged)}")
    return table


def _estimate(one: Judged) -> dict[str, object]:
    row = one.startup.row
    kept = ("id", "model", "engine", "cacheGiB", "fits", "fittedBy", "source")
    return {name: row[name] for name in kept} | {
        "estimateGiB": round(one.ours.cache, 3),
        "withoutModelGiB": round(one.without.cache, 3),
        "estimateFits": one.ours.fits,
        "within": one.within,
    }


if __name__ == "__main__":
    sys.exit(main())
