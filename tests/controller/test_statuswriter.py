"""A status is written when it says something new, and seldom when only numbers moved."""

from collections import Counter

import pytest
from tests.controller.operator import Operator
from tests.controller.world import World

from escadre import reasons
from escadre.api.deployment import ModelDeploymentStatus
from escadre.clients.kube import MODEL_DEPLOYMENTS
from escadre.controller.statuswriter import (
    Pace,
    draft_of,
    wait_of_numbers,
    write_draft,
    write_status,
)
from escadre.core.status.build import Answer
from escadre.core.status.conditions import Leaf, merge
from escadre.core.status.moments import MOMENT_SECONDS
from escadre.reasons import Reason
from escadre.reasons.said import Said, plain, say
from escadre.state.memory import Written
from escadre.state.views import DeploymentView


def told(said: Said, reason: Reason = reasons.PULLING) -> Answer:
    """A status that says one thing."""
    leaf = Leaf("WeightsReady", "False", reason, said)
    conditions = merge([leaf], (), 1, "2026-01-01T00:00:00Z")
    status = ModelDeploymentStatus(observed_generation=1, conditions=conditions)
    return Answer(status, (leaf,))


def pulled(done: int, node: str = "gpu-0") -> Answer:
    return told(say("node {node} pulled {done} of 9 GB", node=node, done=done))


def fleet(deployments: int) -> Operator:
    world = World()
    world.deploy()
    for number in range(1, deployments):
        world.deploy(f"model-{number}")
    return Operator.start(world)


@pytest.fixture
def operator() -> Operator:
    return fleet(1)


async def write(
    operator: Operator, wanted: Answer, *, numbers: bool = True, passing: bool = False
) -> tuple[float | None, int]:
    """Returns what the writer says, and how many writes it made."""
    before = len(operator.api.writes)
    view = DeploymentView.of(operator.world.mdep())
    pace = Pace(wanted.essence, passing=passing) if numbers else None
    draft = draft_of(operator.context, view, wanted.status, pace)
    await write_draft(operator.context, operator.context.caches.deployments, view, draft)
    return draft.left, len(operator.api.writes) - before


async def test_the_same_status_is_not_written_again(operator: Operator) -> None:
    assert await write(operator, pulled(1)) == (None, 1)
    assert await write(operator, pulled(1)) == (None, 0)


async def test_numbers_wait_until_30_seconds_have_passed(operator: Operator) -> None:
    await write(operator, pulled(1))
    operator.world.server.advance(12)
    left, writes = await write(operator, pulled(2))
    assert (left, writes) == (18, 0)
    operator.world.server.advance(18)
    assert await write(operator, pulled(3)) == (None, 1)


@pytest.mark.parametrize(("deployments", "period"), [(150, 30), (400, 80), (2000, 300)])
async def test_numbers_of_a_large_fleet_wait_longer_but_not_for_ever(
    deployments: int, period: float
) -> None:
    operator = fleet(deployments)
    await operator.context.caches.deployments.refresh()
    await write(operator, pulled(1))
    first, writes = await write(operator, pulled(2))
    assert first is not None
    assert (30 <= first <= 30 + period, writes) == (True, 0)
    operator.world.server.advance(first)
    assert await write(operator, pulled(3)) == (None, 1)
    again, _ = await write(operator, pulled(4))
    assert again == pytest.approx(period)


async def test_what_a_large_fleet_told_at_once_is_told_anew_by_a_few_at_a_time() -> None:
    operator = fleet(400)
    context = operator.context
    await context.caches.deployments.refresh()
    every = [one.uid for one in context.caches.deployments.values()]
    for uid in every:
        context.memory.status_written[uid] = Written(context.now(), None, "1")
    seconds = Counter(int(wait_of_numbers(context, uid)) for uid in every)
    assert max(seconds.values()) <= 15
    assert min(seconds) >= 30
    assert len(every) == 400


async def test_another_reason_does_not_wait(operator: Operator) -> None:
    await write(operator, pulled(1))
    assert await write(operator, told(plain("bad bytes"), reasons.DIGEST_MISMATCH)) == (None, 1)


async def test_another_node_does_not_wait_though_only_a_digit_differs(operator: Operator) -> None:
    await write(operator, pulled(1))
    assert await write(operator, pulled(1, "gpu-1")) == (None, 1)


async def test_what_has_no_essence_does_not_wait(operator: Operator) -> None:
    await write(operator, pulled(1), numbers=False)
    assert await write(operator, pulled(2), numbers=False) == (None, 1)


async def test_a_leader_that_just_began_writes_what_differs_at_once_and_nothing_else(
    operator: Operator,
) -> None:
    await write(operator, pulled(1))
    operator.context.memory.status_written.clear()
    assert await write(operator, pulled(1)) == (None, 0)
    assert await write(operator, pulled(2)) == (None, 1)


async def test_a_deployment_deleted_meanwhile_is_no_error(operator: Operator) -> None:
    view = DeploymentView.of(operator.world.mdep())
    operator.world.server.remove(MODEL_DEPLOYMENTS, "chat", "team")
    cache = operator.context.caches.deployments
    await write_status(operator.context, cache, view, pulled(1).status)
    assert operator.world.server.get(MODEL_DEPLOYMENTS, "chat", "team") is None


async def test_what_is_passing_waits_a_moment_and_is_written_as_it_is_then(
    operator: Operator,
) -> None:
    await write(operator, pulled(1))
    assert await write(operator, told(plain("no pod")), passing=True) == (MOMENT_SECONDS, 0)
    operator.world.server.advance(MOMENT_SECONDS / 2)
    left, writes = await write(operator, told(plain("no node")), passing=True)
    assert left == pytest.approx(MOMENT_SECONDS / 2, abs=1e-5)
    assert writes == 0
    operator.world.server.advance(MOMENT_SECONDS / 2)
    assert await write(operator, told(plain("loads")), passing=True) == (None, 1)


async def test_what_came_and_went_within_a_moment_is_not_written(operator: Operator) -> None:
    await write(operator, pulled(1))
    await write(operator, told(plain("no pod")), passing=True)
    operator.world.server.advance(MOMENT_SECONDS / 2)
    assert await write(operator, pulled(1)) == (None, 0)
    operator.world.server.advance(60)
    assert await write(operator, told(plain("no pod")), passing=True) == (MOMENT_SECONDS, 0), (
        "a new moment"
    )


async def test_a_clock_that_is_set_back_holds_nothing_up(operator: Operator) -> None:
    await write(operator, pulled(1))
    await write(operator, told(plain("no pod")), passing=True)
    operator.world.server.advance(-3600)
    assert await write(operator, told(plain("no pod")), passing=True) == (None, 1)


async def test_what_answers_an_edit_waits_for_nothing(operator: Operator) -> None:
    await write(operator, pulled(1))
    answer = told(plain("no pod"))
    edited = answer.status.model_copy(update={"observed_generation": 2})
    assert await write(operator, Answer(edited, answer.leaves), passing=True) == (None, 1)
