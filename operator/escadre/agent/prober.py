"""Probes the mirrors that this node was elected for, now and then, and keeps what came out.

A probe is no pull: it asks once, reads a few megabytes and gives up at the first fault. What is
found the same again is not told anew, so that a node at rest writes nothing.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog

from escadre import reasons
from escadre.agent.threads import in_daemon_thread
from escadre.agent.wish import ProbeWish
from escadre.api.probe import MirrorProbe, ProbedMirror, about
from escadre.clients.sources.errors import MirrorBusy
from escadre.clients.sources.probe import Probed, probe, sample_of
from escadre.clients.sources.protocol import Source
from escadre.errors import EscadreError, Refusal

__all__ = ["Prober", "alike", "told_of"]

_log = structlog.get_logger(__name__)
_EVERY: Final = 3600.0
_AGAIN: Final = 300.0  # after a fault
_MOVED: Final = 4  # a figure this many times another is told anew: mirrors have other readers
_CROWDED: Final = 3  # times that a mirror which was well may have no room before that is told
_CROWDED_AGAIN: Final = 60.0
_QUICK: Final = 200  # milliseconds to a first byte that nobody minds

OpenProbed = Callable[[ProbeWish], Awaitable[Source]]


@dataclass(slots=True)
class Prober:
    """The probes of one node.

    Args:
        open_source: gives the mirror of a probe, with its credentials; raises Refusal.
        now: wall clock, with a zone.
        changed: called when there is something to report.
        every: seconds between two probes of a mirror.
        again: seconds until the next one after a fault.
    """

    open_source: OpenProbed
    now: Callable[[], datetime]
    changed: Callable[[], None] = lambda: None
    every: float = _EVERY
    again: float = _AGAIN
    found: dict[str, ProbedMirror] = field(default_factory=dict)
    _tasks: dict[str, tuple[ProbeWish, asyncio.Task[None]]] = field(default_factory=dict)

    def want(self, probes: tuple[ProbeWish, ...]) -> None:
        """What the operator wants probed from now on; call it inside the loop."""
        wanted = {one.probe.mirror: one for one in probes}
        for mirror, (wish, task) in list(self._tasks.items()):
            if wanted.get(mirror) != wish:
                task.cancel()
                del self._tasks[mirror]
        for mirror, found in list(self.found.items()):
            if mirror not in wanted or about(found) != about(wanted[mirror].probe):
                del self.found[mirror]
        for mirror, wish in wanted.items():
            if mirror not in self._tasks:
                task = asyncio.create_task(self._probe_for_ever(wish))
                self._tasks[mirror] = wish, task

    @property
    def asked(self) -> tuple[MirrorProbe, ...]:
        """What is wanted now, by mirror."""
        return tuple(self._tasks[mirror][0].probe for mirror in sorted(self._tasks))

    def close(self) -> None:
        """End them."""
        self.want(())

    async def _probe_for_ever(self, wish: ProbeWish) -> None:
        crowded = 0
        while True:
            probed = await self._probed(wish)
            found = told_of(wish.probe, probed, self.now())
            stands = self.found.get(found.mirror)
            crowded = crowded + 1 if _no_room(probed) else 0
            if stands and not stands.reason and 0 < crowded < _CROWDED:
                await asyncio.sleep(min(self.again, _CROWDED_AGAIN))
                continue
            if stands is None or not alike(stands, found):
                self.found[found.mirror] = found
                self.changed()
            await asyncio.sleep(self.again if found.reason else self.every)

    async def _probed(self, wish: ProbeWish) -> Probed | Refusal:
        wanted = wish.probe
        log = _log.bind(mirror=wanted.mirror)
        called_off = threading.Event()
        try:
            source = await self.open_source(wish)
            try:
                sample = sample_of((wanted.small, wanted.large), wanted.manifest_digest)
                sample = replace(sample, lists=False)
                return await in_daemon_thread(
                    lambda: probe(source, sample, time.monotonic, called_off.is_set), "probe"
                )
            finally:
                called_off.set()  # a thread that reads still ends with its next piece
                source.close()
        except Refusal as refusal:
            return refusal
        except EscadreError as error:
            return Refusal(reasons.INTERNAL_ERROR, f"probing: {error}")
        except Exception as error:
            log.exception("probe failed unexpectedly")
            return Refusal(reasons.INTERNAL_ERROR, f"probing: {type(error).__name__}: {error}")


def _no_room(probed: Probed | Refusal) -> bool:
    """Whether it had no room for one request more: pulls may take all that a mirror gives."""
    fault = probed if isinstance(probed, Refusal) else probed.fault
    return isinstance(fault, MirrorBusy)


def told_of(wanted: MirrorProbe, probed: Probed | Refusal, now: datetime) -> ProbedMirror:
    """What the status says of a probe."""
    about = {
        "mirror": wanted.mirror,
        "mirror_uid": wanted.mirror_uid,
        "generation": wanted.generation,
        "approval": wanted.approval,
        "doubted_at": wanted.doubted_at,
        "since": now.replace(microsecond=0),
    }
    if isinstance(probed, Refusal):
        return ProbedMirror(**about, reason=probed.reason, message=probed.message)
    fault, first = probed.fault, probed.first_byte_seconds
    return ProbedMirror(
        **about,
        reason=fault.reason if fault else None,
        message=fault.message if fault else "",
        ranges=probed.ranges,
        first_byte_milliseconds=None if first is None else max(1, round(first * 1000)),
        bytes_per_second=_two_digits(probed.bytes_per_second),
        redirect_hosts=list(probed.redirect_hosts) or None,
    )


def _two_digits(rate: int | None) -> int | None:
    return None if rate is None else int(float(f"{rate:.1e}"))


def alike(stands: ProbedMirror, found: ProbedMirror) -> bool:
    """Whether the one found says what the one that stands says, figures within a factor."""
    same = stands.model_copy(
        update={
            "since": found.since,
            "message": found.message if stands.reason == found.reason else stands.message,
            "first_byte_milliseconds": found.first_byte_milliseconds,
            "bytes_per_second": found.bytes_per_second,
        }
    )
    return (
        same == found
        and _near(stands.first_byte_milliseconds, found.first_byte_milliseconds, _QUICK)
        and _near(stands.bytes_per_second, found.bytes_per_second, 1)
    )


def _near(one: int | None, other: int | None, least: int) -> bool:
    if one is None or other is None:
        return one == other
    return max(one, other) <= _MOVED * max(least, min(one, other))
