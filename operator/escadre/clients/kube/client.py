"""`KubeApi`: the `Api` over HTTP.

Builds URLs and bodies, waits for the rate limiter, and honours a Retry-After once within the
caller's deadline. Used by operator, agent and CLI, each with one instance for its whole life.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from typing_extensions import override

from escadre.clients.kube.api import (
    EVERYTHING,
    UNGUARDED,
    USUAL_TAIL,
    Api,
    Guard,
    Json,
    Page,
    Selection,
    Tail,
    WatchEvent,
)
from escadre.clients.kube.calls import (
    APPLY,
    JSON,
    JSON_PATCH,
    MERGE_PATCH,
    NAMES,
    Place,
    call_of,
    creation,
    page_of,
    selecting,
    with_body,
)
from escadre.clients.kube.connection import Connection
from escadre.clients.kube.errors import Conflict, ServerUnavailable, TooManyRequests
from escadre.clients.kube.limiter import TokenBucket
from escadre.clients.kube.resources import PODS, Resource
from escadre.clients.kube.transport import Call, RequestHook, Transport
from escadre.clients.kube.watching import watch_events
from escadre.names import FIELD_MANAGER

__all__ = ["KubeApi", "Limits"]

# Server-side apply to a version that no object has: only a creation can succeed.
_NEVER_A_VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask of the API server, and how long it waits.

    ``qps`` 0 switches the rate limiter off. ``exchange_seconds`` bounds one exchange,
    ``call_seconds`` a whole call whose caller names no deadline.
    """

    connections: int = 32
    qps: float = 100.0
    burst: int = 200
    exchange_seconds: float = 15.0
    call_seconds: float = 30.0


_USUAL: Final = Limits()


class KubeApi(Api):
    """One API server, with a limit on connections and on requests per second."""

    def __init__(
        self,
        connection: Connection,
        *,
        component: str = "operator",
        limits: Limits = _USUAL,
        on_request: RequestHook | None = None,
    ) -> None:
        self._transport = Transport(
            connection,
            component=component,
            connections=limits.connections,
            on_request=on_request,
        )
        self._bucket = TokenBucket(limits.qps, limits.burst, time.monotonic)
        self._limits = limits

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
        return await self._send(call_of("get", "GET", Place(resource, namespace, name)), within)

    @override
    async def list_page(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        limit: int = 500,
        continue_token: str = "",
    ) -> Page:
        query = selecting(selection)
        query["limit"] = str(limit)
        if continue_token:
            query["continue"] = continue_token
        call = call_of("list", "GET", Place(resource, selection.namespace), query)
        page = page_of(await self._send(replace(call, large=limit > 1)))
        for item in page.items:  # lists of built-in kinds leave these out
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return page

    @override
    async def list_names(
        self, resource: Resource, *, limit: int = 500, continue_token: str = ""
    ) -> Page:
        query = {"limit": str(limit)}
        if continue_token:
            query["continue"] = continue_token
        call = call_of("list", "GET", Place(resource, None), query)
        return page_of(await self._send(replace(call, headers={"Accept": NAMES}, large=True)))

    @override
    async def watch(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_seconds: int = 300,
    ) -> AsyncGenerator[WatchEvent, None]:
        query = selecting(selection)
        query |= {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        call = call_of("watch", "GET", Place(resource, selection.namespace), query)
        # The server ends the stream itself; the margin is for one that does not.
        async with self._transport.stream(
            call, timeout_seconds + self._limits.call_seconds
        ) as body:
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
    ) -> Json:
        meta = body["metadata"]
        if create_only:
            body = {**body, "metadata": {**meta, "resourceVersion": _NEVER_A_VERSION}}
        query = {"fieldManager": field_manager, "force": "true" if force else "false"}
        place = Place(resource, meta.get("namespace"), meta["name"], subresource)
        call = with_body(call_of("apply", "PATCH", place, query), body, APPLY)
        try:
            return await self._send(call)
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
    async def create(
        self, resource: Resource, body: Json, *, within: float | None = None, dry_run: bool = False
    ) -> Json:
        return await self._send(creation(resource, body, dry_run=dry_run), within)

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
        content = MERGE_PATCH if isinstance(patch, dict) else JSON_PATCH
        call = call_of("patch", "PATCH", Place(resource, namespace, name, subresource))
        return await self._send(with_body(call, patch, content))

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
        guards = {"uid": guard.uid, "resourceVersion": guard.resource_version}
        options: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if preconditions := {key: value for key, value in guards.items() if value is not None}:
            options["preconditions"] = preconditions
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        call = call_of("delete", "DELETE", Place(resource, namespace, name))
        answer = await self._send(with_body(call, options, JSON))
        # Of what is gone it is a Status, or the object as it was.
        return answer if "deletionTimestamp" in (answer.get("metadata") or {}) else None

    @override
    async def log(
        self, pod: str, container: str, *, namespace: str, tail: Tail = USUAL_TAIL
    ) -> str:
        query = {
            "container": container,
            "tailLines": str(tail.lines),
            "limitBytes": str(tail.bytes),
            "previous": "true" if tail.previous else "false",
        }
        call = call_of("read", "GET", Place(PODS, namespace, pod, "log"), query)
        if not await self._bucket.wait(self._limits.call_seconds):
            raise _no_turn(call, self._limits.call_seconds)
        return await self._transport.text(call, self._limits.exchange_seconds)

    @override
    async def version(self) -> Json:
        return await self._send(
            Call("get", "Version", "the version of the server", "GET", "/version")
        )

    async def _send(self, call: Call, within: float | None = None) -> Json:
        """One call within its deadline; a Retry-After that fits is honoured once."""
        end = time.monotonic() + (self._limits.call_seconds if within is None else within)
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
            raise _no_turn(call, left)
        left = max(end - time.monotonic(), 0.001)
        return await self._transport.send(call, min(left, self._limits.exchange_seconds))


def _no_turn(call: Call, left: float) -> TooManyRequests:
    return TooManyRequests(
        method=call.verb,
        object=call.object,
        reason="ClientRateLimit",
        message=f"no turn within the {left:.1f} s left of the deadline",
        retry_after=max(left, 1.0),
    )
