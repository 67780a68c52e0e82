"""A new version takes over what another one left: no engine restarts, nothing is written at rest.

``data/at-0.1.0.json`` is a cluster that version 0.1.0 made. Newer versions are made here: a wish,
settings and a layout with one field more.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import pytest
from tests.controller.operator import Operator
from tests.controller.stored import DATA, restore
from tests.controller.test_reconcile import serving, workloads
from tests.controller.world import OTHER_DIGEST, World

from escadre.api.deployment import Layout, ModelDeploymentSpec
from escadre.api.gpunode import WantedWeights
from escadre.clients.kube import DEPLOYMENTS, GPU_NODES, MODEL_DEPLOYMENTS, NODES
from escadre.core.facts.model import Wish
from escadre.core.replicas.inputs import FORMAT
from escadre.names import ANNOTATION_INPUTS, LABEL_INPUTS, LABEL_SYSTEM_NAMESPACE
from escadre.settings import EngineSettings, Settings

Json = dict[str, Any]


def left(version: str = "0.1.0") -> World:
    """The world that a version left."""
    world = World(nodes=0)
    state = restore(world.server, DATA / f"at-{version}.json")
    world.settings = Settings.model_validate(state)
    return world


def engines(world: World) -> dict[str, str]:
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in world.pods()}


async def takes_over(world: World) -> Operator:
    """Another life of the operator, until nothing moves; no engine may restart."""
    running, made = engines(world), workloads(world)
    assert running
    operator = Operator.start(world)
    await operator.settle()
    assert engines(world) == running
    assert workloads(world) == made, "nothing is written at rest"
    return operator


@dataclass(frozen=True, slots=True)
class NewerWish(Wish):
    """The wish of a later version."""

    quantization: str | None = None


class NewerSettings(EngineSettings):
    """The engine settings of a later version."""

    huge_pages: str = "none"


class NewerLayout(Layout):
    """The layout of a later version."""

    data_parallel_size: int = 1
    expert_parallel: bool | None = None


class NewerWanted(WantedWeights):
    """An entry of GPUNode.spec of a later version."""

    priority: int = 0
    adapters: list[str] | None = None


def put_in_place(patch: pytest.MonkeyPatch, older: type, newer: type) -> None:
    """Lets every module of the product use the newer class."""
    for name, module in list(sys.modules.items()):
        if name.startswith("escadre.") and vars(module).get(older.__name__) is older:
            patch.setattr(module, older.__name__, newer)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """What one version made of a record is not what another makes of it."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("escadre."):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
                if isinstance(value, WeakValueDictionary):
                    value.clear()


def newer_wish(patch: pytest.MonkeyPatch, quantization: str | None = None) -> None:
    older = Wish.of

    def of(spec: ModelDeploymentSpec | None) -> Wish:
        wish = older(spec)
        return NewerWish(
            wish.context_length,
            wish.concurrency,
            wish.typical_tokens,
            quantization=quantization,
        )

    patch.setattr(Wish, "of", staticmethod(of))
    put_in_place(patch, Wish, NewerWish)


def newer_settings(patch: pytest.MonkeyPatch) -> None:
    put_in_place(patch, EngineSettings, NewerSettings)


def newer_layout(patch: pytest.MonkeyPatch) -> None:
    put_in_place(patch, Layout, NewerLayout)


def engine_of(world: World, kind: type[EngineSettings]) -> None:
    engine = kind.model_validate(world.settings.engine.model_dump(by_alias=True))
    world.settings = world.settings.model_copy(update={"engine": engine})


def newer_weights(patch: pytest.MonkeyPatch) -> None:
    put_in_place(patch, WantedWeights, NewerWanted)


def kept(operator: Operator) -> bool:
    """Whether nothing was written but what this version has more to say, once an object."""
    told = [(one.kind, one.subresource, one.namespace, one.name) for one in operator.api.writes]
    statuses = {(kind, "status") for kind in ("ModelDeployment", "ModelApproval", "ModelMirror")}
    asked = ("GPUNode", "")  # the one node that is to probe the mirror
    once = len(told) == len(set(told)) and sum(one[:2] == asked for one in told) <= 1
    return {one[:2] for one in told} <= {*statuses, asked} and once


