"""Worlds for the conformance file: the fake API server, and a real one."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from e2e.cluster.cluster import Cluster
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.wait import patience
from tests.fakes.kube import FakeServer, Traits

from escadre.clients.kube import (
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    Api,
    KubeApi,
    Limits,
    Resource,
    load_connection,
)

Json = dict[str, Any]

WIDGETS: Final = Resource("conformance.escadre.test", "v1", "widgets", "Widget", namespaced=True)
# Its tests look at a whole kind, in all namespaces: nobody else makes any.
GADGETS: Final = Resource("conformance.escadre.test", "v1", "gadgets", "Gadget", namespaced=True)
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap", namespaced=True)

_CONDITIONS: Final = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
    },
}
_OPEN: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "spec": _OPEN,
        "status": {
            "type": "object",
            "properties": {"conditions": _CONDITIONS, "phase": {"type": "string"}},
        },
    },
}
_NUMBERS: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class World:
    """A server to be held to the protocol: a client of it and a namespace of the test's own."""

    api: Api
    namespace: str
    fake: FakeServer | None  # None: real

    def named(self, name: str, **metadata: Any) -> Json:
        return {"name": name, "namespace": self.namespace, **metadata}

    def widget(self, name: str, spec: Json, **metadata: Any) -> Json:
        meta = self.named(name, **metadata)
        return {"apiVersion": WIDGETS.api_version, "kind": "Widget", "metadata": meta, "spec": spec}

    async def eventually(self, predicate: Callable[[], Awaitable[bool]], within: float) -> None:
        """Wait for what controllers do; the fake's stand still until told."""
        if self.fake is not None:
            self.fake.collect_garbage()
        async with asyncio.timeout(within * patience()):
            while not await predicate():  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
def real_cluster() -> Iterator[Cluster]:
    with Cluster(f"conformance-{os.getpid()}", nodes=[NodeSpec("cpu-0", gpus=0)]) as cluster:
        yield cluster


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "fake":
        extra = {WIDGETS: Traits(status=True, generation=True), CONFIG_MAPS: Traits()}
        fake = FakeServer(extra)
        fake.put(NAMESPACES, {"metadata": {"name": "conformance"}})
        yield World(fake.client("admin"), "conformance", fake)
        return
    cluster: Cluster = request.getfixturevalue("real_cluster")
    connection = await load_connection(kubeconfig=str(cluster.kubeconfig))
    async with KubeApi(connection, component="conformance", limits=Limits(qps=0)) as api:
        await define(api, WIDGETS)
        namespace = f"conformance-{next(_NUMBERS)}"
        await api.apply(NAMESPACES, _named_only(namespace))
        yield World(api, namespace, None)


def _named_only(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def define(api: KubeApi, resource: Resource) -> None:
    """Has the server serve a kind of these tests."""
    crd = _crd(resource)
    await api.apply(CUSTOM_RESOURCE_DEFINITIONS, crd)
    async with asyncio.timeout(180):
        while not await _established(api, crd["metadata"]["name"]):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)


def _crd(resource: Resource) -> Json:
    names = {"plural": resource.plural, "singular": resource.kind.lower(), "kind": resource.kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": names,
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _SCHEMA},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


async def _established(api: KubeApi, name: str) -> bool:
    found = await api.get(CUSTOM_RESOURCE_DEFINITIONS, name)
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
