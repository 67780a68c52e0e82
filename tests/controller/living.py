"""The real operator with its queue and watches in virtual time, and a cluster that goes on.

Beside `operator`, which looks at every key once in a round, this one is woken as in a process:
what it writes, and when, is what a cluster would see.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise

from tests.controller.operator import context_of
from tests.controller.world import World
from tests.fakes.kube import FakeApi

from escadre.clients.engine import Scrape, Target
from escadre.clients.kube import EVENTS, MODEL_DEPLOYMENTS, Json
from escadre.controller.context import Context
from escadre.controller.demand import DemandLoop
from escadre.controller.keys import Key
from escadre.controller.manager import Manager
from escadre.controller.router import Router
from escadre.core.scaling.demand import Demand
from escadre.machinery.queue import WorkQueue

__all__ = ["Living", "living"]

_WORKERS = 4
_TICK_SECONDS = 0.1


@dataclass
class Living:
    """What runs; the server's clock goes with the loop's."""

    world: World
    api: FakeApi
    context: Context
    queue: WorkQueue[Key]

    async def until(self, seen: Callable[[], bool], within: float = 60) -> None:
        """Waits for something of the world."""
        async with asyncio.timeout(within):
            while not seen():  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(_TICK_SECONDS)

    def told(self, name: str) -> list[Json]:
        """The statuses of a ModelDeployment, one after the other, as they were written."""
        log = self.world.server.log(MODEL_DEPLOYMENTS, 0)
        stored = [one.new for one in log if one.new and one.new["metadata"]["name"] == name]
        statuses = [one.get("status") or {} for one in stored]
        return [now for old, now in pairwise([{}, *statuses]) if now != old]

    def reasons(self, name: str, type_: str = "Ready") -> list[str]:
        """The reasons of a condition in these statuses."""
        conditions = [one for status in self.told(name) for one in status["conditions"]]
        return [one["reason"] for one in conditions if one["type"] == type_]

    def events(self, name: str) -> list[str]:
        """Reason and type of the events about a ModelDeployment, as they were told."""
        found = [
            one for one in self.world.server.all(EVENTS) if one["involvedObject"]["name"] == name
        ]
        found.sort(key=lambda one: int(one["metadata"]["resourceVersion"]))
        return [f"{one['type']} {one['reason']}" for one in found]


async def _quiet(_: Target) -> Demand:
    """An engine without requests."""
    return Demand(0, 0)


@asynccontextmanager
async def living(
    world: World, *, pace: float, latency: float = 0.0, scrape: Scrape | None = _quiet
) -> AsyncIterator[Living]:
    """Runs it; every ``pace`` seconds one of the other controllers does its part.

    ``latency`` is how long the API server takes for an answer. ``scrape`` reads the engines; None:
    nobody does, and nothing is scaled.
    """
    world.dated = True
    api = world.server.client("escadre")
    queue: WorkQueue[Key] = WorkQueue(group_of=lambda key: key.group)
    context = context_of(world, api, queue.add_after)
    router = Router(context.caches, context.sight, queue.add_after)
    router.wire()
    manager = Manager(context, queue, _WORKERS, lambda *_: None)
    tasks = [asyncio.create_task(one.run()) for one in context.caches.all()]
    tasks += [asyncio.create_task(one) for one in (context.recorder.run(), _clock(world))]
    await context.caches.synced()
    api.latency = latency
    router.everything()
    works = [manager.run(), _others(world, pace)]
    if scrape is not None:
        works.append(DemandLoop(context, scrape, lambda _: None).run())
    tasks += [asyncio.create_task(one) for one in works]
    try:
        yield Living(world, api, context, queue)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _clock(world: World) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        world.server.advance(_TICK_SECONDS)


async def _others(world: World, pace: float) -> None:
    while True:
        for part in world.parts():
            await asyncio.sleep(pace)
            part()
