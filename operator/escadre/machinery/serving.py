"""Health and metrics over HTTP: /healthz, /readyz and /metrics."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

__all__ = ["serve"]

# What is wrong, "" when nothing is.
Check = Callable[[], str]


async def serve(
    *,
    health_port: int,
    metrics_port: int,
    healthy: Check,
    ready: Check,
    registry: CollectorRegistry,
) -> list[web.AppRunner]:
    """Starts the servers; the caller cleans the returned runners up."""

    def answer(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(_: web.Request) -> web.StreamResponse:
            problem = check()
            return web.Response(status=500 if problem else 200, text=problem or "ok\n")

        return handler

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    probes, numbers = web.Application(), web.Application()
    probes.router.add_get("/healthz", answer(healthy))
    probes.router.add_get("/readyz", answer(ready))
    numbers.router.add_get("/metrics", metrics)
    runners = []
    for application, port in ((probes, health_port), (numbers, metrics_port)):
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - the pod's own address
        runners.append(runner)
    return runners
