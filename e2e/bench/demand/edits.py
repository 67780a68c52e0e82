"""Edits on a real API server while the operator reads its engines, and while it does not, by turns.

One operator, switched (switched.py); the engines are played and tell what engines at work do
(page.py). An edit raises ``minReplicas`` from 1 to 2; measured is from its answer to the first
child that the operator wrote for it, by the times of the audit log. In each pair both halves edit
as many, and who comes first changes, so that other load on the machine and the growing fleet meet
both. The operator's processor time in both halves says what reading takes of a core in all: with
the passes and the statuses that it leads to.
"""

import asyncio
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from typing_extensions import override

from e2e.bench.before.trail import first_children
from e2e.bench.client import MERGE, BareClient
from e2e.bench.demand import switched
from e2e.bench.demand.page import page
from e2e.bench.fleet import DEPLOYMENTS_PATH, Fleet, Variant, wish_name
from e2e.bench.measure import Measure
from e2e.bench.numbers import percentile
from e2e.bench.process import OperatorProcess
from e2e.cluster.config import RunnerConfig
from e2e.cluster.wait import wait_for_async

__all__ = ["Half", "measured", "summary"]

Found = dict[str, float]
SCRAPE_SECONDS: Final = 5.0
_CONNECTIONS: Final = 16  # = operator.workers, each of which has one request in flight
_QUERIES_PER_SECOND: Final = 2000  # the operator's own limit must not be what is measured
_SPACING_SECONDS: Final = 0.6
_QUIET_SECONDS: Final = 3.0
# Until all tell their numbers in turn: the least time between two statuses, and once round.
_BEGIN_SECONDS: Final = 30.0
_BEGIN_EACH_SECONDS: Final = 0.2
_SERVED: Final = 3600.0  # seconds that the engines have served at the beginning
_ADMIN: Final = "escadre-test-admin"
_TWO: Final = json.dumps({"spec": {"scaling": {"minReplicas": 2}}}).encode()


@dataclass(frozen=True, slots=True)
class Half:
    """Of a pair: seconds from each edit to the first write, share of a core, the machine's load."""

    reading: bool
    waits: list[float]
    core_share: float
    load: float


class _Switched(OperatorProcess):
    """Reads engines or not; see switched.py."""

    @override
    def _program(self) -> list[str]:
        return [switched.__file__]

    def read(self, on: bool) -> None:
        """From the next round on."""
        place = self._folder / switched.SILENT
        if on:
            place.unlink(missing_ok=True)
        else:
            place.touch()


@dataclass(slots=True)
class _Pairs:
    """What runs, and what came of it."""

    fleet: Fleet
    operator: _Switched
    client: BareClient
    halves: list[Half] = field(default_factory=list)
    reading: bool = False

    @property
    def measure(self) -> Measure:
        """The phases that all benchmarks share."""
        return Measure(self.fleet, self.operator, self.client, self.fleet.cluster.audit)

    async def stand(self) -> None:
        """Until all wishes are Ready and the operator writes nothing; it does not read yet."""
        self.operator.read(self.reading)
        self.operator.start()
        await self.fleet.report_weights(self.client)
        await self.fleet.wish(self.client)
        await self.measure.reach(self.fleet.ready, "all to be Ready")
        await self.measure.rest(_QUIET_SECONDS)
        print(f"  {self.fleet.count} ModelDeployments are Ready", flush=True)

    async def run(self, pairs: int, edits: int) -> None:
        """Each deployment is edited once at most."""
        for number in range(2 * pairs):
            numbers = range(number * edits, (number + 1) * edits)
            await self._switch(on=number % 4 in {0, 3})
            half = await self._half([wish_name(one) for one in numbers])
            self.halves.append(half)
            print(f"  {_told(half)}", flush=True)

    async def _switch(self, *, on: bool) -> None:
        """When it begins, all statuses tell of it; what counts is when each tells in its turn.

        Without it, all is told at last.
        """
        if on == self.reading:
            return
        self.reading = on
        self.operator.read(on)
        if on:
            await asyncio.sleep(_BEGIN_SECONDS + _BEGIN_EACH_SECONDS * self.fleet.count)
        else:
            await asyncio.sleep(_BEGIN_SECONDS)
            await self.measure.rest(_QUIET_SECONDS)

    async def _half(self, names: list[str]) -> Half:
        audit = self.fleet.cluster.audit
        mark, cpu, began = audit.mark(), self.operator.cpu_seconds(), time.monotonic()
        for name in names:
            await self.client.send("PATCH", f"{DEPLOYMENTS_PATH}/{name}", _TWO, MERGE)
            await asyncio.sleep(_SPACING_SECONDS)
        share = (self.operator.cpu_seconds() - cpu) / (time.monotonic() - began)
        waits: list[float] = []

        async def answered() -> bool:
            waits[:] = self._waits(mark)
            return len(waits) == len(names)

        await wait_for_async(answered, 60, "the first write of each edit")
        return Half(self.reading, waits, share, os.getloadavg()[0])

    def _waits(self, mark: int) -> list[float]:
        """Of the edits whose first child was written."""
        audit = self.fleet.cluster.audit
        edited = {
            one.name: one
            for one in audit.entries(mark, user=_ADMIN)
            if one.resource == "modeldeployments" and one.verb == "patch"
        }
        since = {name: one.received for name, one in edited.items()}
        first = first_children(audit.writes(mark), since)
        return [max(0.0, at - edited[name].done) for name, at in first.items()]


