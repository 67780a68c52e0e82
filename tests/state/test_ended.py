"""ModelDeployments whose end was heard of: known for a while, and until what hung on them went."""

from tests.controller.operator import Operator
from tests.controller.world import World

from escadre.clients.kube import MODEL_DEPLOYMENTS
from escadre.state.caches import Caches


async def ended(world: World, name: str = "chat") -> tuple[Caches, str]:
    """A deployment that was heard of, and whose end was heard of."""
    caches = Operator.start(world).context.caches
    world.deploy(name)
    await caches.deployments.refresh()
    return caches, await end(world, caches, name)


async def end(world: World, caches: Caches, name: str) -> str:
    uid: str = world.mdep(name)["metadata"]["uid"]
    world.server.remove(MODEL_DEPLOYMENTS, name, "team")
    await caches.deployments.refresh()
    return uid


async def test_one_that_is_not_there_has_not_ended_for_that() -> None:
    caches, uid = await ended(World())
    assert uid in caches.ended
    assert "never-heard-of" not in caches.ended


async def test_one_made_anew_under_the_same_name_has_not_ended() -> None:
    world = World()
    caches, earlier = await ended(world)
    world.deploy()
    await caches.deployments.refresh()
    assert earlier in caches.ended
    assert world.mdep()["metadata"]["uid"] not in caches.ended


async def test_so_has_one_whose_name_another_one_has_at_once() -> None:
    world = World()
    caches = Operator.start(world).context.caches
    world.deploy()
    await caches.deployments.refresh()
    earlier = world.mdep()["metadata"]["uid"]
    world.server.remove(MODEL_DEPLOYMENTS, "chat", "team")
    world.deploy()
    await caches.deployments.refresh()
    assert earlier in caches.ended


async def test_an_edit_is_no_end() -> None:
    world = World()
    caches = Operator.start(world).context.caches
    for length in (32768, 16384):
        world.deploy(contextLength=length)
        await caches.deployments.refresh()
    assert world.mdep()["metadata"]["uid"] not in caches.ended


async def test_it_is_forgotten_when_it_was_seen_to_or_is_long_past() -> None:
    world = World()
    caches, first = await ended(world)
    caches.ended.settle(first)
    assert first not in caches.ended
    world.deploy("old")
    world.deploy("new")
    await caches.deployments.refresh()
    old = await end(world, caches, "old")
    world.server.advance(601)
    new = await end(world, caches, "new")
    assert old not in caches.ended
    assert new in caches.ended
