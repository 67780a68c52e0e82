"""``make bench-before``: this build and the one of a commit before, side by side, as ratios.

Each stands on a cluster of its own, driven by what users have: chart, settings, objects. In each
pair of runs they take turns in who comes first; at the end stand medians, or percentiles of the
edits of all pairs together.
"""

import argparse
import asyncio
import math
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from e2e.bench.before import phases
from e2e.bench.before.lines import GROUPS, Judged, judge, over_before, table
from e2e.bench.before.side import Side, Size, standing
from e2e.bench.builds import THIS, Build, before
from e2e.bench.floor import apply_all, intents
from e2e.bench.numbers import read_report, versions, write_report
from e2e.stage.stage import TEAM
from e2e.upgrade.earlier import COMMIT_0_1_0, EarlierError
from escadre.core.counting import count

__all__ = ["main"]

EDITS: Final = 300  # of each build, over all pairs
_RESTING: Final = 2  # one of so many pairs looks at rest: processor time differs little
_UNSCRAPED: Final = 6  # and one of so many also without scraping


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.before", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--deployments", type=int, default=300, help="of the pairs")
    parser.add_argument("--cold-deployments", type=int, default=1000, help="of the row cold")
    parser.add_argument("--rest-seconds", type=float, default=120)
    parser.add_argument("--rows", default=",".join(GROUPS), help="of %(default)s")
    parser.add_argument("--commit", default=COMMIT_0_1_0, help="what this build is held against")
    parser.add_argument(
        "--before", type=Path, metavar="PATH", help="its checkout, with .venv: not made from COMMIT"
    )
    options = parser.parse_args()
    options.rows = set(options.rows.split(","))
    if unknown := options.rows - set(GROUPS):
        parser.error(f"no rows {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    return options


class Comparison:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, builds: tuple[Build, Build]) -> None:
        self._options = options
        self._rows: set[str] = options.rows
        self._builds = builds
        self._began = time.monotonic()
        self.samples: dict[str, dict[str, list[float]]] = {one.name: {} for one in builds}
        self.loads: list[float] = []

    async def run(self, folder: Path) -> None:
        """Everything that was asked for."""
        if self._rows - {"cold"}:
            await self._pairs(folder)
        if "cold" in self._rows:
            await self._cold(folder)

    async def _pairs(self, folder: Path) -> None:
        edits = self._edits()
        size = Size(self._options.deployments, spare=2 * edits if "edit" in self._rows else 0)
        async with AsyncExitStack() as stack:
            sides = []
            for build in self._builds:
                side = await stack.enter_async_context(standing(build, folder / build.name, size))
                side.samples = self.samples[build.name]
                sides.append(side)
                self._say(f"{build.name} stands")
            for number in range(self._options.pairs):
                order = sides if number % 2 == 0 else sides[::-1]
                await self._pair(number, order, edits)

    def _edits(self) -> int:
        """Edits of a pair, and again as many without scraping."""
        each = math.ceil(EDITS / self._options.pairs)
        return int(min(each, self._options.deployments // 2))

    async def _pair(self, number: int, order: list[Side], edits: int) -> None:
        self.loads.append(os.getloadavg()[0])
        if "memory" in self._rows:
            await _both(order, phases.empty)
        for side in order:
            await side.fleet.wish(side.client)
        for side in order:
            await phases.cold(side, "cold")
            self._say(f"pair {number + 1}: {side.build.name}: all {side.fleet.count} made")
        if self._rows & {"rest", "memory"}:
            await _both(order, lambda side: self._rest(side, number))
            self._say(f"pair {number + 1}: looked at rest")
        for side in order:
            await self._busy(side, number, edits)
            self._say(f"pair {number + 1}: {side.build.name}: edited and deleted")

    async def _rest(self, side: Side, number: int) -> None:
        """What both sides do at the same time: nothing."""
        await side.start()
        if "rest" in self._rows and number % _RESTING == 0:
            await phases.look_at_rest(side, "restOn", self._options.rest_seconds)
        if "memory" in self._rows:
            phases.memory(side, "memorySlope")
        if "rest" in self._rows and number % _UNSCRAPED == 0:
            await side.hide_engines()
            await phases.look_at_rest(side, "restOff", self._options.rest_seconds)
            await side.show_engines()
        side.operator.stop()

    async def _busy(self, side: Side, number: int, edits: int) -> None:
        """What one side does while the operator of the other is stopped."""
        await side.start()
        if "edit" in self._rows:
            await self._edit(side, edits, scraped_first=number % 2 == 0)
        await phases.delete_all(side)
        side.operator.stop()

    async def _edit(self, side: Side, edits: int, *, scraped_first: bool) -> None:
        """With scraping and without; who comes first has the smaller fleet."""
        scraped, silent = range(edits), range(edits, 2 * edits)
        if scraped_first:
            await phases.edit(side, "On", scraped)
        await side.hide_engines()
        await phases.edit(side, "Off", silent)
        if not scraped_first:
            await side.show_engines()
            await phases.edit(side, "On", scraped)

    async def _cold(self, folder: Path) -> None:
        """One cold start of many for each, and the floor: what this build applied, by a client."""
        size = Size(self._options.cold_deployments, scraped=False)
        for build in self._builds:
            async with standing(build, folder / f"{build.name}-cold", size) as side:
                await phases.empty(side)
                wishes = await side.fleet.wish(side.client)
                await phases.cold(side, "large")
                self._say(f"{build.name}: all {side.fleet.count} made")
                await side.start()
                phases.memory(side, "largeSlope")
                side.operator.stop()
                large = {key: one for key, one in side.samples.items() if key.startswith("large")}
                self.samples[build.name] |= large
                if build is THIS:
                    floor = await _floor(side, wishes)
                    self._say(f"floor: {floor:.1f} s")
        for found in self.samples.values():
            found["largeOverFloor"] = [found["largeSeconds"][0] / floor]
            found["floorSeconds"] = [floor]

    def _say(self, text: str) -> None:
        passed = int(time.monotonic() - self._began)
        print(f"{passed // 60:3}:{passed % 60:02}  {text}", flush=True)


async def _both(sides: list[Side], phase: Callable[[Side], Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for side in sides:
            tasks.create_task(phase(side))


async def _floor(side: Side, wishes: dict[str, str]) -> float:
    """Seconds that a client needs which does nothing else."""
    bodies = await intents(side.client, TEAM)
    await side.fleet.clear(side.client)
    after = await side.fleet.wish(side.client)
    owners = {wishes[name]: after[name] for name in wishes}
    return await apply_all(side.client, bodies, owners)


def _report(options: argparse.Namespace, run: Comparison, judged: list[Judged]) -> dict[str, Any]:
    return {
        "pairs": options.pairs,
        "deployments": options.deployments,
        "coldDeployments": options.cold_deployments,
        "load": [round(one, 1) for one in (*run.loads, os.getloadavg()[0])],
        "lines": [one.as_json() for one in judged],
        "overBefore": over_before(judged),
        "samples": run.samples,
        "versions": versions(),
    }


def _title(options: argparse.Namespace) -> str:
    parts = []
    if options.rows - {"cold"}:
        parts.append(f"{count(options.pairs, 'pair')} with {options.deployments:,} deployments")
    if "cold" in options.rows:
        parts.append(f"cold start of {options.cold_deployments:,}")
    return ", ".join(parts)


def main() -> int:
    """Runs it; the exit status says whether every goal was met."""
    options = _options()
    try:
        builds = (before(options.commit, options.before), THIS)
    except EarlierError as error:
        print(f"bench-before: {error}")
        return 2
    names = {one.name: one.version() for one in builds}
    for name, version in names.items():
        print(f"{name:7} {version}", flush=True)
    run = Comparison(options, builds)
    with tempfile.TemporaryDirectory(prefix="escadre-bench-") as folder:
        asyncio.run(run.run(Path(folder)))
    judged = judge(run.samples["before"], run.samples["this"])
    print(f"\n{_title(options)}\n\n{table(judged)}\n")
    report = _report(options, run, judged) | {"builds": names}
    print(write_report("before", report))
    write_report("control", read_report("control") | {"overBefore": report["overBefore"]})
    return 0 if all(one.met is not False for one in judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
