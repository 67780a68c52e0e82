"""The operator process: connect, wait for the CRDs, watch, elect, work, and leave in good order.

kopf is its shell (controller/shell.py): it begins and ends what stands here.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from escadre.clients.kube import (
    OURS,
    Api,
    KubeApi,
    Limits,
    load_connection,
)
from escadre.controller.context import Context
from escadre.controller.crds import missing_crd
from escadre.controller.engineloops import engine_loops
from escadre.controller.keys import Key
from escadre.controller.live import LiveNumbers
from escadre.controller.manager import Manager
from escadre.controller.router import Router
from escadre.controller.shell import Shell
from escadre.machinery import garbage
from escadre.machinery.apart import ElectorApart
from escadre.machinery.events import EventRecorder
from escadre.machinery.heard import Heard
from escadre.machinery.lease import Candidate, Elect, LeaderElector
from escadre.machinery.queue import Priority, WorkQueue
from escadre.machinery.serving import Endpoint, serving
from escadre.machinery.waiting import first_of, stop_on_signals
from escadre.metrics.operator import OperatorMetrics
from escadre.names import LEASE_NAME
from escadre.settings import Settings
from escadre.state.caches import Caches
from escadre.state.memory import Memory

__all__ = ["Operator", "run"]

_STUCK_SECONDS = 300.0
_SHUTDOWN_SECONDS = 10.0
_CAUGHT_UP_LOOK_SECONDS = 0.02


class Operator:
    """The parts of the process and the order in which they start and stop.

    ``elect`` makes its elector; without it one that shares our loop and client.
    """

    def __init__(
        self,
        api: Api,
        settings: Settings,
        metrics: OperatorMetrics,
        identity: str,
        elect: Elect | None = None,
    ) -> None:
        self.api = api
        self.settings = settings
        self.metrics = metrics
        self.stop = asyncio.Event()
        self.lost = ""
        self._missing = "has not started yet"
        self._leads = False
        self._background: list[asyncio.Task[None]] = []
        self._leader: asyncio.Task[None]
        self._broken: asyncio.Task[None]
        self.queue: WorkQueue[Key] = WorkQueue(group_of=lambda key: key.group)
        self.heard = {one.plural: Heard(api, one) for one in OURS}
        self.caches = Caches(api, settings.namespace, heard=self.heard)
        self.recorder = EventRecorder(api, instance=identity)
        self.context = Context(
            api=api,
            caches=self.caches,
            memory=Memory(),
            settings=settings,
            recorder=self.recorder,
            now=time.time,
            wake=self._add,
            urgent=lambda: self.queue.urgent,
        )
        self.router = Router(self.caches, self.context.sight, self._add)
        self.router.wire()
        candidate = Candidate(settings.namespace, LEASE_NAME, identity)
        self.elector = (elect or partial(LeaderElector, api))(candidate, on_lost=self._on_lost)
        metrics.watch(LiveNumbers(self.context, self.queue, lambda: self._leads).live())

    def _add(self, key: Key, delay: float, priority: Priority) -> None:
        # A standby has no work: what it will have is all there is when it takes over.
        if not self._leads:
            return
        if delay > 0:
            self.queue.add_after(key, delay, priority)
        else:
            self.queue.add(key, priority)

    def _on_lost(self, why: str) -> None:
        self.lost = why
        self.stop.set()

    def healthy(self) -> str:
        """What is wrong, "" when nothing is: a reconcile that hangs.

        A watch that is silent is begun anew by its informer; how often is a metric.
        """
        age = self.queue.oldest_processing_age()
        return f"a reconcile runs for {age:.0f} s" if age > _STUCK_SECONDS else ""

    def last_heard(self) -> str:
        """When kopf last had something to tell; nothing changes for hours in a quiet cluster."""
        times = [one.last_heard for one in self.heard.values() if one.last_heard is not None]
        if not times:
            return "kopf has told of nothing yet"
        return f"kopf told of something {time.monotonic() - max(times):.0f} s ago"

    def ready(self) -> str:
        """What is missing before this replica could take over."""
        if self._missing:
            return self._missing
        waiting = [one.resource.plural for one in self.caches.all() if not one.synced.is_set()]
        return f"listing {', '.join(waiting)}" if waiting else ""

    async def wait_for_crds(self) -> None:
        """Until every kind of escadre is established; says once which one is missing."""
        said = ""
        while True:
            self._missing = await missing_crd(self.api)
            if not self._missing:
                return
            if self._missing != said:
                structlog.get_logger().warning(self._missing)
                said = self._missing
            await asyncio.sleep(1.0)

    async def until_crds(self) -> bool:
        """Waits for the kinds; whether they came before a signal did."""
        stop_on_signals(self.stop)
        await first_of(asyncio.create_task(self.wait_for_crds()), self.stop)
        return not self.stop.is_set()

    async def begin(self) -> None:
        """Starts to watch and to stand for election."""
        always = [one.run() for one in self.caches.all()]
        self._background = [asyncio.create_task(one) for one in (*always, self.recorder.run())]
        self._leader = asyncio.create_task(self.lead())
        self._broken = asyncio.create_task(self._first_end())
        await asyncio.sleep(0)  # the feeds are there before kopf speaks

    async def _first_end(self) -> None:
        """A part that ends by itself is broken: leave in good order, be started again."""
        parts = {self._leader, *self._background}
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        self.stop.set()

    async def end(self) -> None:
        """Leaves in good order: the last write, then the Lease; raises what broke a part."""
        self.stop.set()
        try:
            await self._leader
        finally:
            failed = [one.exception() for one in self._background if one.done()]
            for task in (self._broken, *self._background):
                task.cancel()
            await asyncio.gather(self._broken, *self._background, return_exceptions=True)
        for error in failed:
            if error is not None:
                raise error

    async def lead(self) -> None:
        """Waits for caches and Lease, then works; the Lease is released after the last write."""
        log = structlog.get_logger()
        synced = asyncio.create_task(self.caches.synced())
        await first_of(synced, self.stop)
        if self.stop.is_set():
            return
        garbage.keep()
        elector = asyncio.create_task(self.elector.run())
        elector.add_done_callback(lambda _: self.stop.set())  # who cannot be elected has no work
        leading = asyncio.create_task(self.elector.leading.wait())
        await first_of(leading, self.stop)
        if not self.stop.is_set():
            log.info("leading", lease=LEASE_NAME)
            self._leading(True)
            await self._work()
            self._leading(False)
        elector.cancel()
        (ended,) = await asyncio.gather(elector, return_exceptions=True)
        if self.lost:
            log.error("leadership lost", why=self.lost)
        if isinstance(ended, Exception):
            raise ended

    async def _work(self) -> None:
        manager = Manager(
            self.context, self.queue, self.settings.operator.workers, self.metrics.reconciled
        )
        self.router.everything()
        told = self.metrics
        async with engine_loops(
            self.context, told.scrape_failed, told.decided, told.scraped
        ) as loops:
            work = asyncio.create_task(manager.run())
            looks = garbage.look_often(self.context.urgent)
            side = [asyncio.create_task(one) for one in (*loops, looks, self._resync())]
            first = asyncio.create_task(self._tell_caught_up())
            done = asyncio.create_task(self.stop.wait())
            await asyncio.wait({work, done, *side}, return_when=asyncio.FIRST_COMPLETED)
            for task in (first, *side):
                task.cancel()
            results = await asyncio.gather(*side, return_exceptions=True)
            await self.queue.shutdown(_SHUTDOWN_SECONDS)
            await work
            done.cancel()
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _tell_caught_up(self) -> None:
        """Says once when every key has been looked at with a plan: how long a failover costs."""
        started = time.monotonic()
        memory, queue = self.context.memory, self.queue
        while memory.plan is None or queue.depth or queue.processing:  # noqa: ASYNC110 - rare
            await asyncio.sleep(_CAUGHT_UP_LOOK_SECONDS)
        seconds = round(time.monotonic() - started, 2)
        structlog.get_logger().info(
            "caught up", seconds=seconds, deployments=len(self.caches.deployments)
        )

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self.settings.operator.resync_seconds)
            self.router.everything()

    def _leading(self, yes: bool) -> None:
        self._leads = yes
        self.metrics.leading(yes)


@asynccontextmanager
async def _api_of_the_lease(metrics: OperatorMetrics) -> AsyncIterator[Api]:
    """A client that waits for no other request: neither our limits nor our connections are its."""
    connection = await load_connection()
    async with KubeApi(connection, component="operator", on_request=metrics.requested) as api:
        yield api


async def run(settings: Settings) -> int:
    """Runs the operator in this process; returns the exit status."""
    garbage.seldom()
    metrics = OperatorMetrics(CollectorRegistry())
    identity = f"{os.environ.get('POD_NAME') or os.uname().nodename}_{os.getpid()}_{time.time_ns()}"
    connection = await load_connection()
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(
            KubeApi(
                connection,
                component="operator",
                limits=Limits(
                    qps=settings.operator.queries_per_second, burst=settings.operator.burst
                ),
                on_request=metrics.requested,
            )
        )
        elect = partial(ElectorApart, partial(_api_of_the_lease, metrics))
        operator = Operator(api, settings, metrics, identity, elect)
        checks = {"/healthz": operator.healthy, "/readyz": operator.ready}
        await stack.enter_async_context(
            serving(
                Endpoint(settings.operator.health_port, checks, note=operator.last_heard),
                Endpoint(settings.operator.metrics_port, registry=metrics.registry),
            )
        )
        if await operator.until_crds():
            shell = Shell(connection, operator.heard.values(), operator.begin, operator.end)
            await shell.run(operator.stop)
        return 1 if operator.lost else 0
