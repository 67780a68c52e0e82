"""controller/demand.py: engines are read by turns, and what was read is remembered."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving
from tests.controller.world import World

from escadre import reasons
from escadre.clients.engine import ScrapeFailure, Target
from escadre.clients.kube import PODS, Json
from escadre.controller.demand import DemandLoop
from escadre.controller.keys import FLEET, Key, deployment_key
from escadre.controller.live import LiveNumbers
from escadre.controller.manager import reconcile
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.scaling.demand import QUIET_READINGS, Demand, Reading
from escadre.core.scaling.service import Service
from escadre.machinery.queue import Priority, WorkQueue
from escadre.names import LABEL_COMPONENT, LABEL_DEPLOYMENT, LABEL_SERVING
from escadre.settings import EngineSettings, ScalingSettings, Settings
from escadre.state.memory import Written

Answer = Demand | ScrapeFailure
CHAT = deployment_key("team", "chat")
LIMIT = 64  # engines read at once
MANY = 200
LOOK = 0.005  # seconds until it is seen again whether an edit is done; half a second in all


def scaler(operator: Operator, answer: Callable[[str], Answer], failed: Counter[str]) -> DemandLoop:
    async def scrape(target: Target) -> Answer:
        await asyncio.sleep(0)
        return answer(target.address)

    return DemandLoop(operator.context, scrape, lambda cause: failed.update([cause]))


def other_engine(number: int) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"more-{number}",
            "namespace": "team",
            "labels": {LABEL_COMPONENT: "engine", LABEL_DEPLOYMENT: "other"},
        },
        "spec": {"containers": []},
        "status": {
            "phase": "Running",
            "podIP": f"10.0.1.{number}",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


async def join_many(operator: Operator) -> None:
    for number in range(MANY):
        operator.world.server.put(PODS, other_engine(number))
    await operator.context.caches.pods.refresh()


async def test_what_was_read_decides_the_number_of_replicas() -> None:
    world = World()
    operator = await serving(world, scaling={"maxReplicas": 3, "targetQueueDepth": 4})
    await scaler(operator, lambda _: Demand(5, 6), Counter()).once()
    (reading,) = operator.context.memory.readings.values()
    assert reading.demand == Demand(5, 6, world.time())
    assert operator.desired == 3


async def test_a_failed_reading_is_counted_and_keeps_the_numbers_before() -> None:
    world = World()
    operator = await serving(world)
    failed: Counter[str] = Counter()
    (uid,) = (pod["metadata"]["uid"] for pod in world.pods())
    before = operator.context.memory.readings[uid] = Reading(Demand(1, 2, world.time() - 3))
    await scaler(operator, lambda _: ScrapeFailure("Timeout", "no answer in 2 s"), failed).once()
    after = operator.context.memory.readings[uid]
    assert failed == {"Timeout": 1}
    assert after.demand == before.demand
    assert after.failure == "no answer in 2 s"


async def test_an_engine_that_was_never_read_is_missing_only_once_it_was_tried() -> None:
    operator = await serving(World())
    memory = operator.context.memory
    view = operator.context.caches.deployments.get("chat", "team")
    assert view is not None
    memory.readings.clear()
    operator.judge()
    assert memory.scaled[view.uid].decision.reason == reasons.NOT_SCALING  # type: ignore[union-attr]
    await scaler(operator, lambda _: ScrapeFailure("Timeout", "no answer"), Counter()).once()
    assert memory.scaled[view.uid].decision.reason == reasons.METRICS_MISSING  # type: ignore[union-attr]


async def test_readings_of_engines_that_are_gone_are_dropped() -> None:
    world = World()
    operator = await serving(world)
    operator.context.memory.readings["gone"] = Reading(Demand(9, 9, world.time()))
    await scaler(operator, lambda _: Demand(0, 0), Counter()).once()
    assert "gone" not in operator.context.memory.readings


async def test_an_idle_engine_outside_the_service_wakes_its_deployment_once() -> None:
    world = World()
    operator = await serving(world)
    (pod,) = world.pods()
    del pod["metadata"]["labels"][LABEL_SERVING]
    world.server.put(PODS, pod)
    await operator.context.caches.pods.refresh()
    one = scaler(operator, lambda _: Demand(0, 0), Counter())
    woken = []
    for _ in range(QUIET_READINGS + 2):
        operator.woken.clear()
        await one.once()
        woken.append(CHAT in operator.woken)
    assert woken[QUIET_READINGS - 1]
    assert not any(woken[QUIET_READINGS:])


async def test_other_numbers_wake_a_deployment_when_its_status_may_tell_them() -> None:
    world = World()
    operator = await serving(world, scaling={"maxReplicas": 3, "targetQueueDepth": 4})
    waits: list[float] = []

    def wake(key: Key, delay: float, _: Priority) -> None:
        if key == CHAT:
            waits.append(delay)

    operator.context = replace(operator.context, wake=wake)
    uid = world.mdep()["metadata"]["uid"]
    operator.context.memory.status_written[uid] = Written(world.time() - 12, b"")
    for running in (1, 2, 2, 5):
        engines = dict.fromkeys(
            [pod["status"]["podIP"] for pod in world.pods()], Demand(running, 0)
        )
        await scaler(operator, engines.__getitem__, Counter()).once()
    assert waits == [18, 18, 0], "numbers, numbers, nothing, another decision"
    waits.clear()
    world.server.advance(30)
    await scaler(operator, lambda _: Demand(6, 0), Counter()).once()
    assert waits == [0], "late enough for numbers"


async def test_numbers_of_many_are_told_in_turns_over_a_round() -> None:
    """A round judges all at once; an edit is not to wait behind the statuses of hundreds."""
    world = World()
    bounds = {"maxReplicas": 3, "targetQueueDepth": 4}
    for name in ("second", "third"):
        world.deploy(name, scaling=bounds)
    operator = await serving(world, scaling=bounds)
    await operator.settle()
    waits: dict[str, float] = {}
    operator.context = replace(
        operator.context, wake=lambda key, delay, _: waits.update({key.name: delay})
    )
    written = operator.context.memory.status_written
    for name in ("chat", "second", "third"):
        written[world.mdep(name)["metadata"]["uid"]] = Written(world.time() - 12, b"")
    for running in (1, 2):
        waits.clear()
        engines = dict.fromkeys(
            [pod["status"]["podIP"] for pod in world.pods()], Demand(running, 0)
        )
        await scaler(operator, engines.__getitem__, Counter()).once()
    turn = operator.context.settings.scaling.scrape_seconds / 3
    assert sorted(waits.values()) == pytest.approx([18, 18 + turn, 18 + 2 * turn])


def drop(world: World, pod: Json) -> None:
    """It is taken out of the Service."""
    del pod["metadata"]["labels"][LABEL_SERVING]
    world.server.put(PODS, pod)


def end(world: World, pod: Json) -> None:
    """Somebody deletes it, and it finishes its requests."""
    pod["metadata"]["finalizers"] = ["example.com/drains"]
    world.server.put(PODS, pod)
    world.server.remove(PODS, pod["metadata"]["name"], "team")


@pytest.mark.parametrize("leave", [drop, end])
async def test_only_of_an_engine_in_the_service_a_connection_is_kept(
    leave: Callable[[World, Json], None],
) -> None:
    world = World()
    operator = await serving(world)
    asked: list[Target] = []

    async def scrape(target: Target) -> Answer:
        asked.append(target)
        return Demand(0, 0)

    loop = DemandLoop(operator.context, scrape, lambda _: None)
    await loop.once()
    (pod,) = world.pods()
    leave(world, pod)
    await operator.context.caches.pods.refresh()
    await loop.once()
    assert [(one.uid, one.leaving) for one in asked] == [
        (pod["metadata"]["uid"], False),
        (pod["metadata"]["uid"], True),
    ]


async def test_many_engines_are_read_by_turns_and_each_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = EngineSettings(image="registry.example/vllm@sha256:" + "e" * 64)
    world = World(settings=Settings(engine=engine, scaling=ScalingSettings(scrape_seconds=0.5)))
    operator = await serving(world)
    (pod,) = operator.context.caches.pods.by("deployment", ("team", "chat"))
    running, most, read, waits = 0, 0, Counter[str](), []
    sleep = asyncio.sleep

    async def counted(delay: float) -> None:
        waits.append(delay)
        await sleep(delay)

    async def scrape(target: Target) -> Answer:
        nonlocal running, most
        running += 1
        most = max(most, running)
        read[target.address] += 1
        await sleep(0.01)
        running -= 1
        return Demand(0, 0)

    await join_many(operator)
    monkeypatch.setattr("escadre.controller.demand.asyncio.sleep", counted)
    await DemandLoop(operator.context, scrape, lambda _: None).once()
    assert len(waits) <= MANY / 10 + 1  # each is a wake-up of the process
    assert len(read) == MANY + 1
    assert set(read.values()) == {1}
    assert pod.ip in read
    assert most <= LIMIT
    assert most > 1


@pytest.mark.parametrize(
    ("edits", "given"),
    [
        pytest.param([True, True, False], 2, id="an edit that is done soon"),
        pytest.param(None, 100, id="one after the other, as in a rollout of hundreds"),
    ],
)
async def test_reading_gives_way_to_edits_but_not_for_ever(
    edits: list[bool] | None, given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = await serving(World())
    left = iter(edits or ())
    operator.context = replace(operator.context, urgent=lambda: next(left, edits is None))
    waits: list[float] = []

    async def counted(delay: float) -> None:
        waits.append(delay)

    await join_many(operator)
    monkeypatch.setattr("escadre.controller.demand.asyncio.sleep", counted)
    loop = scaler(operator, lambda _: Demand(0, 0), Counter())
    await loop.once()
    assert waits.count(LOOK) == given
    assert len(operator.context.memory.readings) == MANY + 1
    waits.clear()
    await loop.once()
    assert waits.count(LOOK) == (0 if edits else given), "each round has as much to give"


async def test_what_is_given_to_edits_is_time_as_it_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loop that stands for a tenth of a second at each look gives no hundred of them."""
    operator = await serving(World())
    operator.context = replace(operator.context, urgent=lambda: True)
    at, looks = 0.0, 0

    async def slow(delay: float) -> None:
        nonlocal at, looks
        looks += delay == LOOK
        at += 0.1 if delay == LOOK else max(0.0, delay)

    await join_many(operator)
    loop = SimpleNamespace(time=lambda: at)
    monkeypatch.setattr("escadre.controller.demand.asyncio.sleep", slow)
    monkeypatch.setattr("escadre.controller.demand.asyncio.get_running_loop", lambda: loop)
    await scaler(operator, lambda _: Demand(0, 0), Counter()).once()
    assert looks == 5


