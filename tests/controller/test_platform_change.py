"""A change of the engine's image or values reaches one deployment, then the next."""

from typing import Final

import pytest
from tests.controller.operator import Operator
from tests.controller.world import World

from escadre import reasons
from escadre.clients.kube import MODEL_DEPLOYMENTS

BAD: Final = "--no-such-flag"
NAMES: Final = ("alpha", "beta", "gamma", "pair")


async def bank() -> World:
    """Three deployments with one replica and one with two, all of them serving."""
    world = World()
    world.bad_flags = {BAD}
    world.approve()
    for name in NAMES[:3]:
        world.deploy(name)
    world.deploy("pair", scaling={"minReplicas": 2, "maxReplicas": 2})
    await Operator.start(world).settle()
    assert serving(world) == {"alpha": 1, "beta": 1, "gamma": 1, "pair": 2}
    return world


def change(world: World, *flags: str, image: str = "e") -> Operator:
    """Other values of the platform, and an operator that was started with them."""
    engine = world.settings.engine.model_copy(
        update={"extra_args": list(flags), "image": f"registry.example/vllm@sha256:{image * 64}"}
    )
    world.settings = world.settings.model_copy(update={"engine": engine})
    return Operator.start(world)


def serving(world: World) -> dict[str, int]:
    return {name: world.mdep(name)["status"]["replicas"]["ready"] for name in NAMES}


def outdated(world: World) -> set[str]:
    return {
        name
        for name in NAMES
        if not all(one["current"] for one in world.mdep(name)["status"]["replicas"]["items"])
    }


def serving_pods(world: World) -> dict[str, int]:
    """Pods that serve now, whatever any status says of them."""
    found = dict.fromkeys(NAMES, 0)
    for pod in world.pods():
        labels = pod["metadata"]["labels"]
        ready = {"type": "Ready", "status": "True"} in pod["status"].get("conditions", [])
        if ready and labels.get("escadre.dev/serving") == "true":
            found[labels["escadre.dev/deployment"]] += 1
    return found


async def test_a_bad_flag_costs_one_replica_and_nobody_its_service() -> None:
    world = await bank()
    operator = change(world, BAD)
    await operator.settle()
    # Who has two goes first: one goes on.
    assert serving(world) == {"alpha": 1, "beta": 1, "gamma": 1, "pair": 1}
    held = world.condition("Stalled", "alpha")
    assert held["reason"] == reasons.PLATFORM_CHANGE_HELD.name
    assert "team/pair" in held["message"]
    assert "pair-0" in held["message"]
    assert world.condition("Serving", "pair")["reason"] == "EngineFailing"
    written = len(operator.api.writes)
    again = change(world, BAD)  # another life of the operator knows as much
    await again.settle()
    assert serving(world) == {"alpha": 1, "beta": 1, "gamma": 1, "pair": 1}
    assert len(operator.api.writes) == written


async def test_where_nobody_has_two_replicas_one_deployment_is_down() -> None:
    world = await bank()
    world.server.remove(MODEL_DEPLOYMENTS, "pair", "team")
    world.server.collect_garbage()
    await change(world, BAD).settle()
    ready = [world.mdep(name)["status"]["replicas"]["ready"] for name in NAMES[:3]]
    assert ready == [0, 1, 1]
    assert "team/alpha" in world.condition("Stalled", "gamma")["message"]


@pytest.mark.parametrize(("flags", "image"), [((), "e"), (("--good",), "e"), ((), "f")])
async def test_a_further_change_begins_anew(flags: tuple[str, ...], image: str) -> None:
    world = await bank()
    await change(world, BAD).settle()
    await change(world, *flags, image=image).settle(rounds=120)
    assert serving(world) == {"alpha": 1, "beta": 1, "gamma": 1, "pair": 2}
    assert outdated(world) == set()
    assert not [name for name in NAMES if world.condition("Stalled", name)]


async def test_a_good_change_reaches_all_and_one_deployment_at_a_time() -> None:
    world = await bank()
    operator = change(world, "--good")
    told = set()
    for _ in range(120):
        world.server.advance(11)
        world.step()
        await operator.round()
        now = serving_pods(world)
        short = [name for name in NAMES if now[name] < (2 if name == "pair" else 1)]
        assert len(short) <= 1, now
        told |= {
            (reason, name)
            for name in NAMES
            if (reason := world.condition("Serving", name)["reason"]).startswith("Platform")
        }
        if not outdated(world) and not short:
            break
    assert outdated(world) == set()
    queued = reasons.PLATFORM_CHANGE_QUEUED.name
    assert told == {(queued, "alpha"), (queued, "beta"), (queued, "gamma")}


async def test_an_edit_of_a_deployments_own_is_not_held() -> None:
    world = await bank()
    operator = change(world, BAD)
    await operator.settle()
    world.deploy("alpha", contextLength=16384)
    await operator.settle()
    (pod,) = [one for one in world.pods() if "alpha" in one["metadata"]["name"]]
    assert BAD in pod["spec"]["containers"][0]["args"]
    assert serving(world) == {"alpha": 0, "beta": 1, "gamma": 1, "pair": 1}
