"""Leader election by a Lease, as client-go does it: one operator writes, the others stay warm.

Nobody's clock is trusted but our own monotonic one: a holder counts as gone when *we* have seen no
renewal for its lease duration. Every write is guarded by the resourceVersion last read. A Lease is
no fence: a leader that was asleep may believe in itself for a moment, so all writes of the
controller are idempotent besides.

A leader that cannot renew within ``renew_seconds`` stops before ``lease_seconds``, when others take
over. Used by the operator's process, which gates its workers on `leading` and exits when `run`
returns.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from escadre.clients.kube import LEASES, Api, ApiError, Conflict, Json, NotFound

__all__ = ["USUAL_TERMS", "Candidate", "Elect", "Elector", "LeaderElector", "Terms"]

_JITTER: Final = 0.2  # of the retry period, upwards, as client-go has it
_RELEASE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Observed:
    """A Lease as last seen, and when (our clock) this renewal was first seen."""

    version: str
    spec: dict[str, Any]
    at: float

    @property
    def holder(self) -> str:
        return self.spec.get("holderIdentity") or ""

    @property
    def duration(self) -> float:
        return float(self.spec.get("leaseDurationSeconds") or 0)

    @property
    def renewal(self) -> tuple[object, ...]:
        return self.holder, self.spec.get("renewTime"), self.spec.get("leaseTransitions")


def _nothing(_: str) -> None:
    """No loss callback."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who asks for which Lease. ``identity`` is of one process: see `LeaderElector`."""

    namespace: str
    name: str
    identity: str


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a Lease lasts, when it is renewed and tried for, and by which clocks.

    Whoever stands by leads within lease and retry of a leader's last renewal: 12 s.
    """

    lease_seconds: float = 10.0
    renew_seconds: float = 7.0
    retry_seconds: float = 1.5
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    rng: random.Random = field(default_factory=random.Random)

    def check(self, name: str) -> None:
        """Raises ValueError when a holder could not renew in time."""
        if not self.lease_seconds > self.renew_seconds > self.retry_seconds * (1 + _JITTER):
            raise ValueError(
                f"electing by Lease {name}: lease {self.lease_seconds} s must exceed renewal"
                f" {self.renew_seconds} s, and that 1.2 times the retry period"
                f" {self.retry_seconds} s"
            )


USUAL_TERMS: Final = Terms()


class Elector(Protocol):
    """Who stands for election: ``leading`` is set while it leads, `run` is told below."""

    leading: asyncio.Event

    async def run(self) -> None:
        """As `LeaderElector.run`."""


class Elect(Protocol):
    """Makes an elector."""

    def __call__(self, candidate: Candidate, *, on_lost: Callable[[str], None]) -> Elector:
        """``on_lost`` is told why leadership was lost."""


class LeaderElector:
    """See the module. ``on_lost`` is told why, before `leading` is cleared.

    ``identity`` is of one process (a pod's name and uid): who restarts under the same identity
    takes over its own Lease at once.
    """

    def __init__(
        self,
        api: Api,
        candidate: Candidate,
        *,
        terms: Terms = USUAL_TERMS,
        on_lost: Callable[[str], None] = _nothing,
    ) -> None:
        terms.check(f"{candidate.namespace}/{candidate.name}")
        self.leading = asyncio.Event()
        self._api = api
        self._candidate = candidate
        self._terms = terms
        self._on_lost = on_lost
        self._seen: _Observed | None = None
        self._renewed = terms.clock()

    @property
    def holder(self) -> str:
        """Who held the Lease when it was last seen; empty for nobody."""
        return self._seen.holder if self._seen else ""

    async def run(self) -> None:
        """Become the leader and stay it; returns when leadership was lost.

        Cancelled, it releases the Lease first, so that another takes over at once: cancel it only
        after the last write of the workers. A lost Lease is left to expire, for the same reason.
        """
        try:
            await self._acquire()
            self.leading.set()
            self._on_lost(await self._renew_until_lost())
        except asyncio.CancelledError:
            if self.leading.is_set():
                await self._release()
            raise
        finally:
            self.leading.clear()

    async def _acquire(self) -> None:
        while True:
            if await self._try_once(self._terms.renew_seconds):
                return
            await asyncio.sleep(self._pause())

    async def _renew_until_lost(self) -> str:
        while True:
            await asyncio.sleep(self._pause())
            left = self._renewed + self._terms.renew_seconds - self._terms.clock()
            if left > 0 and await self._try_once(left):
                continue
            if self.holder != self._candidate.identity:
                return f"{self.holder or 'nobody'} holds it now"
            silent = self._terms.clock() - self._renewed
            if silent >= self._terms.renew_seconds:
                return f"not renewed for {silent:.1f} s, limit {self._terms.renew_seconds:.0f} s"

    def _pause(self) -> float:
        """Until the next try; sooner if the holder seen last would have expired by then."""
        pause = self._terms.retry_seconds * (1 + self._terms.rng.uniform(0, _JITTER))
        if self._seen is not None and self._seen.holder not in {"", self._candidate.identity}:
            expires = self._seen.at + self._seen.duration - self._terms.clock()
            if expires > 0:
                pause = min(pause, expires + 0.01)
        return pause

    async def _try_once(self, within: float) -> bool:
        """Take or renew the Lease once; False if it is another's, or the server did not do it."""
        started = self._terms.clock()
        try:
            async with asyncio.timeout(within):
                done = await self._take_or_renew()
        except (ApiError, TimeoutError):
            return False
        if done:
            self._renewed = started  # others count from when they saw it: no sooner than this
        return done

    async def _take_or_renew(self) -> bool:
        mine = self.holder == self._candidate.identity
        if not mine:  # a leader renews what it wrote last, without reading
            await self._look()
        try:
            return await self._write_if_free()
        except (Conflict, NotFound):
            # Somebody was faster, or our own last write was done though its answer was lost, or
            # the Lease was deleted.
            await self._look()
            if not mine or self.holder not in {"", self._candidate.identity}:
                return False
            return await self._write_if_free()

    async def _write_if_free(self) -> bool:
        if self._seen is None:
            await self._create()
        elif self._free(self._seen):
            await self._write(self._seen)
        else:
            return False
        return True

    def _free(self, seen: _Observed) -> bool:
        if seen.holder in {"", self._candidate.identity}:
            return True
        return self._terms.clock() >= seen.at + seen.duration

    async def _look(self) -> None:
        try:
            lease = await self._api.get(
                LEASES, self._candidate.name, namespace=self._candidate.namespace
            )
        except NotFound:
            self._seen = None
            return
        self._observe(lease)

    def _observe(self, lease: Json) -> None:
        version, spec = lease["metadata"]["resourceVersion"], lease.get("spec") or {}
        fresh = _Observed(version, spec, self._terms.clock())
        if self._seen is not None and self._seen.renewal == fresh.renewal:
            # Touched, not renewed: its time runs from when this renewal was first seen.
            fresh = _Observed(version, spec, self._seen.at)
        self._seen = fresh

    async def _create(self) -> None:
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._candidate.name, "namespace": self._candidate.namespace},
            "spec": {"acquireTime": self._now(), "leaseTransitions": 0} | self._holding(),
        }
        self._observe(await self._api.create(LEASES, body))

    async def _write(self, seen: _Observed) -> None:
        spec = self._holding()
        if seen.holder != self._candidate.identity:
            transitions = int(seen.spec.get("leaseTransitions") or 0)
            spec |= {"acquireTime": self._now(), "leaseTransitions": transitions + 1}
        await self._patch(seen, spec)

    async def _release(self) -> None:
        """Leave the Lease free; without an answer it expires by itself."""
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                try:
                    await self._free_it()
                except Conflict:  # ended in the middle of a renewal, which was done all the same
                    await self._look()
                    await self._free_it()

    async def _free_it(self) -> None:
        if self._seen is not None and self._seen.holder == self._candidate.identity:
            spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._now()}
            await self._patch(self._seen, spec)

    async def _patch(self, seen: _Observed, spec: dict[str, Any]) -> None:
        patch = {"metadata": {"resourceVersion": seen.version}, "spec": spec}
        self._observe(
            await self._api.patch(
                LEASES, self._candidate.name, patch, namespace=self._candidate.namespace
            )
        )

    def _holding(self) -> dict[str, Any]:
        return {
            "holderIdentity": self._candidate.identity,
            "leaseDurationSeconds": round(self._terms.lease_seconds),
            "renewTime": self._now(),
        }

    def _now(self) -> str:
        return self._terms.wall().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
