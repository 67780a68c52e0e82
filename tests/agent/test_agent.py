"""The whole agent against a fake API server and a real mirror."""

import asyncio
import base64
import json
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from e2e.engine.ports import free_port
from prometheus_client import CollectorRegistry
from tests.agent.conftest import COMMIT, SampleModel, lay_out, publish, sample_model, where
from tests.agent.test_report import GPU_0
from tests.clients.sources.faulty import Faulty, flip, refuse, stall
from tests.fakes.kube import FakeApi, FakeServer

from escadre import reasons
from escadre.agent.agent import Agent, inventory_source
from escadre.agent.gpunode import KubeGPUNode
from escadre.agent.gpus.inventory import Inventory, InventorySource
from escadre.agent.identity import Identity
from escadre.agent.pull.pull import Pull
from escadre.agent.store.partial import PartialFile
from escadre.api.gpunode import GPU
from escadre.clients.kube import GPU_NODES, SECRETS, Forbidden, ServerUnavailable
from escadre.core.weights.manifest import CHUNK_SIZE
from escadre.errors import Refusal
from escadre.settings import AgentSettings

NODE = "gpu-1"


class CountedSource:
    """The simulated GPUs, with a count of the readings."""

    def __init__(self, source: InventorySource) -> None:
        self._source = source
        self.readings = 0
        self.answers = threading.Event()
        self.answers.set()

    def read(self) -> Inventory:
        self.readings += 1
        assert self.answers.wait(60)
        return self._source.read()


class World:
    """One node: its API server, its agent, its disk."""

    def __init__(self, disk: Path, mirror: Faulty) -> None:
        self.kube = FakeServer()
        self.api = FakeApi(self.kube, user="agent")
        self.mirror = mirror
        self.gpus = disk / "gpus.json"
        self.show(GPU_0)
        self.settings = AgentSettings(
            store_path=disk / "store",
            inventory="simulated",
            simulated_gpus=self.gpus,
            port=free_port(),
            progress_seconds=0.5,
            mirror_secrets=["mirror-token"],
            mirror_allowed_cidrs=["127.0.0.0/8"],
        )
        self.source = CountedSource(inventory_source(self.settings))

    def show(self, gpu: GPU) -> None:
        """Lays the list of GPUs there at once: the agent never reads half of it."""
        fresh = self.gpus.with_suffix(".new")
        fresh.write_text(json.dumps({"gpus": [gpu.model_dump(by_alias=True)]}))
        fresh.replace(self.gpus)

    def wish(self, *models: SampleModel, **source: Any) -> None:
        """What the operator writes."""
        told = {"name": "tree", "type": "http", "url": self.mirror.url, "generation": 1}
        mirror = {**told, **source}
        reference = {key: mirror[key] for key in ("name", "generation")}
        weights = [
            {
                "manifestDigest": model.digest,
                "approval": "a",
                "repository": "org/model",
                "revision": COMMIT,
                "bytes": model.manifest.total_bytes,
                "mirror": reference,
            }
            for model in models
        ]
        node = {"metadata": {"name": NODE}, "spec": {"weights": weights, "mirrors": [mirror]}}
        self.kube.put(GPU_NODES, node)

    def status(self) -> dict[str, Any]:
        node = self.kube.get(GPU_NODES, NODE) or {}
        status: dict[str, Any] = node.get("status") or {}
        return status

    def entry(self, model: SampleModel) -> dict[str, Any]:
        entries = self.status().get("weights", [])
        return next((e for e in entries if e["manifestDigest"] == model.digest), {})

    def writes(self) -> int:
        return len(self.api.writes)

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Agent]:
        node = KubeGPUNode(self.api, NODE, "escadre-system", self.settings.mirror_secrets)
        agent = Agent(
            self.settings,
            Identity(NODE, "u-1", "b-1"),
            node,
            self.source,
            CollectorRegistry(),
            read_gpus_every=0.05,
            look_every=0.1,
        )
        async with asyncio.TaskGroup() as tasks:  # an agent that ends by itself fails the test
            task = tasks.create_task(agent.run())
            try:
                yield agent
            finally:
                task.cancel()

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"http://127.0.0.1:{self.settings.port}{path}") as answer:
                    return answer.status, await answer.text()
            except aiohttp.ClientConnectorError:
                return 0, ""

    async def answers(self, path: str, status: int) -> None:
        async with asyncio.timeout(60):
            while (await self.get(path))[0] != status:  # noqa: ASYNC110 - as the kubelet does
                await asyncio.sleep(0.02)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - looks from outside, as a user would
            await asyncio.sleep(0.01)


