"""A status is written when it says something new, and seldom when only numbers moved."""

import pytest
from tests.controller.operator import Operator
from tests.controller.world import World

from escadre import reasons
from escadre.api.deployment import ModelDeploymentStatus
from escadre.clients.kube import MODEL_DEPLOYMENTS
from escadre.controller.statuswriter import write_status
from escadre.core.status.build import Answer
from escadre.core.status.conditions import Leaf, merge
from escadre.reasons import Reason
from escadre.reasons.said import Said, plain, say
from escadre.state.views import DeploymentView


def told(said: Said, reason: Reason = reasons.PULLING) -> Answer:
    """A status that says one thing."""
    leaf = Leaf("WeightsReady", "False", reason, said)
    conditions = merge([leaf], (), 1, "2026-01-01T00:00:00Z")
    status = ModelDeploymentStatus(observed_generation=1, conditions=conditions)
    return Answer(status, (leaf,))


def pulled(done: int, node: str = "gpu-0") -> Answer:
    return told(say("node {node} pulled {done} of 9 GB", node=node, done=done))


@pytest.fixture
def operator() -> Operator:
    world = World()
    world.deploy()
    return Operator.start(world)


async def write(
    operator: Operator, wanted: Answer, *, numbers: bool = True
) -> tuple[float | None, int]:
    """Returns what the writer says, and how many writes it made."""
    before = len(operator.api.writes)
    left = await write_status(
        operator.context,
        operator.context.caches.deployments,
        DeploymentView.of(operator.world.mdep()),
        wanted.status,
        wanted.essence if numbers else None,
    )
    return left, len(operator.api.writes) - before


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
    assert await write_status(operator.context, cache, view, pulled(1).status) is None
