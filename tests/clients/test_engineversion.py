"""What an engine says of itself, from a real HTTP server; little of it is read or believed."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from escadre.clients.engineversion import MAX_ANSWER_BYTES, asking

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Engine:
    """An HTTP server that answers /version with ``handler``."""

    port = 0
    handler: Handler
    asked = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        return await self.handler(request)


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    one = Engine()
    app = web.Application()
    app.router.add_get("/version", one.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.port = runner.addresses[0][1]
    yield one
    await runner.cleanup()


def answering(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=headers)

    return handler


async def asked(engine: Engine, seconds: float = 5.0) -> str | None:
    async with asking(seconds) as ask:
        return await ask("127.0.0.1", engine.port)


@pytest.mark.parametrize("version", ["0.32.0", "0.33.1rc2.dev4+gabc", "v0.32"])
async def test_the_version_is_read(engine: Engine, version: str) -> None:
    engine.handler = answering(f'{{"version":"{version}"}}'.encode())
    assert await asked(engine) == version


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"0.32.0", id="no JSON object"),
        pytest.param(b'["0.32.0"]', id="a list"),
        pytest.param(b'{"version":0.32}', id="a number"),
        pytest.param(b'{"version":"latest"}', id="no version"),
        pytest.param(b'{"version":"0.32\\n- ready"}', id="two lines"),
        pytest.param(b'{"version":"0.32.' + b"1" * 41 + b'"}', id="a long one"),
        pytest.param(b"[" * MAX_ANSWER_BYTES, id="nested deeply"),
        pytest.param(b'{"version":"0.32.0"}' + b" " * MAX_ANSWER_BYTES, id="too much"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
async def test_what_is_no_version_is_none(engine: Engine, body: bytes) -> None:
    engine.handler = answering(body)
    assert await asked(engine) == ""


async def test_what_is_packed_is_not_unpacked(engine: Engine) -> None:
    packed = gzip.compress(b" " * 10_000_000)
    engine.handler = answering(packed, headers={"Content-Encoding": "gzip"})
    assert await asked(engine) == ""


@pytest.mark.parametrize(
    ("status", "said"), [(404, ""), (401, ""), (307, ""), (500, None), (503, None)]
)
async def test_only_who_may_answer_later_is_asked_again(
    engine: Engine, status: int, said: str | None
) -> None:
    engine.handler = answering(b'{"version":"0.32.0"}', status, {"Location": "/elsewhere"})
    assert await asked(engine) == said
    assert engine.asked == 1


async def test_who_is_not_there_is_asked_again() -> None:
    async with asking(5.0) as ask:
        assert await ask("127.0.0.1", 1) is None


async def test_who_never_ends_is_not_waited_for(engine: Engine) -> None:
    released = asyncio.Event()

    async def handler(_: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    engine.handler = handler
    assert await asked(engine, 0.05) is None
    released.set()