@pytest.fixture
def world(disk: Path, server: Faulty) -> World:
    return World(disk, server)


async def test_wanted_weights_are_pulled_and_reported(world: World, small: SampleModel) -> None:
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Verified")
        status = world.status()
        assert (status["nodeUID"], status["bootID"]) == ("u-1", "b-1")
        assert world.entry(small)["storeID"] == status["storeID"]
        assert status["gpus"][0]["uuid"] == "GPU-0"
        assert (await world.get("/readyz"))[0] == 200
        body = (await world.get("/metrics"))[1]
        assert "escadre_agent_verified_models 1.0" in body
        assert f"escadre_agent_pull_bytes_total {small.manifest.total_bytes}.0" in body
        assert 'escadre_agent_gpus{healthy="true"} 1.0' in body


async def test_a_node_at_rest_is_not_written(world: World, small: SampleModel) -> None:
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Verified")
        before, readings = world.writes(), world.source.readings
        await until(lambda: world.source.readings > readings + 30)  # 15 looks at the store
        assert world.writes() == before


async def test_verified_weights_outlive_agent_and_wish(world: World, small: SampleModel) -> None:
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Verified")
    asked = len(world.mirror.log)
    world.wish()
    world.kube.status(GPU_NODES, NODE, "", {})
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Verified")
    assert len(world.mirror.log) == asked


async def test_a_new_agent_takes_nothing_back_that_it_has_not_looked_at(
    world: World, small: SampleModel
) -> None:
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Verified")
    before = world.kube.version
    world.source.answers.clear()
    async with world.agent():
        async with asyncio.timeout(60):
            while (seen := await world.get("/readyz"))[0] != 200 and "looked" not in seen[1]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert seen == (503, "GPUs and store are not looked at, or not written down, yet\n")
        world.source.answers.set()
        await world.answers("/readyz", 200)
    assert world.kube.version == before, "a status was another one for a while"


async def test_a_flipped_byte_is_refused_and_explained(world: World, small: SampleModel) -> None:
    world.mirror.always[where("a.safetensors")] = flip(1)
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Failed")
        entry = world.entry(small)
        assert entry["reason"] == reasons.DIGEST_MISMATCH.name
        assert "a.safetensors, chunk 0" in entry["message"]
        assert 'failures_total{reason="DigestMismatch"} 1.0' in (await world.get("/metrics"))[1]


async def test_a_case_that_nobody_thought_of_is_told_as_such(
    world: World, small: SampleModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(Pull, "run", broken)
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Failed")
    told = world.entry(small)
    assert told["reason"] == reasons.INTERNAL_ERROR.name
    said = "pulling: RuntimeError: dictionary changed size during iteration"
    assert told["message"] == said


async def test_a_long_wait_that_a_mirror_asks_for_is_told_with_its_end(
    world: World, small: SampleModel
) -> None:
    world.mirror.always[where("a.safetensors")] = refuse(503, {"Retry-After": "999999"})
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Failed")
    said = r"HTTP 503; mirror \S+ asked to be left alone until \d\d:\d\d:\d\d UTC$"
    assert re.search(said, world.entry(small)["message"])
    asked = [entry.path for entry in world.mirror.log].count(where("a.safetensors"))
    assert asked == 1


async def test_another_mirror_is_tried_at_once(world: World, small: SampleModel) -> None:
    world.mirror.always[where("a.safetensors")] = refuse(404)
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("reason") == reasons.MIRROR_FILE_NOT_FOUND.name)
        world.mirror.always.clear()
        world.wish(small, name="other")
        await until(lambda: world.entry(small).get("state") == "Verified")


