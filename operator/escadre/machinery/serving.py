"""The small HTTP servers of a process: /healthz, /readyz and /metrics.

Operator and agent start them for as long as they run; what is asked is given by the caller. A check
that finds a problem answers 503 with it in words, as a probe and its reader expect.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry, exposition

__all__ = ["Check", "Endpoint", "serving"]

# What is wrong, "" when nothing is.
Check = Callable[[], str]


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One port and what it answers.

    Args:
        port: to listen on.
        checks: by path, such as /readyz.
        registry: what /metrics shows; None for no such path.
        host: address to listen on; all when None, as the kubelet and Prometheus come from outside.
        note: what is said beside "ok".
    """

    port: int
    checks: Mapping[str, Check] = field(default_factory=dict)
    registry: CollectorRegistry | None = None
    host: str | None = None
    note: Check = _nothing


@asynccontextmanager
async def serving(*endpoints: Endpoint) -> AsyncIterator[None]:
    """Answers on every endpoint until the block ends."""
    async with AsyncExitStack() as stack:
        for endpoint in endpoints:
            runner = web.AppRunner(_application(endpoint), access_log=None, shutdown_timeout=1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, endpoint.host, endpoint.port).start()
        yield


def _application(endpoint: Endpoint) -> web.Application:
    application = web.Application()
    for path, check in endpoint.checks.items():
        application.router.add_get(path, _answer(check, endpoint.note))
    if endpoint.registry is not None:
        application.router.add_get("/metrics", _metrics(endpoint.registry))
    return application


def _answer(check: Check, note: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(_: web.Request) -> web.StreamResponse:
        if problem := check():
            return web.Response(text=f"{problem}\n", status=503)
        said = note()
        return web.Response(text=f"ok: {said}\n" if said else "ok\n")

    return handler


def _metrics(registry: CollectorRegistry) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.StreamResponse:
        encode, kind = exposition.choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": kind})

    return handler
