"""One row in a process of its own: ``python -m e2e.bench.demand.rows ROW REPLICAS EACH LOOKS``.

EACH replicas of a deployment. ``cost`` is the operator's own demand loop, on a cluster that is
played in this process (tests/controller), and engines in another one; ``history`` is history.py.
Prints one line of JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from tests.controller.operator import Operator
from tests.controller.world import World
from typing_extensions import override

from e2e.bench.demand.history import Traffic, after, held
from escadre.clients.engine import Scrape, ScrapeFailure, Target, scraping
from escadre.controller.demand import DemandLoop
from escadre.core.scaling.demand import Demand
from escadre.machinery import garbage
from escadre.settings import EngineSettings, ScalingSettings, Settings
from escadre.state.gather import Sight
from escadre.state.views import DeploymentView

__all__ = ["ROWS", "Shape"]

Found = dict[str, float]

SCRAPE_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 2.0
GPUS: Final = 8
_KNOWN_SECONDS: Final = 61.0  # an engine that is known for less is not learned from
_SEVERAL: Final = 3  # deployments that are played
_JUDGED: Final = 20  # looks whose time is taken, after those that make the history


@dataclass(frozen=True, slots=True)
class Shape:
    """A fleet: so many replicas, so many of each deployment."""

    replicas: int
    each: int

    @property
    def deployments(self) -> int:
        """Their number."""
        return self.replicas // self.each


@dataclass(slots=True)
class _Clock:
    """The world's time, which goes on by itself from here, and may be put ahead."""

    at: float
    began: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.at + time.monotonic() - self.began


@dataclass(slots=True)
class _Timed(DemandLoop):
    """Sums the processor time of its decisions: other load does not lengthen it."""

    spent: float = 0.0

    @override
    def judge(self, view: DeploymentView, sight: Sight, turn: float = 0.0) -> bool:
        began = time.process_time()
        # ``super()`` without arguments knows another class than the one that has slots.
        changed = DemandLoop.judge(self, view, sight, turn)
        self.spent += time.process_time() - began
        return changed


@contextmanager
def _engines() -> Iterator[int]:
    """The port of the played engines."""
    words = [sys.executable, "-m", "e2e.bench.demand.engines"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@asynccontextmanager
async def _scrape(port: int) -> AsyncIterator[Scrape]:
    """As the operator reads, a connection for each pod; all engines have one address here."""
    async with scraping(TIMEOUT_SECONDS) as read:

        async def scrape(target: Target) -> Demand | ScrapeFailure:
            return await read(Target("127.0.0.1", port, target.uid, target.leaving))

        yield scrape


def _world(shape: Shape) -> World:
    """A cluster with room for them; nothing fixes what a replica holds, so it is reckoned."""
    settings = Settings(
        engine=EngineSettings(image="registry.example/vllm@sha256:" + "e" * 64),
        scaling=ScalingSettings(scrape_seconds=SCRAPE_SECONDS),
    )
    world = World(nodes=shape.replicas // GPUS + 2, gpus=GPUS, settings=settings)
    world.approve()
    bounds = {"minReplicas": shape.each, "maxReplicas": shape.each}
    for number in range(shape.deployments):
        world.deploy(f"model-{number:03}", concurrency=4, scaling=bounds)
    return world


async def _serving(shape: Shape) -> tuple[Operator, _Clock]:
    """All serve."""
    operator = Operator.start(_world(shape))
    await operator.settle(rounds=80)
    clock = _Clock(operator.world.time())
    operator.context = replace(operator.context, now=clock.now)
    return operator, clock


async def _cost(shape: Shape, looks: int) -> Found:
    """Processor time of the loop at rest beside what it does, and of a round's decisions."""
    operator, clock = await _serving(shape)
    failed: list[str] = []
    seen = asyncio.Semaphore(0)
    with _engines() as port:
        async with _scrape(port) as scrape:
            loop = _Timed(operator.context, scrape, failed.append, lambda _: seen.release())
            await loop.once()  # connections are made
            await seen.acquire()
            clock.at += _KNOWN_SECONDS
            garbage.keep()
            loop.spent = 0.0
            task = asyncio.create_task(loop.run())
            tidied = asyncio.create_task(garbage.look_often(operator.context.urgent))
            cpu = time.process_time()
            for _ in range(looks):
                await seen.acquire()
            cpu = time.process_time() - cpu
            for one in (task, tidied):
                one.cancel()
            await asyncio.gather(task, tidied, return_exceptions=True)
    read = len(operator.context.memory.readings)
    learned = [one.state.learned for one in operator.context.memory.scaled.values()]
    return {
        "replicas": read,
        "failed": len(failed),
        "coreShare": cpu / looks / SCRAPE_SECONDS,
        "microsecondsEach": 1e6 * cpu / looks / max(1, read),
        "decisionsSeconds": loop.spent / looks,
        "learned": sum(one is not None and any(one.deviation) for one in learned),
    }


async def _history(shape: Shape, looks: int) -> Found:
    """Of one deployment after so many: a look's processor time, and what is kept of it."""
    kept = []
    for number in range(_SEVERAL):
        traffic = Traffic(shape.each, random=Random(number))  # noqa: S311 - the same in each run
        last, _ = after(traffic, looks)
        last, each = after(traffic, _JUDGED, last)
        kept.append((last.state, last.decision))
    first = held(kept[:1])  # also what all have in common
    return {
        "decisionsSeconds": each * shape.deployments,
        "bytesEach": (held(kept) - first) / (_SEVERAL - 1),
    }


ROWS: Final[dict[str, Callable[[Shape, int], Coroutine[object, object, Found]]]] = {
    "cost": _cost,
    "history": _history,
}


def main(row: str, replicas: int, each: int, looks: int) -> Found:
    """The numbers of one row."""
    garbage.seldom()
    return asyncio.run(ROWS[row](Shape(replicas, each), looks))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], *map(int, sys.argv[2:]))))
