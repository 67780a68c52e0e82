"""A ModelDeployment that is gone: nothing is made for it any more, whichever watch is ahead."""

from typing import Any

import pytest
from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving
from tests.controller.world import World

from escadre.clients.kube import MODEL_DEPLOYMENTS, PERSISTENT_VOLUMES, Json
from escadre.controller.keys import deployment_key
from escadre.controller.manager import reconcile

FRONTS = ("Service", "NetworkPolicy", "PodDisruptionBudget")
KEY = deployment_key("team", "chat")


def delete_wish(world: World) -> None:
    world.server.remove(MODEL_DEPLOYMENTS, "chat", "team")


async def collect(world: World, operator: Operator) -> None:
    """Kubernetes collects children, and their watches tell so before the deployment's does."""
    caches = operator.context.caches
    for cache in (caches.of_kind(kind) for kind in FRONTS):
        for one in tuple(cache.values()):
            world.server.remove(cache.resource, one.name, one.namespace)
        await cache.refresh()


def applied(operator: Operator, since: int) -> list[tuple[str, str, str]]:
    writes = operator.api.writes[since:]
    return [(one.kind, one.name, one.subresource) for one in writes if one.verb == "apply"]


async def test_a_child_is_not_made_again_when_its_owner_was_deleted_first() -> None:
    world = World()
    operator = await serving(world)
    before = len(operator.api.writes)
    delete_wish(world)
    await collect(world, operator)
    await reconcile(operator.context, KEY)
    assert applied(operator, before) == []


async def test_nor_by_an_operator_that_has_just_begun() -> None:
    world = World()
    before = await serving(world)
    operator = Operator.start(world)
    for cache in operator.context.caches.all():
        await cache.refresh()
    operator.context.memory.plan = before.context.memory.plan
    delete_wish(world)  # after its kind was listed, and before its children were
    await collect(world, operator)
    await reconcile(operator.context, KEY)
    assert applied(operator, 0) == []


async def test_a_child_that_alone_was_deleted_is_made_again() -> None:
    world = World()
    operator = await serving(world)
    before = len(operator.api.writes)
    await collect(world, operator)
    await reconcile(operator.context, KEY)
    assert ("Service", "chat", "") in applied(operator, before)


async def test_a_pass_ends_when_its_owner_goes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    operator = await serving(world)
    before, apply = len(operator.api.writes), operator.api.apply
    await collect(world, operator)

    async def gone_after_the_first(*given: Any, **more: Any) -> Json:
        answer = await apply(*given, **more)
        if world.server.get(MODEL_DEPLOYMENTS, "chat", "team"):
            delete_wish(world)
            await operator.context.caches.deployments.refresh()
        return answer

    monkeypatch.setattr(operator.api, "apply", gone_after_the_first)
    await reconcile(operator.context, KEY)
    assert len(applied(operator, before)) == 1


async def test_one_that_is_being_deleted_in_the_foreground_is_left_to_it() -> None:
    world = World()
    operator = await serving(world)
    wish = world.mdep()
    world.server.put(
        MODEL_DEPLOYMENTS,
        {**wish, "metadata": {**wish["metadata"], "finalizers": ["foregroundDeletion"]}},
    )
    await operator.round()
    before = len(operator.api.writes)
    delete_wish(world)
    await collect(world, operator)
    await reconcile(operator.context, KEY)
    assert applied(operator, before) == []


async def test_a_volume_of_one_that_is_gone_is_deleted_once() -> None:
    world = World()
    operator = await serving(world)
    (volume,) = world.server.all(PERSISTENT_VOLUMES)
    held = {**volume["metadata"], "finalizers": ["kubernetes.io/pv-protection", "them/hold"]}
    world.server.put(PERSISTENT_VOLUMES, {**volume, "metadata": held})
    await operator.context.caches.volumes.refresh()
    delete_wish(world)
    await operator.context.caches.deployments.refresh()
    for _ in range(3):  # the volume's own watch tells nothing yet
        await reconcile(operator.context, KEY)
    deletions = [one for one in operator.api.writes if one.verb == "delete"]
    assert [(one.kind, one.name) for one in deletions] == [
        ("PersistentVolume", volume["metadata"]["name"])
    ]
