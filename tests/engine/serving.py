"""The stand-in in the test's own event loop, with a client for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from e2e.engine.standin.__main__ import build
from e2e.engine.standin.engine import Engine, Speed
from e2e.engine.standin.flags import parse_flags
from e2e.engine.standin.modelfolder import read_folder
from e2e.engine.standin.server import Server
from e2e.engine.standin.startup import plan_capacity

FAST = Speed(tokens_per_second=2000, linger_seconds=0)


@dataclass(frozen=True, slots=True)
class Serving:
    url: str
    engine: Engine
    server: Server
    session: aiohttp.ClientSession

    async def chat(self, **body: Any) -> tuple[int, Any]:
        """Status and JSON of a chat request; ``text`` is the prompt."""
        content = {"model": "assistant", "messages": [{"role": "user", "content": "Bonjour"}]}
        url = f"{self.url}/v1/chat/completions"
        async with self.session.post(url, json=content | body) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(f"{self.url}{path}") as response:
            return response.status, await response.text()

    async def gauge(self, name: str) -> float:
        """Value of one gauge of /metrics."""
        _, body = await self.get("/metrics")
        line = next(line for line in body.splitlines() if line.startswith(f"{name}{{"))
        return float(line.rsplit(" ", 1)[1])


@asynccontextmanager
async def serving(
    model: Path, *flags: str, speed: Speed = FAST, kv_tokens: int | None = None
) -> AsyncIterator[Serving]:
    options = parse_flags([str(model), "--served-model-name", "assistant", "org/Tiny", *flags])
    environment = {} if kv_tokens is None else {"STANDIN_KV_TOKENS": str(kv_tokens)}
    capacity = plan_capacity(options, read_folder(model), environment)
    engine, server = build(options, capacity, speed)
    stepping = asyncio.create_task(engine.run())
    runner = web.AppRunner(
        server.application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Serving(url, engine, server, session)
    finally:
        stepping.cancel()
        await runner.cleanup()


async def until(condition: Any, seconds: float = 60.0) -> None:
    """Wait until the coroutine function ``condition`` says true."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - it looks into another process
            await asyncio.sleep(0.01)
