"""The agent: inventory, keeper and reporter wired together, run until told to end.

Everything that may fail in the outside world ends in the status or in a pause. Started by
agent/run.py, and by tests with fakes.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry

from escadre import __version__, reasons
from escadre.agent.gpunode import GPUNodeApi
from escadre.agent.gpus.inventory import Inventory, InventorySource
from escadre.agent.gpus.nvml import NvmlInventory
from escadre.agent.gpus.simulated import SimulatedInventory
from escadre.agent.identity import Identity
from escadre.agent.keeper import Keeper, Times
from escadre.agent.prober import Prober
from escadre.agent.pull.transfer import TransferLimits
from escadre.agent.report import build_status
from escadre.agent.reporter import Reporter
from escadre.agent.view import View
from escadre.agent.wish import ProbeWish, Wish
from escadre.api.gpunode import GPUNodeStatus, MirrorSource
from escadre.clients.sources.credentials import credentials_from_secret
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.guard import guard_of
from escadre.clients.sources.protocol import Source
from escadre.errors import Refusal
from escadre.machinery.serving import Endpoint, serving
from escadre.metrics.agent import AgentMetrics
from escadre.names import MIRROR_FOLDERS_PATH
from escadre.settings import AgentSettings

__all__ = ["Agent", "inventory_source"]

_log = structlog.get_logger(__name__)
_READ_GPUS_EVERY: Final = 30.0
_LOOK_EVERY: Final = 60.0
_GPU_PATIENCE: Final = 20.0  # seconds NVML may take to answer


def inventory_source(settings: AgentSettings) -> InventorySource:
    """The source that the settings name."""
    if settings.inventory == "simulated":
        if settings.simulated_gpus is None:
            raise Refusal(
                reasons.INVALID_SPEC, "agent.inventory simulated needs agent.simulatedGpus"
            )
        return SimulatedInventory(settings.simulated_gpus)
    return NvmlInventory()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Agent:
    """What an agent is made of.

    Args:
        settings: of the agent.
        identity: which node and boot this is.
        api: Kubernetes.
        inventory: reads the GPUs.
        registry: for its metrics.
        api_server: its address, where no mirror may be.
        read_gpus_every: seconds between readings of the GPUs.
        look_every: seconds between looks at the verified files.
    """

    settings: AgentSettings
    identity: Identity
    api: GPUNodeApi
    inventory: InventorySource
    registry: CollectorRegistry
    api_server: str = ""
    read_gpus_every: float = _READ_GPUS_EVERY
    look_every: float = _LOOK_EVERY

    async def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Run until cancelled."""
        metrics, news = AgentMetrics(self.registry), asyncio.Event()
        gpus = _Gpus(self.inventory, metrics, news.set)
        keeper = self._keeper(metrics, news.set)
        prober = Prober(self._open_probed, lambda: datetime.now(UTC), news.set)
        reporter = Reporter(
            api=self.api,
            wish=keeper.want,
            ask=prober.want,
            build=lambda generation, stands: self._status(
                _view(keeper, gpus, prober), generation, stands
            ),
            pulling=lambda: keeper.running() is not None,
            metrics=metrics,
            interval=self.settings.progress_seconds,
            news=news,
        )
        with contextlib.closing(prober):
            await self._serve(gpus, keeper, reporter, on_ready)

    async def _serve(
        self, gpus: "_Gpus", keeper: Keeper, reporter: Reporter, on_ready: Callable[[], None] | None
    ) -> None:
        async with (
            serving(self._endpoint(reporter)),
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(gpus.watch(self.read_gpus_every))
            tasks.create_task(keeper.run())
            tasks.create_task(reporter.follow())
            tasks.create_task(reporter.write())
            _log.info("agent started", node=self.identity.node_name, version=__version__)
            if on_ready:
                on_ready()

    def _status(
        self, view: View | None, generation: int, stands: GPUNodeStatus
    ) -> GPUNodeStatus | None:
        if view is None:
            return None
        return build_status(
            view,
            self.identity,
            version=__version__,
            generation=generation,
            previous=stands,
            slow=min(
                self.settings.slow_bytes_per_second,
                (self.settings.max_bytes_per_second or sys.maxsize) // 2,
            ),
            now=_now(),
        )

    def _endpoint(self, reporter: Reporter) -> Endpoint:
        """Ready means: the GPUNode was read, and what the agent knows is written there.

        The operator believes only a ready agent.
        """
        checks = {"/healthz": lambda: "", "/readyz": reporter.unready}
        return Endpoint(self.settings.port, checks, self.registry)

    def _keeper(self, metrics: AgentMetrics, changed: Callable[[], None]) -> Keeper:
        return Keeper(
            root=self.settings.store_path,
            open_source=self._open_source,
            limits=TransferLimits(
                files=self.settings.concurrent_files,
                chunks=self.settings.concurrent_chunks,
                rate=self.settings.max_bytes_per_second,
            ),
            metrics=metrics,
            times=Times(time.monotonic, _now),
            changed=changed,
            look_every=self.look_every,
        )

    async def _open_source(self, wish: Wish) -> Source:
        if wish.source is None:
            raise Refusal(reasons.INVALID_SPEC, wish.waits)
        return await self._opened(wish.source, wish.want.repository, wish.want.revision)

    async def _open_probed(self, wish: ProbeWish) -> Source:
        return await self._opened(wish.source, wish.probe.repository, wish.probe.revision)

    async def _opened(self, mirror: MirrorSource, repository: str, revision: str) -> Source:
        name = mirror.credentials_secret_name
        credentials = credentials_from_secret(name, await self.api.secret(name)) if name else None
        return open_source(
            mirror.name,
            mirror,
            repository=repository,
            revision=revision,
            credentials=credentials,
            connections=self.settings.concurrent_chunks,
            guard=guard_of(
                self.settings.mirror_allowed_cidrs,
                self.settings.mirror_refused_cidrs,
                self.api_server,
            ),
            folders={one: Path(MIRROR_FOLDERS_PATH) / one for one in self.settings.mirror_folders},
        )


class _Gpus:
    """The inventory as last read; ``changed`` is called when it is another one."""

    def __init__(
        self, source: InventorySource, metrics: AgentMetrics, changed: Callable[[], None]
    ) -> None:
        self._source = source
        self._metrics = metrics
        self._changed = changed
        self.known: Inventory | Refusal | None = None

    async def watch(self, every: float) -> None:
        """Read now and then; a reading that hangs is waited for, and said to hang."""
        while True:
            reading = asyncio.create_task(asyncio.to_thread(self._read))
            _, hangs = await asyncio.wait({reading}, timeout=_GPU_PATIENCE)
            if hangs:
                what = f"NVML not available: no answer for {_GPU_PATIENCE:g} s"
                self._take(Refusal(reasons.NVML_UNAVAILABLE, what))
            self._take(await reading)
            await asyncio.sleep(every)

    def _read(self) -> Inventory | Refusal:
        try:
            return self._source.read()
        except Refusal as refusal:
            return refusal

    def _take(self, known: Inventory | Refusal) -> None:
        if _told(known) == _told(self.known):
            return
        self.known = known
        if isinstance(known, Refusal):
            _log.warning("no inventory", reason=known.reason.name, message=known.message)
            self._metrics.gpus(0, 0)
        else:
            healthy = sum(gpu.healthy for gpu in known.gpus)
            self._metrics.gpus(healthy, len(known.gpus) - healthy)
        self._changed()


def _told(known: Inventory | Refusal | None) -> Any:
    return known.message if isinstance(known, Refusal) else known


def _view(keeper: Keeper, gpus: _Gpus, prober: Prober) -> View | None:
    if gpus.known is None or keeper.view is None:
        return None
    return View(
        wishes=keeper.wishes,
        since=keeper.since,
        inventory=gpus.known,
        store=keeper.view,
        running=keeper.running(),
        failures=keeper.failures,
        asked=prober.asked,
        found=dict(prober.found),
    )