def drains(world: World) -> dict[str, int]:
    """How long each replica's pods may take to leave."""
    return {
        name: one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for name, one in workloads(world).items()
    }


async def test_a_time_to_drain_that_follows_from_the_layout_replaces_nothing() -> None:
    # Earlier versions had 300 seconds in everybody's values: chosen by nobody.
    world = World()
    today = world.settings
    engine = today.engine.model_copy(update={"drain_seconds": 300})
    world.settings = today.model_copy(update={"engine": engine})
    await serving(world)
    before = drains(world)
    world.settings = today
    operator = await takes_over(world)
    assert drains(world) == before == {"chat-0": 335}
    world.server.remove(DEPLOYMENTS, "chat-0", "team")
    await operator.settle()
    (anew,) = drains(world).values()
    assert 335 < anew <= 1835


NEWER: Final = [newer_wish, newer_settings, newer_layout, newer_weights]


@pytest.mark.parametrize("version", sorted(p.stem.removeprefix("at-") for p in DATA.iterdir()))
async def test_what_a_version_left_stays_as_it_is(version: str) -> None:
    world = left(version)
    operator = await takes_over(world)
    assert kept(operator)


@pytest.mark.parametrize("newer", NEWER)
async def test_one_more_optional_field_replaces_no_replica(
    newer: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = left()
    newer(monkeypatch)
    engine_of(world, NewerSettings)
    await takes_over(world)


@pytest.mark.parametrize("newer", NEWER)
async def test_what_this_version_made_stays_under_a_newer_one_too(
    newer: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    await serving(world)
    newer(monkeypatch)
    engine_of(world, NewerSettings)
    await takes_over(world)


async def test_a_new_field_that_is_set_replaces_every_replica_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = left()
    before = engines(world)
    newer_wish(monkeypatch, quantization="fp8")
    operator = Operator.start(world)
    await operator.settle(rounds=120)
    assert not set(before.values()) & set(engines(world).values())
    await takes_over(world)


def rewrite(world: World, change: Callable[[Json], object]) -> None:
    """Changes the records, as if another version had made the replicas."""
    for workload in workloads(world).values():
        notes = workload["metadata"]["annotations"]
        record = json.loads(notes[ANNOTATION_INPUTS])
        change(record)
        notes[ANNOTATION_INPUTS] = json.dumps(record)
        world.server.put(DEPLOYMENTS, workload)


def more_fields(record: Json) -> None:
    record["adapters"] = ["sha256:" + "c" * 64]
    record["wish"]["quantization"] = "fp8"
    record["platform"]["hugePages"] = "1Gi"
    record["plan"]["dataParallelSize"] = 2


def another_form(record: Json) -> None:
    record["format"] = FORMAT + 1
    record["wish"] = {"context": {"tokens": 32768}}
    record["platform"] = {"pods": []}
    record["plan"] = {"seats": [{"gpus": 1}]}


@pytest.mark.parametrize("change", [more_fields, another_form])
async def test_after_a_downgrade_no_replica_is_replaced(change: Callable[[Json], None]) -> None:
    world = left()
    rewrite(world, change)
    running = engines(world)
    kept = [one["metadata"]["annotations"][ANNOTATION_INPUTS] for one in workloads(world).values()]
    operator = Operator.start(world)
    await operator.settle()
    assert engines(world) == running
    after = [one["metadata"]["annotations"][ANNOTATION_INPUTS] for one in workloads(world).values()]
    assert [json.loads(one) for one in after] == [json.loads(one) for one in kept]
    assert world.condition("Ready")["status"] == "True"
    assert world.mdep()["status"]["replicas"]["current"] == 2


async def test_after_a_downgrade_other_weights_replace_what_a_newer_version_made() -> None:
    world = left()
    rewrite(world, another_form)
    before = engines(world)
    world.approve("other", digest=OTHER_DIGEST)
    for name in ("chat", "dense"):
        world.deploy(name, approval="other")
    operator = Operator.start(world)
    await operator.settle(rounds=120)
    assert not set(before.values()) & set(engines(world).values())


async def test_the_label_of_the_inputs_stays_what_the_pods_carry() -> None:
    # A hand that writes a field into the record changes its hash, not what the replica is.
    world = left()
    rewrite(world, lambda record: record.update(note="by hand"))
    running = engines(world)
    operator = Operator.start(world)
    await operator.settle()
    assert engines(world) == running
    carried = {pod["metadata"]["labels"][LABEL_INPUTS] for pod in world.pods()}
    assert {one["metadata"]["labels"][LABEL_INPUTS] for one in workloads(world).values()} == carried
    assert world.condition("Ready")["status"] == "True"


def more_status(status: Json) -> None:
    status["revision"] = 7
    status["replicas"]["surge"] = 1
    status["plan"]["dataParallelSize"] = 2


@pytest.mark.parametrize("change", [more_status, dict.clear])
async def test_a_status_of_another_version_or_none_moves_no_replica(
    change: Callable[[Json], None],
) -> None:
    # What is read from it, the number of replicas, is at least the number that stand.
    world = left()
    for name in ("chat", "dense"):
        mdep = world.mdep(name)
        change(mdep["status"])
        world.server.put(MODEL_DEPLOYMENTS, mdep)
    await takes_over(world)
    assert world.mdep()["status"]["replicas"]["ready"] == 2


def newer_entry(status: Json) -> None:
    status["links"] = [{"peer": "gpu-1", "state": "Up"}]
    for one in status["weights"]:
        one["lease"] = "chat-0"
    for gpu in status["gpus"]:
        gpu["temperature"] = 40


async def test_more_fields_in_the_report_of_a_newer_agent_change_nothing() -> None:
    world = left()
    for gpunode in world.server.all(GPU_NODES):
        newer_entry(gpunode["status"])
        world.server.put(GPU_NODES, gpunode)
    labels = {one["metadata"]["name"]: one["metadata"]["labels"] for one in world.server.all(NODES)}
    operator = Operator.start(world)
    await operator.round()
    assert kept(operator)
    after = {one["metadata"]["name"]: one["metadata"]["labels"] for one in world.server.all(NODES)}
    assert after == labels


async def test_weights_of_0_1_0_that_have_to_be_pulled_name_their_mirror_once() -> None:
    world = left()
    before = {one["metadata"]["name"]: one["spec"] for one in world.server.all(GPU_NODES)}
    (node,) = [one for one in world.server.all(GPU_NODES) if one["metadata"]["name"] == "gpu-0"]
    assert [one["source"]["name"] for one in node["spec"]["weights"]] == ["internal"]
    node["status"]["weights"] = []
    world.server.put(GPU_NODES, node)
    running = engines(world)
    await Operator.start(world).round()
    after = {one["metadata"]["name"]: one["spec"] for one in world.server.all(GPU_NODES)}
    (entry,) = after["gpu-0"]["weights"]
    assert "source" not in entry
    (mirror,) = after["gpu-0"]["mirrors"]
    assert entry["mirror"] == {"name": "internal", "generation": mirror["generation"]}
    assert mirror["url"] == before["gpu-0"]["weights"][0]["source"]["url"]
    assert {name: one for name, one in after.items() if name != "gpu-0"} == {
        name: one for name, one in before.items() if name != "gpu-0"
    }
    assert engines(world) == running


async def test_an_operator_that_moved_says_where_it_is_now() -> None:
    world = left()
    for gpunode in world.server.all(GPU_NODES):
        gpunode["metadata"].setdefault("labels", {})[LABEL_SYSTEM_NAMESPACE] = "elsewhere"
        world.server.put(GPU_NODES, gpunode)
    await Operator.start(world).round()
    told = {
        one["metadata"]["labels"][LABEL_SYSTEM_NAMESPACE] for one in world.server.all(GPU_NODES)
    }
    assert told == {"escadre-system"}


async def test_a_report_that_cannot_be_read_costs_no_engine() -> None:
    # Of a newer agent, with a state that this version has no word for: the weights of the node are
    # not believed until the versions agree again. Its engines serve on, and are planned there.
    world = left()
    running = engines(world)
    for _ in range(6):
        for gpunode in world.server.all(GPU_NODES):
            gpunode["status"]["weights"] = [
                {**one, "state": "Leased"} for one in gpunode["status"]["weights"]
            ]
            world.server.put(GPU_NODES, gpunode)
        operator = Operator.start(world)
        await operator.round()
        world.server.advance(11)
        assert engines(world) == running
    assert world.condition("Ready")["status"] == "True"
    world.step()
    await takes_over(world)
