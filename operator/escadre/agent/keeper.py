"""Keeps the node's weights: opens the store, looks at what is verified, does what is planned.

One loop, woken by every change: look, plan (plan.py), carry out. A store that cannot be opened is
tried again; a disk that was exchanged below is opened anew. Kubernetes is only asked for Secrets.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from escadre import reasons
from escadre.agent.plan import CancelPull, Holdings, StartPull, Step, plan_store, still_wanted
from escadre.agent.pull.choose import FailedPull, after_failure
from escadre.agent.pull.meter import Meter
from escadre.agent.pull.pull import Pull
from escadre.agent.pull.transfer import TransferLimits
from escadre.agent.report import asks_to_wait
from escadre.agent.store.store import Store, open_store
from escadre.agent.threads import in_daemon_thread
from escadre.agent.view import RunningPull, StoreView
from escadre.agent.wish import Wish
from escadre.clients.sources.errors import MirrorError
from escadre.clients.sources.protocol import Source
from escadre.clients.sources.retry import Cancelled
from escadre.errors import EscadreError, Refusal
from escadre.metrics.agent import AgentMetrics

__all__ = ["Keeper", "OpenSource", "Times"]

_log = structlog.get_logger(__name__)
_TRY_STORE_EVERY: Final = 10.0
_MEASURE_EVERY: Final = 1.0
_GRACE: Final = 2.0  # seconds a pull may take to close its files, so that nothing is hashed again

OpenSource = Callable[[Wish], Awaitable[Source]]


@dataclass(frozen=True, slots=True)
class Times:
    """The clocks: monotonic seconds, and the time as RFC 3339 text."""

    monotonic: Callable[[], float]
    now: Callable[[], str]


@dataclass(slots=True)
class _Running:
    wish: Wish
    meter: Meter
    store: Store
    stop: threading.Event
    counted: int = 0


@dataclass(slots=True)
class Keeper:
    """The weights of one node.

    Args:
        root: folder of the store.
        open_source: gives the mirror of a wish, with its credentials; raises Refusal.
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
    failures: dict[str, FailedPull] = field(default_factory=dict)
    wishes: tuple[Wish, ...] = ()
    since: dict[str, str] = field(default_factory=dict)  # when each digest was first wanted
    _store: Store | None = None
    _running: _Running | None = None
    _ends: threading.Event = field(default_factory=threading.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def want(self, wishes: tuple[Wish, ...]) -> None:
        """What the operator wants here from now on."""
        if wishes != self.wishes:
            self.wishes = wishes
            now = self.times.now()
            self.since = {wish.digest: self.since.get(wish.digest, now) for wish in wishes}
            self.failures = still_wanted(self.failures, wishes)
            self._wake.set()

    def running(self) -> RunningPull | None:
        """The pull under way, with a fresh reading."""
        if not self._running:
            return None
        return RunningPull(self._running.wish, self._running.meter.reading())

    async def run(self) -> None:
        """Until it is cancelled; then the pull is called off and the store closed."""
        try:
            while True:
                self._wake.clear()
                await self._look()
                pause = self._act(self._store) if self._store else _TRY_STORE_EVERY
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
        finally:
            self._ends.set()
            self._call_off()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=_GRACE)
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
            self._call_off()
            self._store.close()
            self._store = None
        if not self._store:
            store = await asyncio.to_thread(open_store, self.root, self.times.now)
            _log.info("store opened", path=str(self.root), id=store.id, reserves=store.reserves)
            self._store = store
        return self._store

    async def _look_at(self, store: Store) -> StoreView:
        def check() -> None:
            if self._ends.is_set():
                raise Cancelled("the agent ends")

        # Hashes now and then, which the end of the process does not wait for.
        verified = await in_daemon_thread(lambda: store.models.verified(check), "look")
        return StoreView(store.id, store.space(), verified)

    def _count(self, before: StoreView | Refusal | None, after: StoreView) -> None:
        self.metrics.verified(len(after.verified))
        self.metrics.store(after.space.capacity, after.space.free)
        if isinstance(before, StoreView) and before.id == after.id:
            for digest in sorted(before.verified.keys() - after.verified.keys()):
                self.metrics.withdrawn(1)
                _log.error("files of verified weights changed; verifying anew", digest=digest)

    def _act(self, store: Store) -> float:
        """Plan and carry out; returns when to look again at the latest, in seconds."""
        now = self.times.monotonic()
        verified = self.view.verified.keys() if isinstance(self.view, StoreView) else frozenset()
        running = self._running.wish if self._running else None
        plan = plan_store(self.wishes, Holdings(verified, running, self.failures), now)
        for step in plan.steps:
            self._carry_out(step, store)
        soonest = now + self.look_every
        return max(0.0, min(soonest, plan.wake_at or soonest) - now)

    def _carry_out(self, step: Step, store: Store) -> None:
        match step:
            case CancelPull():
                self._call_off()
            case StartPull(wish):
                meter = Meter(self.times.monotonic)
                self._running = _Running(wish, meter, store, threading.Event())
                pull = asyncio.create_task(self._pull(self._running))
                measure = asyncio.create_task(self._measure(self._running))
                pull.add_done_callback(lambda _: measure.cancel())
                for task in (pull, measure):
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                self.changed()

    def _call_off(self) -> None:
        if self._running:
            self._running.stop.set()

    async def _measure(self, running: _Running) -> None:
        """Tell the metrics how a pull goes."""
        while True:
            self._measured(running)
            await asyncio.sleep(_MEASURE_EVERY)

    def _measured(self, running: _Running) -> None:
        reading = running.meter.reading()
        self.metrics.rate(reading.progress.bytes_per_second)
        self.metrics.received(reading.arrived - running.counted)
        running.counted = reading.arrived

    async def _pull(self, running: _Running) -> None:
        wish = running.wish
        log = _log.bind(digest=wish.digest, mirror=wish.mirror)
        log.info("pulling weights", repository=wish.want.repository, bytes=wish.want.bytes)
        try:
            await self._pulled(running)
            self.failures.pop(wish.digest, None)
            self.metrics.pulled()
            log.info("weights verified", seconds=round(running.meter.reading().seconds, 1))
        except Cancelled:
            log.info("pull called off")
        except EscadreError as error:
            self._fail(wish, error)
        except Exception as error:
            log.exception("pull failed unexpectedly")
            told = f"pulling: {type(error).__name__}: {error}"
            self._fail(wish, Refusal(reasons.INTERNAL_ERROR, told))
        finally:
            self._measured(running)  # the last bytes count
            self.metrics.rate(0)
            self._running = None
            self._wake.set()
            self.changed()

    async def _pulled(self, running: _Running) -> None:
        mirror = await self.open_source(running.wish)
        try:
            pull = Pull(
                digest=running.wish.digest,
                total=running.wish.want.bytes,
                mirror=mirror,
                store=running.store,
                meter=running.meter,
                stop=running.stop,
                limits=self.limits,
            )
            await in_daemon_thread(pull.run, "pull")
        finally:
            mirror.close()

    def _fail(self, wish: Wish, error: EscadreError) -> None:
        reason = error.reason if isinstance(error, Refusal) else reasons.INTERNAL_ERROR
        last = FailedPull(wish, reason, str(error), self.times.now())
        delay = error.delay if isinstance(error, MirrorError) else None
        if delay:
            until = datetime.fromisoformat(self.times.now()).timestamp() + delay
            last = replace(last, message=f"{last.message}; {asks_to_wait(wish.mirror, until)}")
        self.failures[wish.digest] = after_failure(
            last, self.failures.get(wish.digest), self.times.monotonic(), delay
        )
        self.metrics.pull_failed(reason)
        _log.error("pull failed", digest=wish.digest, reason=reason.name, message=last.message)
