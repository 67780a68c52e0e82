"""A window of scaling.schedules: it begins and ends by itself, and is told of."""

from datetime import UTC, datetime, timedelta

from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving, workloads
from tests.controller.world import World

from escadre import reasons


async def test_a_window_brings_its_replicas_and_leaves_them_to_the_demand() -> None:
    world = World()
    begins = datetime.fromtimestamp(world.time(), UTC) + timedelta(hours=1)
    window = {
        "cron": f"0 {begins.hour} * * *",
        "timeZone": "UTC",
        "duration": "1h",
        "minReplicas": 3,
    }
    operator = await serving(
        world, scaling={"minReplicas": 1, "maxReplicas": 4, "schedules": [window]}
    )
    assert len(workloads(world)) == 1
    world.server.advance(3600)
    await operator.settle()
    assert len(workloads(world)) == 3
    status = world.mdep()["status"]
    assert status["replicas"]["desired"] == 3
    assert (status["lastScale"]["from"], status["lastScale"]["to"]) == (1, 3)
    assert status["lastScale"]["reason"] == reasons.SCHEDULE_BEGAN.name
    world.server.advance(3600)
    for _ in range(60):  # the stabilisation time, and the drain
        world.server.advance(11)
        world.step()
        await operator.round()
    assert len(workloads(world)) == 1
    assert world.mdep()["status"]["lastScale"]["reason"] == reasons.DEMAND_DOWN.name


async def test_a_window_that_begins_does_not_make_what_serves_unready() -> None:
    """Ready asks for minReplicas: more are on their way each morning, and nobody has to look."""
    world = World()
    begins = datetime.fromtimestamp(world.time(), UTC) + timedelta(hours=1)
    window = {"cron": f"0 {begins.hour} * * *", "timeZone": "UTC", "duration": "1h"}
    schedules = [{**window, "minReplicas": 2}]
    operator = await serving(world, scaling={"maxReplicas": 2, "schedules": schedules})
    world.server.advance(3600)
    for _ in range(4):  # the engine of the second one does not start meanwhile
        world.server.advance(11)
        await operator.round()
    assert world.mdep()["status"]["replicas"]["desired"] == 2
    assert world.mdep()["status"]["replicas"]["ready"] == 1
    assert world.condition("Ready")["status"] == "True"


async def test_an_operator_that_begins_in_a_window_writes_nothing_of_it_anew() -> None:
    world = World()
    begins = datetime.fromtimestamp(world.time(), UTC) + timedelta(hours=1)
    window = {"cron": f"0 {begins.hour} * * *", "timeZone": "UTC", "duration": "8h"}
    schedules = [{**window, "minReplicas": 2}]
    operator = await serving(world, scaling={"maxReplicas": 2, "schedules": schedules})
    world.server.advance(3600)
    await operator.settle()
    world.server.advance(600)
    await operator.settle()
    before = world.mdep()
    assert before["status"]["scaling"]["schedule"] == 0
    assert [one["to"] for one in before["status"]["scaling"]["history"]] == [2]
    await Operator.start(world).settle()
    after = world.mdep()
    assert after["status"] == before["status"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
