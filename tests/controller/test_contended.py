"""Scaling is told whether another deployment waits for GPUs, by the last plan."""

from dataclasses import replace

import pytest
from tests.controller.operator import Operator
from tests.controller.world import World

from escadre.core.fleet.plan import DeploymentPlan
from escadre.state import gather


async def test_who_serves_is_told_that_another_waits_until_it_has_its_gpus() -> None:
    world = World(nodes=1, gpus=2)
    world.approve()
    world.deploy("first", scaling={"minReplicas": 2, "maxReplicas": 2})
    operator = Operator.start(world)
    await operator.settle()
    assert contended(operator) == {"first": False}
    world.deploy("second")
    await operator.settle()
    assert contended(operator) == {"first": True, "second": False}
    world.deploy("first", scaling={"minReplicas": 1, "maxReplicas": 1})
    await operator.settle()
    assert contended(operator) == {"first": False, "second": False}


async def test_the_last_plan_is_looked_through_once_for_all_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(nodes=1, gpus=2)
    world.approve()
    for name in ("first", "second", "third"):
        world.deploy(name)
    operator = Operator.start(world)
    await operator.settle()
    looked: list[DeploymentPlan] = []
    waits = gather._waits_for_gpus

    def counted(plan: DeploymentPlan) -> bool:
        looked.append(plan)
        return waits(plan)

    monkeypatch.setattr(gather, "_waits_for_gpus", counted)
    memory = operator.context.memory
    assert memory.plan is not None
    memory.plan = replace(memory.plan)
    for _ in range(10):
        contended(operator)
    assert looked == list(memory.plan.deployments.values())


def contended(operator: Operator) -> dict[str, bool]:
    """By the name of each deployment, as a pass of now sees it."""
    sight = operator.context.sight()
    views = operator.context.caches.deployments.values()
    return {view.name: sight.scalable(view).contended for view in views}
