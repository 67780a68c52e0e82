"""Keeps the node's weights: opens the store, looks at what is verified, pulls what is wanted.

One loop, woken by every change: look, decide (choose.py), act. A store that cannot be opened is
tried again; a disk that was exchanged below is opened anew. Kubernetes is only asked for Secrets.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from escadre import reasons
from escadre.agent.pull.choose import Failure, after_failure, choose
from escadre.agent.pull.meter import Meter
from escadre.agent.pull.pull import Pull
from escadre.agent.pull.transfer import TransferLimits
from escadre.agent.store.store import Store, open_store
from escadre.agent.view import FailedPull, RunningPull, StoreView
from escadre.api.gpunode import WantedWeights
from escadre.clients.sources.errors import MirrorError
from escadre.clients.sources.protocol import Source
from escadre.clients.sources.retry import Cancelled
from escadre.errors import EscadreError, Refusal
from escadre.metrics.agent import AgentMetrics

__all__ = ["Keeper", "OpenSource", "Times"]

_log = structlog.get_logger(__name__)
_TRY_STORE_EVERY: Final = 10.0

OpenSource = Callable[[WantedWeights], Awaitable[Source]]


@dataclass(frozen=True, slots=True)
class Times:
    """The clocks: monotonic seconds, and the time as RFC 3339 text."""

    monotonic: Callable[[], float]
    now: Callable[[], str]


@dataclass(slots=True)
class _Running:
    want: WantedWeights
    meter: Meter
    store: Store
    stop: threading.Event
    counted: int = 0


@dataclass(slots=True)
class Keeper:
    """The weights of one node.

    Args:
        root: folder of the store.
        open_source: gives the mirror of a want, with its credentials; raises Refusal.
        limits: how much a pull does at once.
        metrics: told of results.
        times: the clocks.
        changed: called when there is something to report.
        look_every: seconds between looks at the verified files.
    """

    root: Path
    open_source: OpenSource
    limits: TransferLimits
    metrics: AgentMetrics
    times: Times
    changed: Callable[[], None]
    look_every: float
    view: StoreView | Refusal | None = None
    failed: dict[str, FailedPull] = field(default_factory=dict)
    wants: tuple[WantedWeights, ...] = ()
    since: dict[str, str] = field(default_factory=dict)  # when each digest was first wanted
    _failures: dict[str, Failure] = field(default_factory=dict)
    _store: Store | None = None
    _running: _Running | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def want(self, wants: tuple[WantedWeights, ...]) -> None:
        """What the operator wants here from now on."""
        if wants != self.wants:
            self.wants = wants
            wanted = {want.manifest_digest for want in wants}
            now = self.times.now()
            self.since = {digest: self.since.get(digest, now) for digest in wanted}
            for digest in [digest for digest in self.failed if digest not in wanted]:
                self._forget(digest)
            self._wake.set()

    def running(self) -> RunningPull | None:
        """The pull under way, with a fresh reading."""
        if not self._running:
            self.metrics.rate(0)
            return None
        reading = self._running.meter.reading()
        self.metrics.rate(reading.progress.bytes_per_second)
        self.metrics.received(reading.arrived - self._running.counted)
        self._running.counted = reading.arrived
        return RunningPull(self._running.want, reading)

    async def run(self) -> None:
        """Until it is cancelled; then the pull is called off and the store closed."""
        try:
            while True:
                self._wake.clear()
                await self._look()
                pause = self._decide(self._store) if self._store else _TRY_STORE_EVERY
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
        finally:
            if self._running:
                self._running.stop.set()
            if self._store:
                self._store.close()

    async def _look(self) -> None:
        """Open the store if need be, and see what is verified."""
        before = self.view
        try:
            self.view = await self._look_at(await self._opened())
        except Refusal as refusal:
            if not isinstance(before, Refusal) or before.message != refusal.message:
                _log.error("store unusable", reason=refusal.reason.name, message=refusal.message)
            self.view = refusal
        if isinstance(self.view, StoreView):
            self._count(before, self.view)
        if before != self.view:
            self.changed()

    async def _opened(self) -> Store:
        if self._store and not await asyncio.to_thread(self._store.intact):
            _log.error("the store lost its identity; opening it anew", path=str(self.root))
            if self._running:
                self._running.stop.set()
            self._store.close()
            self._store = None
        if not self._store:
            self._store = await asyncio.to_thread(open_store, self.root, self.times.now)
            opened = self._store
            _log.info("store opened", path=str(self.root), id=opened.id, reserves=opened.reserves)
        return self._store

    async def _look_at(self, store: Store) -> StoreView:
        verified = await asyncio.to_thread(store.models.verified)
        return StoreView(store.id, store.space(), verified)

    def _count(self, before: StoreView | Refusal | None, after: StoreView) -> None:
        self.metrics.verified(len(after.verified))
        self.metrics.store(after.space.capacity, after.space.free)
        if isinstance(before, StoreView) and before.id == after.id:
            for digest in sorted(before.verified.keys() - after.verified.keys()):
                self.metrics.withdrawn(1)
                _log.error("files of verified weights changed; verifying anew", digest=digest)

    def _decide(self, store: Store) -> float:
        """Start or call off a pull; returns when to look again at the latest, in seconds."""
        now = self.times.monotonic()
        verified = self.view.verified.keys() if isinstance(self.view, StoreView) else set()
        running = self._running
        decision = choose(
            self.wants, set(verified), running.want if running else None, self._failures, now
        )
        if decision.cancel and running:
            running.stop.set()
        if decision.start:
            self._start(decision.start, store)
        soonest = now + self.look_every
        return max(0.0, min(soonest, decision.wake_at or soonest) - now)

    def _start(self, want: WantedWeights, store: Store) -> None:
        meter = Meter(self.times.monotonic)
        self._running = _Running(want, meter, store, threading.Event())
        task = asyncio.create_task(self._pull(self._running))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.changed()

    async def _pull(self, running: _Running) -> None:
        want = running.want
        log = _log.bind(digest=want.manifest_digest, mirror=want.source.name)
        log.info("pulling weights", repository=want.repository, bytes=want.bytes)
        try:
            mirror = await self.open_source(want)
            try:
                pull = Pull(
                    digest=want.manifest_digest,
                    total=want.bytes,
                    mirror=mirror,
                    store=running.store,
                    meter=running.meter,
                    stop=running.stop,
                    limits=self.limits,
                )
                await _in_thread(pull.run)
            finally:
                mirror.close()
            self._forget(want.manifest_digest)
            self.metrics.pulled()
            log.info("weights verified", seconds=round(running.meter.reading().seconds, 1))
        except Cancelled:
            log.info("pull called off")
        except EscadreError as error:
            self._fail(want, error)
        except Exception as error:
            log.exception("pull failed unexpectedly")
            self._fail(
                want, Refusal(reasons.INTERNAL_ERROR, f"pulling: {type(error).__name__}: {error}")
            )
        finally:
            self.running()  # the last bytes count
            self._running = None
            self._wake.set()
            self.changed()

    def _fail(self, want: WantedWeights, error: EscadreError) -> None:
        reason = error.reason if isinstance(error, Refusal) else reasons.INTERNAL_ERROR
        digest, message = want.manifest_digest, str(error)
        before = self.failed.get(digest)
        since = before.since if before and before.reason == reason else self.times.now()
        self.failed[digest] = FailedPull(reason, message, want.source.name, since)
        delay = error.delay if isinstance(error, MirrorError) else None
        self._failures[digest] = after_failure(
            want, self._failures.get(digest), self.times.monotonic(), delay
        )
        self.metrics.pull_failed(reason)
        _log.error("pull failed", digest=digest, reason=reason.name, message=message)

    def _forget(self, digest: str) -> None:
        self.failed.pop(digest, None)
        self._failures.pop(digest, None)


async def _in_thread(work: Callable[[], object]) -> None:
    """Run blocking work in a daemon thread: one that hangs does not hold up the process's end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(None)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as caught:  # noqa: BLE001 - handed to the awaiting task
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, daemon=True, name="pull").start()
    await done
