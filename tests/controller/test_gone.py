"""A ModelDeployment that is gone: nothing is made for it any more, whichever watch is ahead."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.controller.living import living
from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving
from tests.controller.world import World
from tests.fakes.virtualtime import in_virtual_time

from escadre.clients.kube import (
    DEPLOYMENTS,
    MODEL_DEPLOYMENTS,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    Json,
)
from escadre.controller.keys import deployment_key
from escadre.controller.manager import reconcile

FRONTS = ("Service", "NetworkPolicy", "PodDisruptionBudget")
TAKEN = ("Deployment", "PersistentVolumeClaim", *FRONTS, "PersistentVolume")
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


def deleted(operator: Operator) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in operator.api.writes if one.verb == "delete"]


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


async def test_what_is_left_of_one_that_is_gone_is_deleted_once() -> None:
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
    assert deleted(operator) == [
        ("Deployment", "chat-0"),
        ("PersistentVolumeClaim", volume["spec"]["claimRef"]["name"]),
        *((kind, "chat") for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy")),
        ("PersistentVolume", volume["metadata"]["name"]),
    ]


async def hears_of_the_end(operator: Operator) -> None:
    """Of the deployment's; what hangs on it is as it was seen before."""
    await operator.context.caches.deployments.refresh()
    await reconcile(operator.context, KEY)


async def test_its_pods_do_not_wait_for_the_garbage_collector() -> None:
    world = World()
    operator = await serving(world)
    delete_wish(world)
    await hears_of_the_end(operator)
    assert world.server.all(DEPLOYMENTS) == []
    (claim,) = world.server.all(PERSISTENT_VOLUME_CLAIMS)  # a pod uses it still
    assert "deletionTimestamp" in claim["metadata"]


async def test_what_was_taken_off_its_owner_stays() -> None:
    world = World()
    operator = await serving(world)
    (workload,) = world.server.all(DEPLOYMENTS)
    meta = {**workload["metadata"], "ownerReferences": []}  # --cascade=orphan
    world.server.put(DEPLOYMENTS, {**workload, "metadata": meta})
    delete_wish(world)
    await hears_of_the_end(operator)
    assert [one["metadata"]["name"] for one in world.server.all(DEPLOYMENTS)] == ["chat-0"]


async def test_only_what_hangs_on_one_whose_end_was_heard_of_is_deleted() -> None:
    world = World()
    await serving(world)
    delete_wish(world)
    operator = Operator.start(world)
    for cache in operator.context.caches.all():
        await cache.refresh()
    await reconcile(operator.context, KEY)
    assert {kind for kind, _ in deleted(operator)} == {"PersistentVolume"}


async def test_what_an_earlier_one_of_the_same_name_left_goes() -> None:
    world = World()
    operator = await serving(world)
    earlier = world.mdep()["metadata"]["uid"]
    delete_wish(world)
    world.deploy()
    await hears_of_the_end(operator)
    assert ("Deployment", "chat-0") in deleted(operator)
    await operator.settle()
    (workload,) = world.server.all(DEPLOYMENTS)
    assert workload["metadata"]["ownerReferences"][0]["uid"] != earlier
    assert world.condition("Ready")["status"] == "True"


async def test_a_claim_that_goes_with_its_owner_keeps_its_finalizer() -> None:
    world = World()
    operator = await serving(world)
    (claim,) = world.server.all(PERSISTENT_VOLUME_CLAIMS)
    held = {**claim["metadata"], "finalizers": ["kubernetes.io/pvc-protection"]}
    world.server.put(PERSISTENT_VOLUME_CLAIMS, {**claim, "metadata": held})
    delete_wish(world)
    world.server.remove(PERSISTENT_VOLUME_CLAIMS, claim["metadata"]["name"], "team")
    await operator.context.caches.claims.refresh()  # told before the deployment's end is
    await reconcile(operator.context, KEY)
    (claim,) = world.server.all(PERSISTENT_VOLUME_CLAIMS)
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


@in_virtual_time
async def test_many_are_taken_down_together() -> None:
    world = World(nodes=5)
    world.approve()
    names = [f"chat-{number:02}" for number in range(40)]
    for name in names:
        world.deploy(name)
    async with living(world, pace=0.1) as life:
        await life.until(lambda: len(world.pods()) == len(names), 300)
        await asyncio.sleep(60)
    async with living(world, pace=1e6, latency=0.1) as life:
        await asyncio.sleep(60)
        before = len(life.api.writes)
        for name in names:
            world.server.remove(MODEL_DEPLOYMENTS, name, "team")
        # 40 passes of 4 workers, each as long as one request
        await life.until(lambda: not world.server.all(DEPLOYMENTS), within=1.5)
        await asyncio.sleep(60)
        asked = Counter(one.kind for one in life.api.writes[before:] if one.verb == "delete")
        assert asked == dict.fromkeys(TAKEN, len(names))