async def test_a_mirror_that_moves_while_it_is_pulled_from_costs_no_verified_chunk(
    world: World, large: bytes
) -> None:
    big = sample_model({"w.safetensors": large + large[: CHUNK_SIZE // 2] + large})
    publish(world.mirror, big)
    world.mirror.always[where("w.safetensors")] = stall(CHUNK_SIZE + 100, world.mirror.released)
    world.wish(big)
    async with world.agent():
        partial = world.settings.store_path / "partial"
        await until(lambda: any(b"x" in path.read_bytes() for path in partial.glob("*.chunks")))
        world.mirror.always.clear()
        world.mirror.files = {f"/moved{path}": one for path, one in world.mirror.files.items()}
        asked = len(world.mirror.log)
        world.wish(big, url=f"{world.mirror.url}/moved", generation=2)
        await until(lambda: world.entry(big).get("state") == "Verified")
    ranges = {entry.range for entry in world.mirror.log[asked:]}
    assert None not in ranges  # from the beginning a file is asked for whole
    assert {entry.path.split("/")[1] for entry in world.mirror.log[asked:]} == {"moved"}


async def test_an_agent_that_ends_closes_what_it_pulls(world: World, large: bytes) -> None:
    big = sample_model({"w.safetensors": large + large[: CHUNK_SIZE // 2]})
    publish(world.mirror, big)
    world.mirror.pace = 0.05
    world.wish(big)
    partial = world.settings.store_path / "partial"
    async with world.agent():
        await until(lambda: any(b"x" in path.read_bytes() for path in partial.glob("*.chunks")))
    # A file that was closed counts as it stands; after a kill its chunks are hashed first.
    with PartialFile(partial, big.manifest.files[0]) as closed:
        assert closed.done_bytes > 0


async def test_more_pulls_allowed_by_a_mirror_leave_the_one_under_way_alone(
    world: World, model: SampleModel
) -> None:
    world.mirror.pace = 0.2
    world.wish(model)
    async with world.agent():
        await until(lambda: world.entry(model).get("bytesDone", 0) > 0)
        world.wish(model, generation=2, maxConcurrentPulls=9)
        world.mirror.pace = 0
        await until(lambda: world.entry(model).get("state") == "Verified")
    ranges = [(entry.path, entry.range) for entry in world.mirror.log]
    assert len(ranges) == len(set(ranges))


async def test_what_0_1_0_wanted_waits_for_the_operator(
    world: World, small: SampleModel, model: SampleModel
) -> None:
    world.wish(small, model)
    node = world.kube.get(GPU_NODES, NODE)
    assert node is not None
    (mirror,) = node["spec"].pop("mirrors")
    for entry in node["spec"]["weights"]:
        entry.pop("mirror")
        entry["source"] = mirror
    world.kube.put(GPU_NODES, node)
    async with world.agent():
        await until(lambda: bool(world.entry(small)))
        told = world.entry(small)
        assert (told["state"], told["mirror"]) == ("Pulling", "tree")
        assert told["message"] == (
            "waits for the operator, of an earlier version still, to tell the mirror"
        )
        assert world.mirror.log == []
        world.wish(small, model)
        await until(lambda: world.entry(model).get("state") == "Verified")


async def test_a_pull_that_is_no_longer_wanted_is_called_off(
    world: World, model: SampleModel, small: SampleModel
) -> None:
    world.mirror.pace = 0.2
    world.wish(model)
    async with world.agent():
        await until(lambda: world.entry(model).get("bytesPerSecond", 0) > 0)
        assert world.entry(model)["state"] == "Pulling"
        assert world.entry(model)["bytesDone"] > 0
        world.mirror.pace = 0
        world.wish(small)
        await until(lambda: world.entry(small).get("state") == "Verified")
        assert world.entry(model) == {}
        assert list((world.settings.store_path / "partial").glob("*.data"))


async def test_tampered_weights_are_withdrawn_and_mended(world: World, small: SampleModel) -> None:
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Verified")
        folder = world.settings.store_path / "models" / small.digest[7:]
        asked = len(world.mirror.log)
        victim = folder / "a.safetensors"
        victim.chmod(0o644)
        victim.write_bytes(b"B" * 5000)
        await until(lambda: content(victim) == b"A" * 5000)
        assert len(world.mirror.log) > asked
        await until(lambda: world.entry(small).get("state") == "Verified")


def content(path: Path) -> bytes:
    """Empty while the file is not there: it may go between two looks."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


async def test_a_disk_that_is_exchanged_is_opened_anew(world: World, small: SampleModel) -> None:
    world.wish(small)
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Verified")
        first = world.status()["storeID"]
        world.settings.store_path.rename(world.settings.store_path.with_name("gone"))
        await until(lambda: world.status()["storeID"] not in {first, ""})
        await until(lambda: world.entry(small).get("state") == "Verified")
        assert world.entry(small)["storeID"] != first


async def test_a_sick_gpu_is_reported(world: World) -> None:
    world.wish()
    async with world.agent():
        await until(lambda: bool(world.status().get("gpus")))
        world.show(GPU_0.model_copy(update={"healthy": False, "message": "lost"}))
        await until(lambda: world.status()["gpus"][0]["healthy"] is False)
        world.gpus.unlink()
        await until(lambda: world.status()["gpus"] == [])
        assert world.status()["conditions"][0]["reason"] == reasons.NVML_UNAVAILABLE.name


async def test_the_node_may_have_no_gpunode_yet(world: World, small: SampleModel) -> None:
    async with world.agent():
        await world.answers("/readyz", 200)
        world.wish(small)
        await until(lambda: world.entry(small).get("state") == "Verified")


async def test_a_new_gpunode_of_the_same_name_is_told_everything(world: World) -> None:
    world.wish()
    async with world.agent():
        await until(lambda: bool(world.status().get("storeID")))
        world.kube.remove(GPU_NODES, NODE)
        world.wish()
        await until(lambda: bool(world.status().get("storeID")))


async def test_faults_of_the_api_server_are_waited_out(world: World, small: SampleModel) -> None:
    def down() -> ServerUnavailable:
        return ServerUnavailable(method="list", object="GPUNode", status=503)

    world.wish(small)
    world.api.refuse("list", "GPUNode", down)
    async with world.agent():
        await world.answers("/readyz", 503)
        world.api.refuse("list", "GPUNode", None)
        await until(lambda: world.entry(small).get("state") == "Verified")


async def test_a_store_that_cannot_be_opened_is_a_condition(world: World) -> None:
    world.settings.store_path.write_bytes(b"")
    world.wish()
    async with world.agent():
        await until(lambda: len(world.status().get("conditions", [])) == 2)
        await until(
            lambda: world.status()["conditions"][1]["reason"] == reasons.STORE_UNUSABLE.name
        )
        assert world.status()["storeID"] == ""


def put_secret(world: World, **data: str) -> None:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    meta = {"name": "mirror-token", "namespace": "escadre-system"}
    world.kube.put(SECRETS, {"metadata": meta, "data": encoded})


async def test_credentials_come_from_a_granted_secret(world: World, small: SampleModel) -> None:
    put_secret(world, token="t0k")
    world.wish(small, credentialsSecretName="mirror-token")
    async with world.agent():
        await until(lambda: world.entry(small).get("state") == "Verified")
    assert {entry.headers.get("Authorization") for entry in world.mirror.log} == {"Bearer t0k"}


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        pytest.param("mirror-token", "SecretNotFound", id="missing"),
        pytest.param("other", "SecretNotGranted", id="not granted"),
    ],
)
async def test_secrets_that_cannot_be_used_are_told(
    world: World, small: SampleModel, secret: str, reason: str
) -> None:
    world.wish(small, credentialsSecretName=secret)
    async with world.agent():
        await until(lambda: world.entry(small).get("reason") == reason)
        asked = [each for each in world.api.reads if each.kind == "Secret"]
        assert not asked or reason == "SecretNotFound"
        message = world.entry(small)["message"]
    if reason == "SecretNotGranted":
        assert message == (
            "Secret escadre-system/other, which the ModelMirror names, is not among those the "
            "chart grants the agent (agent.mirrorSecrets: mirror-token)"
        )
    assert world.mirror.log == []


async def test_a_mounted_folder_is_pulled_from_and_one_that_is_not_is_told(
    world: World, small: SampleModel, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escadre.agent.agent.MIRROR_FOLDERS_PATH", str(disk / "mirrors"))
    world.settings = world.settings.model_copy(update={"mirror_folders": ["share"]})
    lay_out(disk / "mirrors" / "share", small)
    source = {"name": "files", "type": "folder", "url": None}
    async with world.agent():
        world.wish(small, **source, folder={"name": "elsewhere"})
        await until(lambda: world.entry(small).get("reason") == "FolderNotMounted")
        assert "(agent.mirrorFolders: share)" in world.entry(small)["message"]
        world.wish(small, **source, folder={"name": "share"})
        await until(lambda: world.entry(small).get("state") == "Verified")
    assert world.mirror.log == []


async def test_a_secret_the_api_server_refuses_is_told(world: World) -> None:
    world.api.refuse("get", "Secret", lambda: Forbidden(method="get", object="Secret", status=403))
    node = KubeGPUNode(world.api, NODE, "escadre-system", ["mirror-token"])
    with pytest.raises(Refusal, match="refused by the API server") as caught:
        await node.secret("mirror-token")
    assert caught.value.reason == reasons.SECRET_NOT_GRANTED


async def test_progress_is_reported_while_it_lasts(world: World) -> None:
    model = sample_model({"w": bytes(12 << 20)})
    publish(world.mirror, model)
    world.mirror.pace = 0.5
    world.wish(model)
    seen: list[int] = []
    async with world.agent():

        def told_twice() -> bool:
            entry = world.entry(model)
            done = entry.get("bytesDone", 0)
            if entry.get("state") == "Pulling" and done and done not in seen:
                seen.append(done)
            return len(seen) == 2

        await until(told_twice)
        world.mirror.pace = 0
        await until(lambda: world.entry(model).get("state") == "Verified")
    assert seen == sorted(seen)
