"""What is learned, and the service level, steer the number of replicas and shape none.

What was learned outlives the leader, and so does what is kept for bursts: the status of the
deployment tells them.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving, workloads
from tests.controller.world import World

from escadre.clients.kube import DEPLOYMENTS, MODEL_DEPLOYMENTS, Json
from escadre.core.scaling.learning import Factors, Learned
from escadre.core.scaling.sharing import Sharing
from escadre.names import ANNOTATION_INPUTS, LABEL_INPUTS

FACTORS = st.builds(Factors, *[st.floats(0.5, 2.0)] * 4)
# As the API server stores them: a member that is unset is not there.
LEVELS = st.fixed_dictionaries(
    {"timeToFirstTokenSeconds": st.integers(1, 60)},
    optional={
        "interTokenLatencyMilliseconds": st.integers(10, 500),
        "percentile": st.integers(50, 99),
    },
)


def teach(operator: Operator, factors: Factors) -> None:
    """Has the operator know this of the replicas of chat, as if it had learned it."""
    memory, uid = operator.context.memory, operator.world.mdep()["metadata"]["uid"]
    state = memory.scaled[uid].state
    assert state.learned is not None
    learned = Learned(state.learned.key, told=factors, told_at=operator.world.time())
    memory.learned[learned.key] = learned
    memory.scaled[uid] = replace(memory.scaled[uid], state=replace(state, learned=learned))


def rendered(workload: Json) -> tuple[Any, ...]:
    """All that the operator writes of a replica."""
    meta = workload["metadata"]
    return meta["name"], meta["labels"], meta["annotations"], workload["spec"]


# An example takes a third of a second: to shrink what fails would take minutes.
@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(FACTORS, LEVELS)
def test_what_is_learned_and_the_service_level_shape_no_replica(
    factors: Factors, level: dict[str, int]
) -> None:
    asyncio.run(_shape_no_replica(factors, level))


async def _shape_no_replica(factors: Factors, level: dict[str, int]) -> None:
    world = World()
    operator = await serving(world, scaling={"minReplicas": 2, "maxReplicas": 2})
    before = workloads(world)
    teach(operator, factors)
    world.deploy(serviceLevel=level)
    await operator.settle()
    assert workloads(world) == before, "those that stand are not written"
    world.server.remove(DEPLOYMENTS, "chat-1", "team")
    await operator.settle()
    after = workloads(world)
    assert after["chat-1"]["metadata"]["uid"] != before["chat-1"]["metadata"]["uid"]
    assert {name: rendered(one) for name, one in after.items()} == {
        name: rendered(one) for name, one in before.items()
    }
    for one in after.values():
        assert one["metadata"]["annotations"][ANNOTATION_INPUTS]
        template = one["spec"]["template"]
        assert template["metadata"]["labels"][LABEL_INPUTS]
        grace = template["spec"]["terminationGracePeriodSeconds"]
        assert 335 < grace < 1835, "what the estimate says, whatever is measured"
    # And all the while both were what scaling goes by.
    view = operator.context.caches.deployments.get("chat", "team")
    assert view is not None
    seen = operator.context.sight().scalable(view)
    assert seen.service is not None
    assert seen.service.level.time_to_first_token == level["timeToFirstTokenSeconds"]
    assert seen.service.level.share == level.get("percentile", 95) / 100
    state = operator.context.memory.scaled[view.uid].state
    assert state.learned is not None
    assert state.learned.told == factors


SLOW = Factors(1.301, 1.2, 1.0, 0.7)
ROUNDED = Factors(1.3, 1.2, 1.0, 0.7)


def told_by(operator: Operator) -> Factors:
    """What an operator goes by for the replicas of chat."""
    state = operator.context.memory.scaled[operator.world.mdep()["metadata"]["uid"]].state
    assert state.learned is not None
    return state.learned.told


async def learned_world() -> World:
    """One where an operator learned something of chat, told it, and ended."""
    world = World()
    operator = await serving(world)
    assert "learned" not in world.mdep()["status"]["scaling"], "nothing is told before"
    teach(operator, SLOW)
    await operator.settle()
    return world


async def test_what_was_learned_outlives_the_leader_and_is_not_written_again() -> None:
    world = await learned_world()
    told = world.mdep()["status"]["scaling"]
    assert told["capacityFrom"] == "Learned"
    assert {name: one for name, one in told["learned"].items() if name != "key"} == {
        "promptPercent": 130,
        "stepPercent": 120,
        "requestPercent": 100,
        "cachedTokenPercent": 70,
    }
    for _ in range(2):
        operator = Operator.start(world)
        await operator.round()
        assert told_by(operator) == ROUNDED, "from the first decision on"
        await operator.settle()
        assert told_by(operator) == ROUNDED
        assert operator.api.writes == []
    assert world.mdep()["status"]["scaling"] == told


async def test_what_was_learned_of_one_image_is_nothing_to_another() -> None:
    world = await learned_world()
    image = "registry.example/vllm@sha256:" + "f" * 64
    engine = world.settings.engine.model_copy(update={"image": image})
    kept = world.settings
    world.settings = kept.model_copy(update={"engine": engine})
    operator = Operator.start(world)
    await operator.settle()
    assert told_by(operator) == Factors()
    world.settings = kept
    operator = Operator.start(world)
    await operator.settle()
    assert told_by(operator) == ROUNDED, "the image was taken back"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param({"key": "0" * 16}, Factors(), id="another kind"),
        pytest.param({"promptPercent": 200}, replace(ROUNDED, prompt=2.0), id="another number"),
        pytest.param({"promptPercent": 100_000}, Factors(), id="a number out of bounds"),
        pytest.param({"stepPercent": "much"}, Factors(), id="no number"),
    ],
)
async def test_a_status_that_somebody_edits_does_no_harm(edit: Json, expected: Factors) -> None:
    world = await learned_world()
    before, mdep = workloads(world), world.mdep()
    mdep["status"]["scaling"]["learned"] |= edit
    world.server.put(MODEL_DEPLOYMENTS, mdep)
    operator = Operator.start(world)
    await operator.settle()
    assert told_by(operator) == expected
    assert operator.desired == 1
    assert workloads(world) == before


async def has_seen(operator: Operator, **flow: Any) -> None:
    """Its traffic was another, and that is told."""
    scaled, uid = operator.context.memory.scaled, operator.world.mdep()["metadata"]["uid"]
    state = scaled[uid].state
    assert state.flow is not None
    seen = replace(state, flow=replace(state.flow, **flow))
    scaled[uid] = replace(scaled[uid], state=seen)
    await operator.settle()


async def test_what_is_kept_for_bursts_outlives_the_leader() -> None:
    world = World()
    operator = await serving(world, scaling={"minReplicas": 1, "maxReplicas": 4})
    assert "keptForBursts" not in world.mdep()["status"]["scaling"], "there were none"
    await has_seen(operator, kept=3)
    assert world.mdep()["status"]["scaling"]["keptForBursts"] == 3
    for _ in range(2):
        operator = Operator.start(world)
        await operator.settle()
        assert operator.desired == 3
        told = world.mdep()["status"]["scaling"]
        assert (told["keptForBursts"], "bursts" in told["limits"]) == (3, True)


async def test_how_requests_are_shared_outlives_the_leader() -> None:
    world = World()
    operator = await serving(world, scaling={"minReplicas": 1, "maxReplicas": 4})
    assert "sharedPercent" not in world.mdep()["status"]["scaling"], "nothing tells of it yet"
    await has_seen(operator, sharing=Sharing(begun=0.8))
    assert world.mdep()["status"]["scaling"]["sharedPercent"] == 80
    for _ in range(2):
        operator = Operator.start(world)
        await operator.settle()
        assert world.mdep()["status"]["scaling"]["sharedPercent"] == 80


@pytest.mark.parametrize("field", ["keptForBursts", "sharedPercent"])
@pytest.mark.parametrize("number", [100_000, -3, "many", 2.5])
async def test_a_number_that_somebody_edits_does_no_harm(field: str, number: object) -> None:
    world = World()
    await serving(world, scaling={"minReplicas": 1, "maxReplicas": 4})
    mdep = world.mdep()
    mdep["status"]["scaling"][field] = number
    world.server.put(MODEL_DEPLOYMENTS, mdep)
    operator = Operator.start(world)
    await operator.settle()
    assert operator.desired == 1
