"""One row in a process of its own: ``python -m e2e.bench.demand.rows ROW REPLICAS MUCH``.

The operator's own demand loop, on a cluster that is played in this process (tests/controller), and
engines in another one. Prints one line of JSON.
"""

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import chain, count
from typing import Final

from tests.controller.living import Living, living
from tests.controller.operator import Operator
from tests.controller.world import World

from e2e.bench.numbers import percentile
from escadre.clients.engine import Scrape, ScrapeFailure, Target, scraping
from escadre.clients.kube import DEPLOYMENTS
from escadre.controller.demand import DemandLoop
from escadre.core.scaling.demand import Demand
from escadre.settings import EngineSettings, ScalingSettings, Settings

__all__ = ["run"]

Found = dict[str, float]

SCRAPE_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 2.0
EACH: Final = 10  # replicas of a deployment
MOST: Final = 30
GPUS: Final = 8
_GARBAGE: Final = (10_000, 20, 20)  # as the operator has it: controller/run.py
_JUDGED: Final = 20  # times that all are judged
_EDITS: Final = 20  # of a half of a pair
_SPACING_SECONDS: Final = 0.25
_LOOK_SECONDS: Final = 0.002
_PACE_SECONDS: Final = 0.2  # of the other controllers, each of which does its part by turns


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


def _world(replicas: int, more: int = 0) -> World:
    """A cluster with room for so many replicas, and more."""
    deployments = replicas // EACH
    settings = Settings(
        engine=EngineSettings(image="registry.example/vllm@sha256:" + "e" * 64),
        scaling=ScalingSettings(scrape_seconds=SCRAPE_SECONDS),
    )
    world = World(nodes=(replicas + more) // GPUS + 2, gpus=GPUS, settings=settings)
    world.approve()
    for number in range(deployments):
        world.deploy(
            _name(number),
            concurrency=4,
            scaling={"minReplicas": EACH, "maxReplicas": MOST, "targetQueueDepth": 8},
        )
    return world


def _name(number: int) -> str:
    return f"model-{number:03}"


async def _serving(replicas: int) -> Operator:
    """All serve; the clock goes on by itself from here."""
    operator = Operator.start(_world(replicas))
    await operator.settle(rounds=80)
    began, at = time.monotonic(), operator.world.time()
    operator.context = replace(operator.context, now=lambda: at + time.monotonic() - began)
    return operator


async def _cost(replicas: int, seconds: float) -> Found:
    """Processor time of the loop at rest beside what it does, and of a whole round's decisions."""
    operator = await _serving(replicas)
    failed: list[str] = []
    gc.collect()
    gc.freeze()
    with _engines() as port:
        async with _scrape(port) as scrape:
            loop = DemandLoop(operator.context, scrape, failed.append)
            await loop.once()  # connections are made
            operator.context.memory.readings.clear()
            task = asyncio.create_task(loop.run())
            cpu, clock = time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            cpu, clock = time.process_time() - cpu, time.monotonic() - clock
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            read = len(operator.context.memory.readings)
            judged = [_judged(operator, loop) for _ in range(_JUDGED)]
    return {
        "replicas": read,
        "failed": len(failed),
        "coreShare": cpu / clock,
        "microsecondsEach": 1e6 * cpu / (clock / SCRAPE_SECONDS) / max(1, read),
        "decisionsSeconds": percentile(judged, 0.5),
    }


def _judged(operator: Operator, loop: DemandLoop) -> float:
    """Processor seconds of one decision for each deployment."""
    context = operator.context
    began = time.process_time()
    sight = context.sight()
    for view in context.caches.deployments.values():
        loop.judge(view, sight)
    return time.process_time() - began


async def _edits(replicas: int, pairs: float) -> Found:
    """Seconds from an edit to the first write that follows from it: with the engines read, without.

    In one process by turns, so that what else the machine does meets both; who comes first changes.
    """
    world = _world(replicas, more=2 * int(pairs) * _EDITS)
    await Operator.start(world).settle(rounds=80)
    edits = iter(_wishes(world, replicas // EACH))
    waits: dict[bool, list[list[float]]] = {True: [], False: []}
    with _engines() as port:
        async with _scrape(port) as scrape, living(world, pace=_PACE_SECONDS, scrape=None) as life:
            await asyncio.sleep(SCRAPE_SECONDS)
            gc.collect()
            gc.freeze()
            for number in range(int(pairs)):
                for scraping_now in (number % 2 == 0, number % 2 == 1):
                    async with _reading(life, scrape, on=scraping_now):
                        waits[scraping_now].append([await next(edits) for _ in range(_EDITS)])
    ratios = [_p99(on) / _p99(off) for on, off in zip(waits[True], waits[False], strict=True)]
    alone, scraping_ = (list(chain.from_iterable(waits[on])) for on in (False, True))
    return {
        "aloneP50Seconds": percentile(alone, 0.5),
        "aloneP99Seconds": _p99(alone),
        "scrapingP50Seconds": percentile(scraping_, 0.5),
        "scrapingP99Seconds": _p99(scraping_),
        "pairsRatioMedian": percentile(ratios, 0.5),
    }


def _p99(waits: list[float]) -> float:
    return percentile(waits, 0.99)


@asynccontextmanager
async def _reading(life: Living, scrape: Scrape, *, on: bool) -> AsyncIterator[None]:
    """The demand loop runs, or does not; its first round is over before anything is edited."""
    loop = DemandLoop(life.context, scrape, lambda _: None)
    if on:
        await loop.once()
    task = asyncio.create_task(loop.run()) if on else None
    await asyncio.sleep(SCRAPE_SECONDS)
    yield
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _wishes(world: World, deployments: int) -> Iterator[Awaitable[float]]:
    """One replica more of one deployment after the other, without end."""
    for number in count():
        yield _edited(world, _name(number % deployments), EACH + number // deployments)


async def _edited(world: World, name: str, replicas: int) -> float:
    await asyncio.sleep(_SPACING_SECONDS)
    bounds = {"minReplicas": replicas + 1, "maxReplicas": MOST, "targetQueueDepth": 8}
    world.deploy(name, scaling=bounds)
    began = time.monotonic()
    async with asyncio.timeout(60):
        while world.server.get(DEPLOYMENTS, f"{name}-{replicas}", "team") is None:  # noqa: ASYNC110 - short
            await asyncio.sleep(_LOOK_SECONDS)
    return time.monotonic() - began


_ROWS: Final[dict[str, Callable[[int, float], Awaitable[Found]]]] = {
    "cost": _cost,
    "edits": _edits,
}


def run(row: str, replicas: int, much: float) -> Found:
    """The numbers of one row; ``much``: seconds of reading, or pairs of edits."""
    gc.set_threshold(*_GARBAGE)

    async def one() -> Found:
        return await _ROWS[row](replicas, much)

    return asyncio.run(one())


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
