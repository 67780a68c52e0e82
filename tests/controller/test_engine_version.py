"""engine.version: what layouts are judged by; held against what runs, and changing none of it."""

import asyncio

from tests.controller.operator import Operator
from tests.controller.test_reconcile import serving
from tests.controller.world import ARCHITECTURE, World

from escadre import reasons
from escadre.clients.kube import EVENTS, Json
from escadre.controller.engineversions import VersionLoop
from escadre.controller.keys import deployment_key

CHAT = deployment_key("team", "chat")
BITSANDBYTES = {**ARCHITECTURE, "dtype": "int4", "quantization": {"method": "bitsandbytes"}}


def told_version(world: World, version: str) -> Operator:
    """An operator whose engines are told to be of that version."""
    engine = world.settings.engine.model_copy(update={"version": version})
    world.settings = world.settings.model_copy(update={"engine": engine})
    return Operator.start(world)


async def test_layouts_are_judged_by_the_version_that_is_set() -> None:
    """VLLM served bitsandbytes up to 0.27."""
    world = World()
    world.approve(architecture=BITSANDBYTES)
    world.deploy("chat")
    await Operator.start(world).settle()
    refused = world.condition("Planned")
    assert refused["reason"] == reasons.QUANTIZATION_NOT_SERVED.name
    assert "which vLLM 0.32 does not serve" in refused["message"]
    await told_version(world, "0.27.1").settle()
    assert world.condition("Planned")["status"] == "True"
    assert world.condition("Ready")["status"] == "True"


async def test_the_version_changes_nothing_that_stands() -> None:
    world = World()
    world.approve()
    world.deploy("chat")
    await Operator.start(world).settle()
    operator = told_version(world, "0.31")
    await operator.settle()
    assert operator.api.writes == []


def asker(operator: Operator, answer: str | None) -> tuple[VersionLoop, list[str]]:
    """Engines that all say the same, and who was asked."""
    asked: list[str] = []

    async def ask(address: str, _: int) -> str | None:
        asked.append(address)
        return answer

    return VersionLoop(operator.context, ask), asked


async def recorded(operator: Operator) -> list[Json]:
    """The events, once they are written."""
    writer = asyncio.create_task(operator.context.recorder.run())
    for _ in range(50):
        await asyncio.sleep(0)
    writer.cancel()
    return list(operator.world.server.all(EVENTS))


async def test_an_engine_of_another_version_is_told_with_an_event() -> None:
    world = World()
    operator = await serving(world)
    loop, _ = asker(operator, "0.31.1")
    await loop.once()
    assert CHAT in operator.woken
    await operator.round()
    told = world.condition("EngineMismatch")
    assert told["status"] == "True"
    assert told["message"] == (
        "chat-0: the engine says that it is vLLM 0.31.1, and layouts are judged as for 0.32"
    )
    assert told["nextStep"].startswith("Set engine.version of the chart")
    assert world.condition("Ready")["status"] == "True"
    (event,) = (one for one in await recorded(operator) if "EngineMismatch" in one["message"])
    assert (event["type"], event["reason"]) == ("Warning", "EngineVersionDiffers")


async def test_an_engine_as_set_is_asked_once_and_nothing_is_written() -> None:
    world = World()
    operator = await serving(world)
    operator.woken.clear()
    operator.api.writes.clear()
    loop, asked = asker(operator, "0.32.7")
    for _ in range(3):
        await loop.once()
    assert len(asked) == 1
    assert not operator.woken
    await operator.round()
    assert operator.api.writes == []


async def test_who_says_nothing_of_use_is_not_asked_again_and_who_is_silent_is() -> None:
    operator = await serving(World())
    loop, asked = asker(operator, "")
    for _ in range(3):
        await loop.once()
    assert len(asked) == 1
    assert not operator.context.gather.settings.engine.version
    operator = await serving(World())
    loop, asked = asker(operator, None)
    for _ in range(3):
        await loop.once()
        operator.world.server.advance(30)
    assert len(asked) == 2


async def test_what_is_said_stands_over_a_change_of_the_leader() -> None:
    world = World()
    operator = await serving(world)
    await asker(operator, "0.31.1")[0].once()
    await operator.settle()
    heir = Operator.start(world)
    await heir.settle()
    assert heir.api.writes == []
    loop, asked = asker(heir, "0.31.1")
    await loop.once()
    await heir.settle()
    assert len(asked) == 1
    assert heir.api.writes == []


async def test_it_is_said_no_more_once_the_version_is_set() -> None:
    world = World()
    operator = await serving(world)
    await asker(operator, "0.31.1")[0].once()
    await operator.settle()
    heir = told_version(world, "0.31")
    await asker(heir, "0.31.1")[0].once()
    await heir.settle()
    await asker(heir, "0.31.1")[0].once()
    assert CHAT in heir.woken
    await heir.settle()
    types = {one["type"] for one in world.mdep()["status"]["conditions"]}
    assert "EngineMismatch" not in types


async def test_who_is_replaced_by_another_image_is_not_judged() -> None:
    world = World()
    await serving(world)
    engine = world.settings.engine.model_copy(
        update={"image": "registry.example/vllm@sha256:" + "f" * 64, "version": "0.31"}
    )
    world.settings = world.settings.model_copy(update={"engine": engine})
    heir = Operator.start(world)
    for informer in heir.context.caches.all():
        await informer.refresh()
    await asker(heir, "0.32.0")[0].once()
    await heir.round()
    types = {one["type"] for one in world.mdep()["status"]["conditions"]}
    assert "EngineMismatch" not in types


async def test_versions_of_engines_that_are_gone_are_forgotten() -> None:
    operator = await serving(World())
    operator.context.memory.versions["gone"] = "0.31"
    await asker(operator, "0.32.0")[0].once()
    assert "gone" not in operator.context.memory.versions
    assert len(operator.context.memory.versions) == 1


async def test_a_version_that_nobody_knows_is_said_of_every_deployment() -> None:
    world = World()
    await serving(world)
    operator = told_version(world, "0.40")
    await operator.settle()
    told = world.condition("EngineMismatch")
    assert (told["status"], told["reason"]) == ("True", "EngineVersionNotKnown")
    assert "vLLM 0.40 is not known here; it is judged as 0.32" in told["message"]
    operator.api.writes.clear()
    await operator.settle()
    assert operator.api.writes == []
