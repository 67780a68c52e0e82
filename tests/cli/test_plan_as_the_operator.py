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
from escadre.core.scaling.target import target_queue_depth

Json = dict[str, Any]
TWO: Json = {"minReplicas": 2, "maxReplicas": 3}


def told(world: World, tmp_path: Path, name: str, spec: Json) -> Json:
    """Slots and nodes, layout, target and spread as `escadre plan` tells them."""
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
    return {
        "slots": [(one["slot"], one["node"]) for one in item["replicas"]],
        "reason": item["reason"],
        "layout": item["layout"]["summary"],
        "target": item["layout"]["targetQueueDepth"],
        "together": item["spread"]["message"],
    }


async def planned(operator: Operator, name: str) -> Json:
    """The same, as the operator plans once it has seen the wish."""
    for informer in operator.context.caches.all():
        await informer.refresh()
    for _ in range(2):
        await reconcile(operator.context, FLEET)
    plan = operator.context.memory.plan_of(DeploymentKey("team", name))
    assert plan is not None
    assert plan.reason is not None
    assert plan.layout is not None
    view = operator.context.caches.deployments.get(name, "team")
    assert view is not None
    assert view.spec is not None
    return {
        "slots": [(slot.slot, slot.node) for slot in plan.slots],
        "reason": plan.reason.name,
        "layout": plan.layout.summary,
        "target": target_queue_depth(view.spec.scaling.target_queue_depth, plan.layout),
        "together": str(plan.together),
    }


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("fresh", {}, id="a new one"),
        pytest.param("fresh", {"scaling": TWO}, id="a new one of two"),
        pytest.param("chat", {"scaling": TWO}, id="more of one that stands"),
        pytest.param("chat", {"contextLength": 16384}, id="another shape of one that stands"),
        pytest.param(
            "chat",
            {"scaling": {**TWO, "targetQueueDepth": 7}, "concurrency": 8},
            id="a target of the file",
        ),
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
    assert foretold["slots"]


def test_both_say_why_all_are_on_one_node(tmp_path: Path) -> None:
    world = World(nodes=1, gpus=2)
    world.approve()
    foretold = told(
        world, tmp_path, "pair", {"approval": "small", "contextLength": 32768, "scaling": TWO}
    )
    world.deploy("pair", scaling=TWO)

    async def settled() -> Operator:
        operator = Operator.start(world)
        await operator.settle()
        return operator

    asyncio.run(settled())
    message = world.condition("Planned", "pair")["message"]
    assert foretold["together"].startswith("both replicas on node gpu-0: no other node has")
    assert message.endswith(f"; {foretold['together']}")
