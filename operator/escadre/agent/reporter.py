"""Keeps GPUNode.status as the agent knows it: follows the object, writes when something differs.

Two loops. One follows the node's GPUNode and hands its wishes on; the other writes the status after
a change, every few seconds while a pull goes on, and never when nothing changed. Faults of
the API server are waited out with a growing pause.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import ValidationError

from escadre.agent.gpunode import GPUNodeApi
from escadre.agent.wish import ProbeWish, Wish, probe_wishes, wishes
from escadre.api.gpunode import GPUNodeStatus
from escadre.api.wire import dump, read
from escadre.backoff import pause
from escadre.clients.kube import ApiError, Gone, Json, TooManyRequests
from escadre.metrics.agent import AgentMetrics

__all__ = ["Reporter"]

_log = structlog.get_logger(__name__)
_LONGEST_PAUSE: Final = 30.0
_GAP: Final = 0.2  # seconds in which changes that come together are gathered into one write


@dataclass(slots=True)
class Reporter:
    """The agent's side of one GPUNode.

    Args:
        api: Kubernetes.
        wish: takes what the operator wants.
        ask: takes the mirrors that this node is to probe.
        build: makes the status, given the generation and the status as it stands; None while it
            has not been looked at all that it tells.
        pulling: whether a pull is under way, so that progress is worth a write.
        metrics: told of writes.
        interval: seconds between two writes of progress.
        news: set whenever something is to be reported.
        first_pause: seconds to wait after a first fault.
    """

    api: GPUNodeApi
    wish: Callable[[tuple[Wish, ...]], None]
    ask: Callable[[tuple[ProbeWish, ...]], None]
    build: Callable[[int, GPUNodeStatus], GPUNodeStatus | None]
    pulling: Callable[[], bool]
    metrics: AgentMetrics
    interval: float
    news: asyncio.Event
    first_pause: float = 1.0
    _node: Json | None = None
    _synced: bool = False
    _written: tuple[str, GPUNodeStatus] | None = None
    _fault: str = ""

    def unready(self) -> str:
        """Why the agent is not ready; empty when it is."""
        if not self._synced:
            return self._fault or "the GPUNode has not been read yet"
        if self._node is not None and self._written is None:
            return self._fault or "GPUs and store are not looked at, or not written down, yet"
        return ""

    async def follow(self) -> None:
        """Follow the GPUNode for ever."""
        await self._again(self._follow_once)

    async def write(self) -> None:
        """Write the status after changes, for ever."""
        await self._again(self._write_loop)

    async def _follow_once(self) -> None:
        with contextlib.suppress(Gone):  # the version is too old: list again
            async for node in self.api.follow():
                self._take(node)

    def _take(self, node: Json | None) -> None:
        if _uid(node) != _uid(self._node):
            self._written = None  # another object, which knows nothing yet
        self._node, self._synced = node, True
        try:
            wanted = wishes((node or {}).get("spec") or {})
        except ValidationError as error:
            _log.error("GPUNode cannot be read; its wishes stay as they were", error=str(error))
            return
        self.wish(wanted)
        self.ask(probe_wishes((node or {}).get("spec") or {}))
        self.news.set()

    async def _write_loop(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                # Progress alone is written at this pace; what else changes is written at once.
                async with asyncio.timeout(self.interval if self.pulling() else None):
                    await self.news.wait()
            self.news.clear()
            if await self._write_once():
                await asyncio.sleep(min(_GAP, self.interval))

    async def _write_once(self) -> bool:
        """Write the status if it differs from what stands there; says whether it wrote."""
        node = self._node
        if node is None:
            return False
        meta = node["metadata"]
        # What was written last may not have come back through the watch yet.
        stands = self._written[1] if self._written else read(GPUNodeStatus, node.get("status"))
        status = self.build(int(meta.get("generation", 0)), stands)
        if status is None or self._written == (meta["uid"], status):
            return False
        try:
            await self.api.write_status(meta["uid"], dump(status))
        except ApiError:
            self.news.set()
            self.metrics.status_written("error")
            raise
        self.metrics.status_written("ok")
        self._written = (meta["uid"], status)
        return True

    async def _again(self, work: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            begun = asyncio.get_running_loop().time()
            try:
                await work()
                failures = 0
            except ApiError as error:
                lasted = asyncio.get_running_loop().time() - begun
                failures = 1 if lasted > _LONGEST_PAUSE else failures + 1
                self._fault = str(error)
                _log.warning("API server", error=self._fault, failures=failures)
                full = pause(failures, first=self.first_pause, longest=_LONGEST_PAUSE)
                asked = error.retry_after if isinstance(error, TooManyRequests) else 0.0
                jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
                await asyncio.sleep(max(asked, full * jitter))


def _uid(node: Json | None) -> str:
    return str(node["metadata"]["uid"]) if node else ""
