"""The fake API server over HTTP, for clients that speak it themselves: kopf.

Discovery, lists, watches and single objects of one client of the fake, with that client's faults;
`down` answers everything with 503. Conformance of what stands behind it: test_kube_conformance.py.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager

from aiohttp import web
from tests.fakes.kube import FakeApi

from escadre.clients.kube import NAMESPACES, ApiError, Json, Page, Resource, Selection

__all__ = ["HttpServer"]

_EXPIRING = (1, 4, 9)  # of all pages that go on


class HttpServer:
    """See the module.

    ``asked`` counts requests, ``fetched`` those of single objects, ``open`` the watches of each
    plural.
    """

    def __init__(self, api: FakeApi, resources: tuple[Resource, ...]) -> None:
        self.down = False
        self.asked = 0
        self.fetched = 0
        self.open: dict[str, int] = {}
        self.begun = self.most_open = 0
        self.before_page: Callable[[], None] | None = None  # called before pages that go on
        self._pages = 0
        self._ends_with = 0
        self._api = api
        self._resources = {(one.group, one.version, one.plural): one for one in resources}

    def fail_watches(self, code: int) -> None:
        """End every open watch with an ERROR of that code."""
        self._ends_with = code
        self.cut()

    def cut(self) -> None:
        """End every open watch."""
        self._api.cut_watches()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its URL, on loopback, while the block runs."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=0, handler_cancellation=True
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}"
        finally:
            self.cut()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.down:
            return web.json_response({"kind": "Status", "code": 503}, status=503)
        parts = request.path.strip("/").split("/")
        try:
            if len(parts) < 4:
                return web.json_response(self._discovery(parts))
            return await self._of_kind(request, parts)
        except ApiError as error:
            status = {"kind": "Status", "code": error.status, "reason": error.reason}
            return web.json_response(status, status=error.status or 500)

    def _discovery(self, parts: list[str]) -> Json:
        if parts[0] == "api":
            # kopf begins nothing before it knows of namespaces.
            return {"versions": ["v1"], "resources": [_resource(NAMESPACES)]}
        if len(parts) == 1:
            groups = sorted({(group, version) for group, version, _ in self._resources})
            return {"groups": [_group(*one) for one in groups]}
        found = [one for key, one in self._resources.items() if list(key[:2]) == parts[1:]]
        return {"resources": [_resource(one) for one in found]}

    async def _of_kind(self, request: web.Request, parts: list[str]) -> web.StreamResponse:
        namespace = parts[4] if parts[3] == "namespaces" and len(parts) > 5 else None
        plural, *name = parts[5:] if namespace else parts[3:]
        resource = self._resources[parts[1], parts[2], plural]
        if name:
            found = await self._api.get(resource, name[0], namespace=namespace)
            return web.json_response(found)
        if request.query.get("watch") == "true":
            return await self._watch(request, resource)
        return web.json_response(_list(resource, await self._page(request, resource, namespace)))

    async def _page(self, request: web.Request, resource: Resource, namespace: str | None) -> Page:
        limit = int(request.query.get("limit", "500"))
        token = request.query.get("continue", "")
        if token and self.before_page and request.query["limit"] != "1":
            self._pages += 1
            if self._pages in _EXPIRING:
                self.before_page()
        if "PartialObjectMetadataList" in request.headers.get("Accept", ""):
            return await self._api.list_names(resource, limit=limit, continue_token=token)
        fields = request.query.get("fieldSelector")
        self.fetched += fields is not None
        selection = Selection(namespace, fields=fields)
        return await self._api.list_page(resource, selection, limit=limit, continue_token=token)

    async def _watch(self, request: web.Request, resource: Resource) -> web.StreamResponse:
        self._ends_with = 0
        response = web.StreamResponse()
        await response.prepare(request)
        self.begun += 1
        self.open[resource.plural] = self.open.get(resource.plural, 0) + 1
        self.most_open = max(self.most_open, *self.open.values())
        stream = self._api.watch(resource, resource_version=request.query["resourceVersion"])
        try:
            async with aclosing(stream):
                async for event in stream:
                    await _line(response, {"type": event.type, "object": event.object})
            if self._ends_with:
                status = {"kind": "Status", "code": self._ends_with, "reason": "InternalError"}
                await _line(response, {"type": "ERROR", "object": status})
        except ApiError as error:
            status = {"kind": "Status", "code": error.status, "reason": error.reason}
            await _line(response, {"type": "ERROR", "object": status})
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client has left
        finally:
            self.open[resource.plural] -= 1
        return response


async def _line(response: web.StreamResponse, event: Mapping[str, object]) -> None:
    await response.write(json.dumps(event).encode() + b"\n")


def _list(resource: Resource, page: Page) -> Json:
    meta = {
        "resourceVersion": page.resource_version,
        "continue": page.continue_token,
        "remainingItemCount": page.remaining,
    }
    return {
        "apiVersion": resource.api_version,
        "kind": f"{resource.kind}List",
        "metadata": meta,
        "items": page.items,
    }


def _group(group: str, version: str) -> Json:
    one = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [one], "preferredVersion": one}


def _resource(one: Resource) -> Json:
    return {
        "name": one.plural,
        "singularName": one.kind.lower(),
        "kind": one.kind,
        "namespaced": one.namespaced,
        "verbs": ["get", "list", "watch", "patch"],
    }