async def measured(replicas: int, pairs: int, edits: int, folder: Path) -> list[Half]:
    """All halves, on a cluster of its own with so many replicas of as many deployments."""
    metrics = folder / "metrics.txt"
    runner = RunnerConfig(fake_all=True, fake_metrics=str(metrics), idle=True)
    fleet = Fleet("demand", folder, replicas, Variant(spare=2 * pairs * edits, runner=runner))
    with fleet.cluster:
        fleet.install(
            scrape_seconds=SCRAPE_SECONDS,
            queriesPerSecond=_QUERIES_PER_SECOND,
            burst=_QUERIES_PER_SECOND,
            workers=_CONNECTIONS,
        )
        fleet.wait_agents()
        operator = _Switched(fleet.cluster, folder)
        async with BareClient(fleet.cluster, _CONNECTIONS) as client:
            found = _Pairs(fleet, operator, client)
            served = asyncio.create_task(_serve(metrics))
            try:
                await found.stand()
                await found.run(pairs, edits)
            finally:
                operator.stop()
                served.cancel()
                with suppress(asyncio.CancelledError):
                    await served
    return found.halves


async def _serve(metrics: Path) -> None:
    """What the played engines tell, renewed every second."""
    began, fresh = time.monotonic(), metrics.with_suffix(".new")
    while True:
        fresh.write_bytes(page(_SERVED + time.monotonic() - began))
        fresh.replace(metrics)
        await asyncio.sleep(1)


def summary(halves: list[Half]) -> Found:
    """Percentiles of all edits, their ratios, and what reading takes of a core. Pure."""
    waits = {
        on: [one for each in halves if each.reading is on for one in each.waits]
        for on in (True, False)
    }
    shares = {on: [one.core_share for one in halves if one.reading is on] for on in (True, False)}
    ratios = [_p99(on.waits) / _p99(off.waits) for on, off in _pairs(halves)]
    return {
        "edits": len(waits[True]),
        "aloneP50Seconds": percentile(waits[False], 0.5),
        "readingP50Seconds": percentile(waits[True], 0.5),
        "aloneP99Seconds": _p99(waits[False]),
        "readingP99Seconds": _p99(waits[True]),
        "p99Ratio": _p99(waits[True]) / _p99(waits[False]),
        "p99RatioOfPairs": percentile(ratios, 0.5),
        "aloneCoreShare": percentile(shares[False], 0.5),
        "readingCoreShare": percentile(shares[True], 0.5),
    }


def _pairs(halves: list[Half]) -> list[tuple[Half, Half]]:
    """Who reads first, in each."""
    both = zip(halves[::2], halves[1::2], strict=True)
    return [(one, other) if one.reading else (other, one) for one, other in both]


def _p99(waits: list[float]) -> float:
    return percentile(waits, 0.99)


def _told(half: Half) -> str:
    words = "reading" if half.reading else "alone"
    middle, last = percentile(half.waits, 0.5), _p99(half.waits)
    return (
        f"{words:8} edit to first write p50 {middle:.3f} s, p99 {last:.3f} s; "
        f"{100 * half.core_share:.1f} % of a core; load {half.load:.1f}"
    )