async def test_the_fleet_pass_follows_new_bounds_and_the_loop_alone_remembers_them() -> None:
    world = World()
    operator = await serving(world, scaling={"minReplicas": 1, "maxReplicas": 3})
    before = dict(operator.context.memory.scaled)
    world.deploy(scaling={"minReplicas": 2, "maxReplicas": 3})
    await operator.context.caches.deployments.refresh()
    await reconcile(operator.context, FLEET)
    plan = operator.context.memory.plan_of(DeploymentKey("team", "chat"))
    assert plan is not None
    assert len(plan.slots) == 2
    assert operator.context.memory.scaled == before
    await scaler(operator, lambda _: Demand(0, 0), Counter()).once()
    assert operator.desired == 2


async def test_the_metrics_of_scaling_are_those_of_the_last_decision() -> None:
    operator = await serving(World(), scaling={"maxReplicas": 3, "targetQueueDepth": 4})
    live = LiveNumbers(operator.context, WorkQueue(), lambda: True).live()
    operator.context.memory.readings.clear()
    operator.judge()
    (before,) = live.deployments()
    assert (before.demand, before.age, before.capacity) == (None, None, 4), "unknown is not zero"
    await scaler(operator, lambda _: Demand(5, 6), Counter()).once()
    (after,) = live.deployments()
    assert (after.demand, after.age, after.capacity) == (11, 0.0, 4)
    standby = LiveNumbers(operator.context, WorkQueue(), lambda: False).live()
    assert list(standby.deployments()) == []


async def test_what_a_replica_does_is_reckoned_anew_only_when_something_changed() -> None:
    world = World()
    operator = await serving(world)

    async def service() -> Service:
        await operator.context.caches.deployments.refresh()
        view = operator.context.caches.deployments.get("chat", "team")
        assert view is not None
        found = operator.context.sight().scalable(view).service
        assert found is not None
        return found

    first = await service()
    assert await service() is first
    world.deploy(serviceLevel={"timeToFirstTokenSeconds": 9})
    assert (await service()).level.time_to_first_token == 9
