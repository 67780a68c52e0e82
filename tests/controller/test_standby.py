"""Two operators, one Lease: the metrics of the standby say that it is one, and nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry
from tests.controller.world import World
from tests.fakes.kopf import FakeKopf
from tests.fakes.virtualtime import in_virtual_time

from escadre.controller.run import Operator
from escadre.metrics.operator import OperatorMetrics


def _operator(world: World, name: str) -> Operator:
    metrics = OperatorMetrics(CollectorRegistry())
    return Operator(world.server.client(name), world.settings, metrics, name)


@asynccontextmanager
async def _running(world: World, operator: Operator) -> AsyncIterator[None]:
    """The process without kopf, for which a fake of it speaks."""
    watches = [asyncio.create_task(one.run()) for one in operator.caches.all()]
    kopf = FakeKopf(world.server.client("kopf"), operator.heard.values())
    watches.append(asyncio.create_task(kopf.run()))
    leads = asyncio.create_task(operator.lead())
    try:
        yield
    finally:
        operator.stop.set()
        await leads
        for one in watches:
            one.cancel()
        await asyncio.gather(*watches, return_exceptions=True)


async def _until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not seen():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.5)


def _value(operator: Operator, name: str, **labels: str) -> float | None:
    return operator.metrics.registry.get_sample_value(name, labels)


def _fleet(operator: Operator) -> set[str]:
    """The series of deployments that it exports."""
    return {
        sample.name
        for family in operator.metrics.registry.collect()
        for sample in family.samples
        if sample.name.startswith("escadre_deployment")
    }


@in_virtual_time
async def test_a_standby_says_that_it_is_one_has_no_queue_and_no_series_of_the_fleet() -> None:
    world = World()
    world.approve()
    world.deploy()
    first, second = _operator(world, "first"), _operator(world, "second")
    async with _running(world, second), _running(world, first):
        both = (first, second)
        await _until(lambda: any(_value(one, "escadre_leader") for one in both))
        (leader,) = [one for one in both if _value(one, "escadre_leader") == 1]
        (standby,) = [one for one in both if _value(one, "escadre_leader") == 0]
        await _until(lambda: "escadre_deployment_condition" in _fleet(leader))
        world.deploy(concurrency=8)
        await asyncio.sleep(60)
        assert _value(standby, "escadre_queue_depth") == 0
        assert _value(standby, "escadre_queue_oldest_seconds") == 0
        assert _fleet(standby) == set()
        leader.stop.set()
        # What happened while it stood by is its work from the first moment.
        await _until(lambda: _value(standby, "escadre_leader") == 1)
        await _until(lambda: "escadre_deployment_condition" in _fleet(standby))
        await _until(lambda: standby.context.memory.plan is not None)
        assert _value(leader, "escadre_leader") == 0
        assert _fleet(leader) == set()
