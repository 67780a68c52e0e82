"""engine.version: what layouts are judged by; it changes nothing that runs."""

from tests.controller.operator import Operator
from tests.controller.world import ARCHITECTURE, World

from escadre import reasons

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
