"""``make bench-control``: what the control plane costs with 1,000 ModelDeployments.

One real cluster, the operator as a process of its own, agents and engines played. Cold start,
restart, edits, deleted children and memory; beside them the floor: the same objects applied by a
bare client in the same run. Times come from the audit log and the operator's log.
"""

import argparse
import asyncio
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from e2e.bench.client import BareClient
from e2e.bench.fleet import Fleet
from e2e.bench.floor import apply_all, intents
from e2e.bench.measure import Measure
from e2e.bench.numbers import Row, print_table, read_report, versions, write_report
from e2e.bench.process import OperatorProcess
from e2e.stage.stage import TEAM

__all__ = ["main"]

CONNECTIONS = 16  # = operator.workers, each of which has one request in flight
COLD_OVER_FLOOR = 1.5
RESTART_SECONDS = 5.0
EDIT_SECONDS = 0.5
HEAL_SECONDS = 2.0
MEMORY_MEGABYTES = 150.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.control", description=__doc__)
    parser.add_argument("--deployments", type=int, default=1000)
    parser.add_argument("--edits", type=int, default=100, help="edits, and deleted children")
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument(
        "--queries-per-second", type=float, default=2000, help="the operator's own limit"
    )
    parser.add_argument("--skip-floor", action="store_true", help="for quick runs")
    parser.add_argument("--profile", type=Path, help="write cProfile statistics of the operator")
    return parser.parse_args()


async def _run(options: argparse.Namespace, fleet: Fleet, folder: Path) -> dict[str, Any]:
    operator = OperatorProcess(fleet.cluster, folder, profile=options.profile)
    async with BareClient(fleet.cluster, CONNECTIONS) as client:
        measure = Measure(fleet, operator, client, fleet.cluster.audit)
        try:
            operator.start()
            await fleet.report_weights(client)
            operator.stop()
            before = await fleet.wish(client)
            _say(f"{len(before)} ModelDeployments stand; the operator starts")
            found: dict[str, Any] = await measure.cold()
            _say(f"cold: {found}")
            bodies = await intents(client, TEAM)
            found |= await measure.restart(options.restarts)
            _say(f"restart: {found}")
            found |= await measure.edit(min(options.edits, fleet.count // 10))
            found |= await measure.heal(options.edits)
            found |= measure.memory()
            _say(f"edit, heal, memory: {found}")
        finally:
            operator.stop()
        if not options.skip_floor:
            await fleet.clear(client)
            after = await fleet.wish(client)
            owners = {before[name]: after[name] for name in before}
            floor = await apply_all(client, bodies, owners)
            found |= {
                "floorSeconds": round(floor, 2),
                "floorApplies": sum(len(one) for one in bodies.values()),
                "coldOverFloor": round(found["coldSeconds"] / floor, 2),
            }
    return found


def _say(text: str) -> None:
    print(text, flush=True)


def _rows(found: dict[str, Any]) -> list[Row]:
    rows = [
        Row("cold: leadership to last child applied", found["coldSeconds"], "s"),
        Row("restart: first full pass", found["restartSeconds"], "s", RESTART_SECONDS),
        Row("restart: writes but the Lease", found["restartWrites"], "", 0),
        Row("edit to first write, p99", found["editToFirstWriteP99Seconds"], "s", EDIT_SECONDS),
        Row("deleted child healed, p99", found["healP99Seconds"], "s", HEAL_SECONDS),
        Row("resident memory", found["rssMegabytes"], "MB", MEMORY_MEGABYTES),
        Row("resident memory, highest", found["rssPeakMegabytes"], "MB"),
        Row("claims bound (controller-manager)", found["claimsBoundSeconds"], "s"),
        Row("all Ready", found["allReadySeconds"], "s"),
        Row("operator's CPU, cold", found["coldCpuSeconds"], "s"),
    ]
    if "floorSeconds" in found:
        rows[1:1] = [
            Row("floor: the same applies, bare client", found["floorSeconds"], "s"),
            Row("cold over floor", found["coldOverFloor"], "×", COLD_OVER_FLOOR),
        ]
    return rows


def main() -> int:
    """Runs it; the exit status says whether every goal was met."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="escadre-bench-") as folder:
        fleet = Fleet("bench", Path(folder), options.deployments)
        with fleet.cluster:
            fleet.install(
                queriesPerSecond=options.queries_per_second,
                burst=int(options.queries_per_second),
                workers=CONNECTIONS,
            )
            fleet.wait_agents()
            found = asyncio.run(_run(options, fleet, Path(folder)))
        if options.profile is not None:
            _say(f"profiles: {options.profile}.*")
    rows = _rows(found)
    print_table(f"control plane, {options.deployments} ModelDeployments", rows)
    report = {
        **found,
        "deployments": options.deployments,
        "load": [round(one, 1) for one in os.getloadavg()],
        "goals": [{**asdict(row), "met": row.met} for row in rows if row.goal is not None],
        "versions": versions(),
    }
    if "overBefore" in (last := read_report("control")):
        report["overBefore"] = last["overBefore"]  # of `make bench-before`
    _say(str(write_report("control", report)))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
