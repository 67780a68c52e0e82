"""The agent's small HTTP server: /healthz, /readyz and /metrics.

Ready means: the GPUNode was read, and what the agent knows is written there. The operator believes
only a ready agent.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, exposition

__all__ = ["listening"]


@asynccontextmanager
async def listening(
    port: int, registry: CollectorRegistry, unready: Callable[[], str], host: str | None = None
) -> AsyncIterator[None]:
    """Serve until the block ends.

    Args:
        port: to listen on.
        registry: what /metrics shows.
        unready: why the agent is not ready; empty when it is.
        host: address to listen on; all when None, as the kubelet and Prometheus come from outside.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why = unready()
        return web.Response(text=f"{why or 'ok'}\n", status=503 if why else 200)

    async def metrics(request: web.Request) -> web.Response:
        encode, kind = exposition.choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": kind})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
