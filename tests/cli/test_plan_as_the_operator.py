"""`escadre plan` on a live cluster says what the operator then plans, from what people may read."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.harness import Program
from tests.controller.operator import Operator
from tests.controller.world import World

from escadre.clients.kube import CONFIG_MAPS
from escadre.controller.keys import FLEET
from escadre.controller.manager import reconcile
from escadre.core.facts.deployment import DeploymentKey

Json = dict[str, Any]
TWO: Json = {"minReplicas": 2, "maxReplicas": 3}


def told(world: World, tmp_path: Path, name: str, spec: Json) -> list[tuple[int, str | None]]:
    """Slots and nodes as `escadre plan` tells them."""
    body = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "team"},
        "spec": spec,
    }
    path = tmp_path / "wish.yaml"
    path.write_text(yaml.safe_dump(body))
    engine = world.settings.engine.model_dump(mode="json", by_alias=True)
    world.server.put(
        CONFIG_MAPS,
        {
            "metadata": {"name": "escadre", "namespace": "escadre-system"},
            "data": {"config.yaml": yaml.safe_dump({"engine": engine})},
        },
    )
    ran = Program(world.server).run("plan", "-f", str(path), "-o", "json")
    (item,) = json.loads(ran.out)["items"]
    return [(one["slot"], one["node"]) for one in item["replicas"]]


async def planned(operator: Operator, name: str) -> list[tuple[int, str | None]]:
    """The same, as the operator plans once it has seen the wish."""
    for informer in operator.context.caches.all():
        await informer.refresh()
    for _ in range(2):
        await reconcile(operator.context, FLEET)
    plan = operator.context.memory.plan_of(DeploymentKey("team", name))
    assert plan is not None
    return [(slot.slot, slot.node) for slot in plan.slots]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("fresh", {}, id="a new one"),
        pytest.param("fresh", {"scaling": TWO}, id="a new one of two"),
        pytest.param("chat", {"scaling": TWO}, id="more of one that stands"),
        pytest.param("chat", {"contextLength": 16384}, id="another shape of one that stands"),
        pytest.param("pair", {"scaling": {"minReplicas": 1, "maxReplicas": 1}}, id="one leaves"),
        pytest.param("pair", {"scaling": {"minReplicas": 3, "maxReplicas": 3}}, id="one too many"),
    ],
)
def test_both_plan_the_same(tmp_path: Path, name: str, change: Json) -> None:
    world = World(nodes=2, gpus=2)
    world.approve()
    world.deploy("chat")
    world.deploy("pair", scaling=TWO)

    async def settled() -> Operator:
        operator = Operator.start(world)
        await operator.settle()
        return operator

    operator = asyncio.run(settled())
    spec = {"approval": "small", "contextLength": 32768, **change}
    foretold = told(world, tmp_path, name, spec)
    world.deploy(name, **change)
    assert foretold == asyncio.run(planned(operator, name))
    assert foretold
