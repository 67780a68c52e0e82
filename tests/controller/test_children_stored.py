"""controller/children.py on a real API server: its defaults are no difference, hand edits are.

What the API server fills in changes with its version: a default that is taken for a hand edit
would be written against for ever.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from e2e.cluster.cluster import Cluster
from e2e.cluster.nodes import NodeSpec
from tests.controller.test_children import HANDS
from tests.render.objects import EVERYTHING_SET, OWNER, children, replica_of

from escadre.clients.kube import NAMESPACES, KubeApi, Limits, load_connection, resource_of
from escadre.controller.children import Applier
from escadre.settings import EngineSettings
from escadre.state.caches import Caches

Json = dict[str, Any]
pytestmark = pytest.mark.cluster
ODD_QUANTITIES = EngineSettings(
    image="registry.example/vllm@sha256:" + "e" * 64,
    cpu="0.5",
    memory="16384Mi",
    shared_memory="1024Mi",
    cache_size="0.5Gi",
)
INTENTS: dict[str, Json] = {
    **children(),
    "everything set": replica_of(slot=1, engine=EVERYTHING_SET),
    "odd quantities": replica_of(slot=2, engine=ODD_QUANTITIES),
}


@pytest.fixture(scope="module")
def real_cluster() -> Iterator[Cluster]:
    with Cluster(f"children-{os.getpid()}", nodes=[NodeSpec("cpu-0", gpus=0)]) as cluster:
        yield cluster


@dataclass
class Bench:
    api: KubeApi
    caches: Caches

    async def apply(self, intent: Json) -> Applier:
        volume = intent["kind"] == "PersistentVolume"
        cache = self.caches.volumes if volume else self.caches.children[intent["kind"]]
        await cache.refresh()
        applier = Applier(self.api, OWNER.uid)
        assert await applier.apply(intent, cache), applier.problems
        return applier

    async def live(self, intent: Json) -> Json:
        meta = intent["metadata"]
        return await self.api.get(
            resource_of(intent), meta["name"], namespace=meta.get("namespace")
        )


@pytest.fixture
async def bench(real_cluster: Cluster) -> AsyncIterator[Bench]:
    connection = await load_connection(kubeconfig=str(real_cluster.kubeconfig))
    async with KubeApi(connection, component="children", limits=Limits(qps=0)) as api:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OWNER.namespace}}
        await api.apply(NAMESPACES, namespace)
        yield Bench(api, Caches(api, "escadre-system"))


@pytest.mark.parametrize("intent", INTENTS.values(), ids=INTENTS)
async def test_what_the_api_server_fills_in_is_no_difference(bench: Bench, intent: Json) -> None:
    await bench.apply(intent)
    for _ in range(2):
        assert (await bench.apply(intent)).changed == []


@pytest.mark.parametrize(("kind", "hand"), HANDS.values(), ids=HANDS)
async def test_a_hand_edit_is_mended(bench: Bench, kind: str, hand: Callable[[Json], Any]) -> None:
    intent = INTENTS[kind]
    await bench.apply(intent)
    before = await bench.live(intent)
    edited = await bench.live(intent)
    hand(edited)
    steps: list[Json] = [{"op": "replace", "path": "/spec", "value": edited["spec"]}]
    if "annotations" in before["metadata"]:
        notes = edited["metadata"].get("annotations") or {}
        steps.append({"op": "replace", "path": "/metadata/annotations", "value": notes})
    meta = intent["metadata"]
    await bench.api.patch(resource_of(intent), meta["name"], steps, namespace=meta.get("namespace"))
    assert (await bench.apply(intent)).changed == [("mended", kind, meta["name"])]
    assert (await bench.live(intent))["spec"] == before["spec"]
    assert (await bench.apply(intent)).changed == [], "mended for good"
