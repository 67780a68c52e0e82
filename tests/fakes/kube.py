"""`FakeApi`: one client of the fake API server, with a record and with faults.

It has the protocol of `KubeApi`. Each client is one process: `kill_at` ends this one at a chosen
write, and what the test starts afterwards gets a new client of the same server.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from tests.fakes.kube_faults import FaultyClient, Killed, Request
from tests.fakes.kube_server import FakeServer as _Server
from tests.fakes.kube_server import Scope
from tests.fakes.kube_traits import Traits
from typing_extensions import override

from escadre.clients.kube import (
    EVERYTHING,
    PODS,
    UNGUARDED,
    USUAL_TAIL,
    Api,
    Guard,
    Invalid,
    Json,
    Page,
    Resource,
    Selection,
    Tail,
    WatchEvent,
)
from escadre.names import FIELD_MANAGER

__all__ = ["FakeApi", "FakeServer", "Killed", "Request", "Traits"]


VERSION = Resource("", "", "version", "Version", namespaced=False)


class FakeServer(_Server):
    """The server, which hands out clients."""

    def client(self, user: str = "escadre") -> "FakeApi":
        return FakeApi(self, user=user)


class FakeApi(FaultyClient, Api):
    """See the module."""

    def __init__(self, server: FakeServer | None = None, *, user: str = "escadre") -> None:
        super().__init__(server or FakeServer())
        self.user = user

    @override
    async def get(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        within: float | None = None,
    ) -> Json:
        where = (namespace or "", name, "")
        return await self.read(
            "get", resource, where, lambda: self.server.read(resource, name, namespace)
        )

    @override
    async def list_page(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        limit: int = 500,
        continue_token: str = "",
    ) -> Page:
        return await self.read(
            "list",
            resource,
            (selection.namespace or "", "", ""),
            lambda: self.server.page(
                resource,
                Scope(selection.namespace, selection.labels, selection.fields),
                limit,
                continue_token,
            ),
        )

    @override
    async def list_names(
        self, resource: Resource, *, limit: int = 500, continue_token: str = ""
    ) -> Page:
        where = ("", "", "names")
        return await self.read(
            "list", resource, where, lambda: self.server.names(resource, limit, continue_token)
        )

    @override
    async def watch(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_seconds: int = 300,
    ) -> AsyncGenerator[WatchEvent, None]:
        after, scope = (
            int(resource_version),
            Scope(selection.namespace, selection.labels, selection.fields),
        )
        where, cuts = (selection.namespace or "", "", ""), self.cuts
        log = await self.read("watch", resource, where, lambda: self.server.log(resource, after))
        position = next((i for i, each in enumerate(log) if each.version > after), len(log))
        bell = asyncio.Event()
        end = asyncio.get_running_loop().time() + timeout_seconds
        self.server.changed.add(bell)
        try:
            while cuts == self.cuts:
                bell.clear()
                while position < len(log) and not self.holds(resource.kind):
                    entry = log[position]
                    position += 1
                    for event in self.deliver(resource, entry, scope):
                        yield event
                if not await _rung(bell, end):
                    return
                self.check_alive()
        finally:
            self.server.changed.discard(bell)

    @override
    async def apply(
        self,
        resource: Resource,
        body: Json,
        *,
        field_manager: str = FIELD_MANAGER,
        force: bool = True,
        subresource: str | None = None,
        create_only: bool = False,
    ) -> Json:
        if not force:
            raise AssertionError("the fake API knows only forced applies")
        meta = body["metadata"]
        where = (meta.get("namespace", ""), meta["name"], subresource or "")
        return await self.write(
            "apply",
            resource,
            where,
            lambda: self.server.apply(resource, body, field_manager, subresource, create_only),
        )

    @override
    async def create(
        self, resource: Resource, body: Json, *, within: float | None = None, dry_run: bool = False
    ) -> Json:
        meta = body.get("metadata") or {}
        where = (meta.get("namespace", ""), meta.get("name", ""), "")
        return await self.write(
            "create",
            resource,
            where,
            lambda: self.server.create(resource, body, self.user, dry_run=dry_run),
        )

    @override
    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json | Sequence[Json],
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Json:
        return await self.write(
            "patch",
            resource,
            (namespace or "", name, subresource or ""),
            lambda: self.server.patch(resource, name, patch, namespace, subresource),
        )

    @override
    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        guard: Guard = UNGUARDED,
        grace_seconds: int | None = None,
    ) -> Json | None:
        def commit() -> Json | None:
            return self.server.delete(
                resource,
                name,
                namespace=namespace,
                uid=guard.uid,
                version=guard.resource_version,
                grace=grace_seconds,
            )

        return await self.write("delete", resource, (namespace or "", name, ""), commit)

    @override
    async def log(
        self, pod: str, container: str, *, namespace: str, tail: Tail = USUAL_TAIL
    ) -> str:
        where = (namespace, pod, "log")

        def answer() -> str:
            self.server.read(PODS, pod, namespace)
            text = self.server.logs.get((namespace, pod, container, tail.previous))
            if text is None:
                run = "previous terminated container" if tail.previous else "container"
                raise Invalid(
                    method="read",
                    object=f"log of Pod {namespace}/{pod}",
                    status=400,
                    reason="BadRequest",
                    message=f'{run} "{container}" in pod "{pod}" not found',
                )
            return "".join(text.splitlines(keepends=True)[-tail.lines :])[: tail.bytes]

        return await self.read("read", PODS, where, answer)

    @override
    async def version(self) -> Json:
        return await self.read("get", VERSION, ("", "", ""), lambda: {"gitVersion": "v1.36.3"})


async def _rung(bell: asyncio.Event, end: float) -> bool:
    try:
        async with asyncio.timeout_at(end):
            await bell.wait()
    except TimeoutError:
        return False
    return True
