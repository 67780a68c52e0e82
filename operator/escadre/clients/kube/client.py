"""`KubeApi`: the `Api` over HTTP.

Builds URLs and bodies, waits for the rate limiter, and honours a Retry-After once within the
caller's deadline. Used by operator, agent and CLI, each with one instance for its whole life.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

from typing_extensions import override

from escadre.clients.kube.api import Api, Json, Page, Propagation, WatchEvent
from escadre.clients.kube.connection import Connection
from escadre.clients.kube.errors import Conflict, ServerUnavailable, TooManyRequests
from escadre.clients.kube.limiter import TokenBucket
from escadre.clients.kube.resources import Resource
from escadre.clients.kube.transport import Call, RequestHook, Transport
from escadre.clients.kube.watching import watch_events
from escadre.names import FIELD_MANAGER

__all__ = ["KubeApi"]

_JSON: Final = "application/json"
_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_JSON_PATCH: Final = "application/json-patch+json"
_MERGE_PATCH: Final = "application/merge-patch+json"
# Server-side apply to a version that no object has: only a creation can succeed.
_NEVER_A_VERSION: Final = "1"


class KubeApi(Api):
    """One API server, with a limit on connections and on requests per second.

    ``request_timeout`` bounds one exchange, ``default_timeout`` a whole call whose caller names no
    deadline; ``qps`` 0 switches the rate limiter off.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        component: str = "operator",
        connections: int = 32,
        qps: float = 100.0,
        burst: int = 200,
        request_timeout: float = 15.0,
        default_timeout: float = 30.0,
        on_request: RequestHook | None = None,
    ) -> None:
        self._transport = Transport(
            connection, component=component, connections=connections, on_request=on_request
        )
        self._bucket = TokenBucket(qps, burst, time.monotonic)
        self._request_timeout = request_timeout
        self._default_timeout = default_timeout

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()

    @override
    async def get(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        within: float | None = None,
    ) -> Json:
        return await self._send(_call("get", "GET", resource, namespace, name), within)

    @override
    async def list_page(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int = 500,
        continue_token: str = "",
        within: float | None = None,
    ) -> Page:
        query = _selecting(label_selector, field_selector)
        query["limit"] = str(limit)
        if continue_token:
            query["continue"] = continue_token
        call = _call("list", "GET", resource, namespace, query=query)
        answer = await self._send(call, within)
        meta = answer.get("metadata") or {}
        items = answer.get("items") or []
        for item in items:  # lists of built-in kinds leave these out
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return Page(items, meta.get("resourceVersion", ""), meta.get("continue", ""))

    @override
    async def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int = 300,
    ) -> AsyncGenerator[WatchEvent, None]:
        query = _selecting(label_selector, field_selector)
        query |= {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        call = _call("watch", "GET", resource, namespace, query=query)
        # The server ends the stream itself; the margin is for one that does not.
        async with self._transport.stream(call, timeout_seconds + self._default_timeout) as body:
            async for event in watch_events(call, body):
                yield event

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
        within: float | None = None,
    ) -> Json:
        meta = body["metadata"]
        if create_only:
            body = {**body, "metadata": {**meta, "resourceVersion": _NEVER_A_VERSION}}
        query = {"fieldManager": field_manager, "force": "true" if force else "false"}
        call = _call(
            "apply", "PATCH", resource, meta.get("namespace"), meta["name"], subresource, query
        )
        call = _with_body(call, body, _APPLY)
        try:
            return await self._send(call, within)
        except Conflict as error:
            if not create_only:
                raise
            # The server says "has been modified" of the version that no object has.
            raise Conflict(
                method="apply",
                object=call.object,
                status=error.status,
                reason="AlreadyExists",
                message="an object of this name exists already",
            ) from error

    @override
    async def create(self, resource: Resource, body: Json, *, within: float | None = None) -> Json:
        meta = body.get("metadata") or {}
        call = _call("create", "POST", resource, meta.get("namespace"))
        name = meta.get("name") or meta.get("generateName") or ""
        call = replace(call, object=resource.describe(meta.get("namespace"), name))
        return await self._send(_with_body(call, body, _JSON), within)

    @override
    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json | Sequence[Json],
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        within: float | None = None,
    ) -> Json:
        content = _MERGE_PATCH if isinstance(patch, dict) else _JSON_PATCH
        call = _call("patch", "PATCH", resource, namespace, name, subresource)
        return await self._send(_with_body(call, patch, content), within)

    @override
    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
        grace_seconds: int | None = None,
        within: float | None = None,
    ) -> None:
        guards = {"uid": uid, "resourceVersion": resource_version}
        options: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if preconditions := {key: value for key, value in guards.items() if value is not None}:
            options["preconditions"] = preconditions
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        call = _call("delete", "DELETE", resource, namespace, name)
        await self._send(_with_body(call, options, _JSON), within)

    async def _send(self, call: Call, within: float | None) -> Json:
        """One call within its deadline; a Retry-After that fits is honoured once."""
        end = time.monotonic() + (self._default_timeout if within is None else within)
        try:
            return await self._attempt(call, end)
        except (TooManyRequests, ServerUnavailable) as error:
            pause = error.retry_after
            if pause <= 0 or time.monotonic() + pause >= end or not error.status:
                raise
        await asyncio.sleep(pause)
        return await self._attempt(call, end)

    async def _attempt(self, call: Call, end: float) -> Json:
        left = end - time.monotonic()
        if not await self._bucket.wait(left):
            raise TooManyRequests(
                method=call.verb,
                object=call.object,
                reason="ClientRateLimit",
                message=f"no turn within the {left:.1f} s left of the deadline",
                retry_after=max(left, 1.0),
            )
        left = max(end - time.monotonic(), 0.001)
        return await self._transport.send(call, min(left, self._request_timeout))


def _call(
    verb: str,
    method: str,
    resource: Resource,
    namespace: str | None,
    name: str | None = None,
    subresource: str | None = None,
    query: Mapping[str, str] | None = None,
) -> Call:
    path = resource.path(namespace=namespace, name=name, subresource=subresource)
    described = resource.describe(namespace, name)
    if subresource:
        described = f"{subresource} of {described}"
    target = f"{path}?{urlencode(query)}" if query else path
    return Call(verb, resource.kind, described, method, target)


def _with_body(call: Call, body: Any, content: str) -> Call:
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return replace(call, body=raw, headers={"Content-Type": content})


def _selecting(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    wanted = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in wanted.items() if value}
