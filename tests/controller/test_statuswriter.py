"""A status is written when it says something new, and seldom when only numbers moved."""

from typing import Any

import pytest
from tests.controller.operator import Operator
from tests.controller.world import World

from escadre.api.deployment import ModelDeploymentStatus
from escadre.clients.kube import MODEL_DEPLOYMENTS
from escadre.controller.statuswriter import write_status
from escadre.core.status.build import essence
from escadre.state.views import DeploymentView

Json = dict[str, Any]


def status(message: str, reason: str = "Pulling") -> Json:
    return {
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "WeightsReady",
                "status": "False",
                "reason": reason,
                "message": message,
                "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }


@pytest.fixture
def operator() -> Operator:
    world = World()
    world.deploy()
    return Operator.start(world)


async def write(operator: Operator, wanted: Json) -> tuple[float | None, int]:
    """Returns what the writer says, and how many writes it made."""
    before = len(operator.api.writes)
    stored = operator.world.mdep()
    left = await write_status(
        operator.context,
        operator.context.caches.deployments,
        DeploymentView.of(stored),
        ModelDeploymentStatus.model_validate(wanted),
        essence,
    )
    return left, len(operator.api.writes) - before


async def test_the_same_status_is_not_written_again(operator: Operator) -> None:
    assert await write(operator, status("pulled 1 of 9 GB")) == (None, 1)
    assert await write(operator, status("pulled 1 of 9 GB")) == (None, 0)


async def test_numbers_wait_until_30_seconds_have_passed(operator: Operator) -> None:
    await write(operator, status("pulled 1 of 9 GB"))
    operator.world.server.advance(12)
    left, writes = await write(operator, status("pulled 2 of 9 GB"))
    assert (left, writes) == (18, 0)
    operator.world.server.advance(18)
    assert await write(operator, status("pulled 3 of 9 GB")) == (None, 1)


async def test_another_reason_does_not_wait(operator: Operator) -> None:
    await write(operator, status("pulled 1 of 9 GB"))
    assert await write(operator, status("bad bytes", "DigestMismatch")) == (None, 1)


async def test_a_deployment_deleted_meanwhile_is_no_error(operator: Operator) -> None:
    stored = operator.world.mdep()
    operator.world.server.remove(MODEL_DEPLOYMENTS, "chat", "team")
    left = await write_status(
        operator.context,
        operator.context.caches.deployments,
        DeploymentView.of(stored),
        ModelDeploymentStatus.model_validate(status("x")),
        essence,
    )
    assert left is None
