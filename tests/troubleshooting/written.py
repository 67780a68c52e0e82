"""Worlds in which what people wrote does not hold: approvals, wishes and mirrors.

`scenes` joins them to those of what breaks by itself.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving
from tests.controller.world import World, approval_spec

from escadre.clients.kube import MODEL_APPROVALS, MODEL_MIRRORS
from escadre.settings import PolicyExpectation

__all__ = ["WRITTEN", "Scene", "looked_at"]

Scene = Callable[[], Awaitable[World]]


async def looked_at(world: World, rounds: int = 2) -> World:
    operator = Operator.start(world)
    for _ in range(rounds):
        await operator.round()
    return world


async def _no_approval() -> World:
    world = World()
    world.deploy()
    return await looked_at(world)


async def _one_signature() -> World:
    world = World()
    world.approve(signers=("anna",))
    world.deploy()
    return await looked_at(world)


async def _revoked() -> World:
    world = World()
    await serving(world)
    world.sign("small", "bruno", "Revoke")
    return await looked_at(world)


async def _elsewhere() -> World:
    world = World()
    world.approve(namespaces=["ia-pour-tous"])
    world.deploy()
    return await looked_at(world)


async def _ends(days: int) -> World:
    world = World()
    end = world.server.now + timedelta(days=days)
    world.approve(notAfter=end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    world.deploy()
    return await looked_at(world)


async def _ends_soon() -> World:
    return await _ends(3)


async def _ended() -> World:
    return await _ends(-1)


async def _no_policy() -> World:
    name = "escadre-approvals"
    expected = PolicyExpectation(kind="ValidatingAdmissionPolicy", name=name, spec={})
    world = World()
    world.settings = world.settings.model_copy(update={"policies": [expected]})
    world.approve()
    world.deploy()
    return await looked_at(world)


async def _too_long() -> World:
    world = World()
    world.approve()
    world.deploy(contextLength=10_000_000)
    return await looked_at(world)


async def _quantised_otherwise() -> World:
    world = World()
    facts = approval_spec()["architecture"]
    numbers = {"dtype": "int4", "quantization": {"method": "bitsandbytes"}}
    world.approve(architecture={**facts, **numbers})
    world.deploy()
    return await looked_at(world)


async def _too_large() -> World:
    world = World(nodes=1, gpus=1)
    world.approve()
    world.deploy(concurrency=64, typicalTokens=4096)
    return await looked_at(world)


async def _too_many() -> World:
    world = World(nodes=2, gpus=1)
    world.approve()
    world.deploy(scaling={"minReplicas": 4, "maxReplicas": 4})
    return await looked_at(world)


async def _no_gpus() -> World:
    world = World(nodes=0)
    world.approve()
    world.deploy()
    return await looked_at(world)


async def _no_mirror() -> World:
    world = World()
    world.server.remove(MODEL_MIRRORS, "internal")
    world.approve()
    world.deploy()
    return await looked_at(world)


async def _bad_mirror() -> World:
    world = World()
    known = world.server.get(MODEL_MIRRORS, "internal") or {}
    spec = {**known["spec"], "type": "ftp"}
    world.server.put(MODEL_MIRRORS, {**known, "spec": spec})
    world.approve()
    world.deploy()
    return await looked_at(world)


async def _unreadable() -> World:
    world = World()
    world.approve()
    world.deploy(contextLength="much")
    return await looked_at(world)


async def _unreadable_approval() -> World:
    world = World()
    world.approve()
    known = world.server.get(MODEL_APPROVALS, "small") or {}
    spec = {**known["spec"], "manifestDigest": "sha256:12"}
    world.server.put(MODEL_APPROVALS, {**known, "spec": spec})
    world.deploy()
    return await looked_at(world)


async def _engine_not_known() -> World:
    world = World()
    engine = world.settings.engine.model_copy(update={"version": "0.40"})
    world.settings = world.settings.model_copy(update={"engine": engine})
    world.approve()
    world.deploy()
    return await looked_at(world)


async def _engine_differs() -> World:
    world = World()
    operator = await serving(world)
    operator.context.memory.versions.update(
        (pod["metadata"]["uid"], "0.31.1") for pod in world.pods()
    )
    await operator.round()
    return world


async def _typical_too_long() -> World:
    world = World()
    world.approve()
    world.deploy(contextLength=4096, typicalTokens=8192)
    return await looked_at(world)


WRITTEN: Final[tuple[Scene, ...]] = (
    _no_approval,
    _one_signature,
    _revoked,
    _elsewhere,
    _ends_soon,
    _ended,
    _no_policy,
    _too_long,
    _quantised_otherwise,
    _too_large,
    _too_many,
    _no_gpus,
    _no_mirror,
    _bad_mirror,
    _unreadable,
    _unreadable_approval,
    _typical_too_long,
    _engine_not_known,
    _engine_differs,
)
