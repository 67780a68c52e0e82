"""Sees, as a client with a watch does, when a status speaks of what was edited."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any, Self

from e2e.bench.client import BareClient
from e2e.bench.fleet import DEPLOYMENTS_PATH

__all__ = ["Sightings"]


class Sightings:
    """A watch of the deployments; keeps when each generation was first observed in a status."""

    def __init__(self, client: BareClient) -> None:
        self._client = client
        self._seen: dict[str, list[tuple[int, float]]] = {}
        self._edited: dict[str, tuple[int, float]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        version = (await self._client.get(f"{DEPLOYMENTS_PATH}?limit=1"))["metadata"][
            "resourceVersion"
        ]
        events = self._client.lines(f"{DEPLOYMENTS_PATH}?watch=1&resourceVersion={version}")
        self._watch = asyncio.create_task(self._follow(events))
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch

    async def _follow(self, events: AsyncGenerator[dict[str, Any], None]) -> None:
        async with contextlib.aclosing(events):
            async for event in events:
                self.see(event["object"], time.time())

    def see(self, found: dict[str, Any], at: float) -> None:
        """An object as the watch told of it."""
        generation = found.get("status", {}).get("observedGeneration", 0)
        self._seen.setdefault(found["metadata"]["name"], []).append((generation, at))

    def expect(self, name: str, generation: int, at: float) -> None:
        """An edit was answered: the generation that it made, and when."""
        self._edited[name] = generation, at

    def complete(self) -> bool:
        """Whether a status has spoken of each edit; raises when the watch has ended."""
        if self._watch is not None and self._watch.done():
            self._watch.result()
            raise RuntimeError("the watch of the deployments ended")
        return len(self.waits()) == len(self._edited)

    def waits(self) -> list[float]:
        """Seconds from each edit's answer to a status of its generation or a later one."""
        waits = []
        for name, (generation, answered) in self._edited.items():
            times = [at for observed, at in self._seen.get(name, ()) if observed >= generation]
            if times:
                waits.append(max(0.0, min(times) - answered))
        return waits
