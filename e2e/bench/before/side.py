"""One build on a cluster of its own, with everything that measures it.

Both sides stand at the same time, in network namespaces of their own. One is measured while the
operator of the other is stopped; at rest, where nothing but their own processor time counts, both.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from e2e.bench.builds import Build
from e2e.bench.client import MERGE, BareClient, Request
from e2e.bench.fleet import Fleet, Variant
from e2e.bench.measure import Measure
from e2e.bench.process import OperatorProcess
from e2e.cluster.audit import AuditLog
from e2e.cluster.config import REPOSITORY, RunnerConfig
from e2e.stage.stage import TEAM

__all__ = ["Side", "Size", "standing"]

CONNECTIONS: Final = 16  # = operator.workers, each of which has one request in flight
_QUERIES_PER_SECOND: Final = 2000  # the operator's own limit must not be what is measured
_METRICS: Final = REPOSITORY / "e2e/engine/standin/vllm-0.32-metrics.txt"
_PODS: Final = f"/api/v1/namespaces/{TEAM}/pods"
_QUIET_SECONDS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Size:
    """Of a fleet: deployments, room for more replicas, and whether the engines can be read."""

    deployments: int
    spare: int = 0
    scraped: bool = True


@dataclass(slots=True)
class Side:
    """See the module; ``samples`` collects what was measured, by name."""

    build: Build
    fleet: Fleet
    operator: OperatorProcess
    client: BareClient
    audit: AuditLog
    samples: dict[str, list[float]] = field(default_factory=dict)
    _addresses: dict[str, str] = field(default_factory=dict)

    @property
    def measure(self) -> Measure:
        """The phases that all benchmarks share."""
        return Measure(self.fleet, self.operator, self.client, self.audit)

    def note(self, name: str, *values: float) -> None:
        """Adds samples."""
        self.samples.setdefault(name, []).extend(values)

    async def start(self) -> None:
        """Starts the operator; returns when it has caught up and writes nothing."""
        self.operator.start()
        await asyncio.to_thread(self.operator.wait_said, "caught up", 120)
        await self.rest()

    async def rest(self) -> None:
        """Until the operator writes nothing."""
        await self.measure.rest(_QUIET_SECONDS)

    async def hide_engines(self) -> None:
        """Takes the addresses of all engines away: neither build reads one that has none."""
        pods = (await self.client.get(_PODS))["items"]
        self._addresses = {
            one["metadata"]["name"]: one["status"]["podIP"]
            for one in pods
            if one.get("status", {}).get("podIP")
        }
        await self._address(dict.fromkeys(self._addresses, ""))

    async def show_engines(self) -> None:
        """Gives the engines back the addresses that ``hide_engines`` took."""
        await self._address(self._addresses)

    async def _address(self, addresses: dict[str, str]) -> None:
        await self.client.each([_addressing(name, ip)] for name, ip in addresses.items())
        await self.rest()


def _addressing(name: str, ip: str) -> Request:
    status = {"podIP": ip or None, "podIPs": [{"ip": ip}] if ip else None}
    return "PATCH", f"{_PODS}/{name}/status", json.dumps({"status": status}).encode(), MERGE


@asynccontextmanager
async def standing(build: Build, folder: Path, size: Size) -> AsyncIterator[Side]:
    """A cluster with the build's chart, agents that have the weights, and no operator yet."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    runner = RunnerConfig(fake_all=True, fake_metrics=str(_METRICS), fake_addresses=size.scraped)
    variant = Variant(build, size.spare, runner)
    fleet = Fleet(f"{build.name}-{size.deployments}", folder, size.deployments, variant)
    with fleet.cluster:
        fleet.install(
            queriesPerSecond=_QUERIES_PER_SECOND, burst=_QUERIES_PER_SECOND, workers=CONNECTIONS
        )
        fleet.wait_agents()
        operator = OperatorProcess(fleet.cluster, folder, build=build)
        async with BareClient(fleet.cluster, CONNECTIONS) as client:
            side = Side(build, fleet, operator, client, fleet.cluster.audit)
            try:
                operator.start()
                await fleet.report_weights(client)
                operator.stop()
                yield side
            finally:
                operator.stop()
