"""Asking for one token, of a real HTTP server: what counts as computing nothing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from escadre.clients.enginetoken import Token, asking_tokens


class Engine:
    """An HTTP server that answers with ``status``, None for never."""

    port = 0
    status: int | None = 200
    asked: Any = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked = await request.json()
        if self.status is None:
            await asyncio.Event().wait()
        return web.json_response({}, status=self.status or 200)


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    one = Engine()
    app = web.Application()
    app.router.add_post("/v1/completions", one.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.port = runner.addresses[0][1]
    yield one
    await runner.cleanup()


async def asked(engine: Engine, seconds: float = 5.0) -> Token:
    async with asking_tokens(seconds) as ask:
        return await ask("127.0.0.1", engine.port, "chat")


@pytest.mark.parametrize(
    ("status", "came"),
    [
        pytest.param(200, "Yes", id="a token"),
        pytest.param(401, "Unknown", id="a key is wanted"),
        pytest.param(404, "Unknown", id="another name"),
        pytest.param(302, "Unknown", id="elsewhere"),
        pytest.param(500, "No", id="its core is dead"),
    ],
)
async def test_what_a_status_says(engine: Engine, status: int, came: str) -> None:
    engine.status = status
    assert (await asked(engine)).came == came


async def test_no_answer_in_time_is_no_token(engine: Engine) -> None:
    engine.status = None
    assert await asked(engine, 0.2) == Token("No", "gave no token in 0.2 s")


async def test_one_token_of_the_served_model_is_asked_for(engine: Engine) -> None:
    await asked(engine)
    assert (engine.asked["model"], engine.asked["max_tokens"]) == ("chat", 1)


async def test_whom_nobody_reaches_is_not_said_to_hang(engine: Engine) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    engine.port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert (await asked(engine)).came == "Unknown"
