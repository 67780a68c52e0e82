"""Field ownership, on the real server only: what the fake does not pretend to know.

These are the facts that create-only, uid and "one manager" rest on; see `escadre.clients.kube.Api`.
"""

import asyncio
from typing import Any

import pytest
from tests.clients.conftest import WIDGETS, World

from escadre.clients.kube import LEASES, Conflict
from escadre.machinery.lease import Candidate, LeaderElector, Terms

Json = dict[str, Any]
LEASE_SECONDS = 60
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.parametrize("world", ["real"], indirect=True),
]


def _managers(obj: Json) -> set[tuple[str, str]]:
    return {(each["manager"], each["operation"]) for each in obj["metadata"]["managedFields"]}


async def test_a_created_object_is_owned_by_apply_alone(world: World) -> None:
    created = await world.api.apply(WIDGETS, world.widget("a", {"size": 1}), create_only=True)
    assert _managers(created) == {("escadre", "Apply")}


async def test_a_forced_apply_takes_fields_over_and_an_unforced_one_is_a_conflict(
    world: World,
) -> None:
    await world.api.apply(WIDGETS, world.widget("a", {"size": 1}), field_manager="other")
    wanted = world.widget("a", {"size": 2})
    with pytest.raises(Conflict):
        await world.api.apply(WIDGETS, wanted, force=False)
    taken = await world.api.apply(WIDGETS, wanted)
    assert taken["spec"] == {"size": 2}
    # The other's next apply without the field does not remove it: it is ours now.
    await world.api.apply(WIDGETS, world.widget("a", {"more": 1}), field_manager="other")
    live = await world.api.get(WIDGETS, "a", namespace=world.namespace)
    assert live["spec"] == {"size": 2, "more": 1}


async def test_status_and_the_rest_have_managers_of_their_own(world: World) -> None:
    await world.api.apply(WIDGETS, world.widget("a", {"size": 1}))
    status = world.widget("a", {}) | {"status": {"phase": "Fine"}}
    judged = await world.api.apply(WIDGETS, status, subresource="status")
    assert judged["spec"] == {"size": 1}
    ours = [each.get("subresource", "") for each in judged["metadata"]["managedFields"]]
    assert sorted(ours) == ["", "status"]


async def test_the_elector_takes_renews_and_gives_up_a_real_lease(world: World) -> None:
    first, second = _elector(world, "a"), _elector(world, "b")
    holding = asyncio.create_task(first.run())
    async with asyncio.timeout(LEASE_SECONDS):
        await first.leading.wait()
    before = await world.api.get(LEASES, "leader", namespace=world.namespace)
    waiting = asyncio.create_task(second.run())

    async def renewed() -> bool:
        lease = await world.api.get(LEASES, "leader", namespace=world.namespace)
        return bool(lease["spec"]["renewTime"] > before["spec"]["renewTime"])

    await world.eventually(renewed, LEASE_SECONDS)
    assert not second.leading.is_set()
    holding.cancel()
    async with asyncio.timeout(LEASE_SECONDS - 1):  # released, not run out
        await second.leading.wait()
    waiting.cancel()
    await asyncio.gather(holding, waiting, return_exceptions=True)


def _elector(world: World, identity: str) -> LeaderElector:
    return LeaderElector(
        world.api,
        Candidate(world.namespace, "leader", identity),
        terms=Terms(lease_seconds=LEASE_SECONDS, renew_seconds=30, retry_seconds=0.2),
    )
