"""Scraping an engine, against a real HTTP server."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, exposition

from escadre.clients.engine import (
    IN_FLIGHT,
    MAX_BODY_BYTES,
    Scrape,
    ScrapeFailure,
    Target,
    scrape,
    scraping,
)
from escadre.clients.enginemetrics import scan
from escadre.core.scaling.demand import Demand

BODY = (Path(__file__).parent / "data" / "vllm-0.32-metrics-loaded.txt").read_bytes()
RUNNING = "vllm:num_requests_running"


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Engine:
    """An HTTP server on loopback whose /metrics is ``handler``."""

    def __init__(self) -> None:
        self.port = 0
        self.handler: Handler | None = None
        self.closing: list[str] = []
        self.peers: list[int] = []  # the reader's port, one for each request

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.closing.append(request.headers.get("Connection", ""))
        assert request.transport is not None
        self.peers.append(request.transport.get_extra_info("peername")[1])
        assert self.handler is not None
        return await self.handler(request)


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    one = Engine()
    app = web.Application()
    app.router.add_get("/metrics", one.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.port = runner.addresses[0][1]
    yield one
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


async def scraped(
    session: aiohttp.ClientSession, engine: Engine, seconds: float = 5.0
) -> Demand | ScrapeFailure:
    return await scrape(session, Target("127.0.0.1", engine.port, "uid-1"), seconds)


def cause(result: Demand | ScrapeFailure) -> str:
    assert isinstance(result, ScrapeFailure)
    assert "127.0.0.1" in result.message
    return result.cause


async def real_body(_: web.Request) -> web.Response:
    return web.Response(body=BODY)


@pytest.fixture
async def reader(engine: Engine) -> AsyncIterator[Scrape]:
    """As the operator reads; the engine answers as a real one did."""
    engine.handler = real_body
    async with scraping(5.0) as one:
        yield one


async def test_one_connection_is_kept_for_all_readings_of_a_pod(
    reader: Scrape, engine: Engine
) -> None:
    target = Target("127.0.0.1", engine.port, "uid-1")
    for _ in range(3):
        assert await reader(target) == scan(BODY)
    assert engine.closing == ["", "", ""]
    assert len(set(engine.peers)) == 1


@pytest.mark.parametrize(
    ("told", "taken"),
    [(None, None), ("0", 0), ("24", 24), ("-1", None), ("many", None), ("9" * 40, None)],
)
async def test_what_was_let_in_is_told_beside_the_metrics(
    session: aiohttp.ClientSession, engine: Engine, told: str | None, taken: int | None
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=BODY, headers={IN_FLIGHT: told} if told is not None else {})

    engine.handler = handler
    assert await scraped(session, engine) == replace(scan(BODY), taken=taken)


async def test_none_is_kept_of_a_pod_that_leaves(reader: Scrape, engine: Engine) -> None:
    target = Target("127.0.0.1", engine.port, "uid-1", leaving=True)
    for _ in range(2):
        assert await reader(target) == scan(BODY)
    assert engine.closing == ["close", "close"]
    assert len(set(engine.peers)) == 2


async def test_what_was_kept_for_a_pod_is_not_used_for_the_next_at_its_address(
    reader: Scrape, engine: Engine
) -> None:
    for uid in ("uid-1", "uid-2"):
        assert await reader(Target("127.0.0.1", engine.port, uid)) == scan(BODY)
    assert len(set(engine.peers)) == 2


async def test_a_kept_connection_that_the_engine_closed_is_replaced(
    reader: Scrape, engine: Engine
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await real_body(request)
        await response.prepare(request)
        await response.write_eof()
        assert request.transport is not None
        request.transport.close()  # and no header has said so
        return response

    engine.handler = handler
    for _ in range(3):
        target = Target("127.0.0.1", engine.port, "uid-1")
        assert await reader(target) == scan(BODY)
    assert len(set(engine.peers)) == 3


async def test_a_scrape_asks_for_the_format_that_keeps_the_names(
    session: aiohttp.ClientSession, engine: Engine
) -> None:
    """Whatever the session asks for elsewhere: OpenMetrics has no ``vllm:`` in front."""
    registry = CollectorRegistry()
    Gauge("vllm:num_requests_running", "x", registry=registry).set(3)
    Gauge("vllm:num_requests_waiting", "x", registry=registry).set(4)

    async def handler(request: web.Request) -> web.Response:
        encode, kind = exposition.choose_encoder(request.headers["Accept"])
        return web.Response(body=encode(registry), headers={"Content-Type": kind})

    engine.handler = handler
    session.headers["Accept"] = "application/openmetrics-text;version=1.0.0"
    assert await scraped(session, engine) == Demand(3, 4)


async def test_a_status_is_a_failure(session: aiohttp.ClientSession, engine: Engine) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=503)

    engine.handler = handler
    result = await scraped(session, engine)
    assert cause(result) == "Status"
    assert isinstance(result, ScrapeFailure)
    assert "HTTP 503" in result.message


async def test_a_redirect_is_not_followed(session: aiohttp.ClientSession, engine: Engine) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://elsewhere.example/"})

    engine.handler = handler
    assert cause(await scraped(session, engine)) == "Status"


async def test_a_slow_engine_times_out(session: aiohttp.ClientSession, engine: Engine) -> None:
    asked = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    engine.handler = handler
    assert cause(await scraped(session, engine, 0.2)) == "Timeout"
    assert asked.is_set()


async def test_an_engine_that_answers_while_our_loop_stands_is_read(
    session: aiohttp.ClientSession, engine: Engine
) -> None:
    """As when a plan of a large fleet is computed meanwhile: the time-out comes late."""
    stood = False

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal stood
        end = time.monotonic() + (0.0 if stood else 1.0)
        stood = True
        while time.monotonic() < end:
            pass
        return await real_body(request)

    engine.handler = handler
    assert isinstance(await scraped(session, engine, 0.2), Demand)
    assert len(engine.peers) == 2


async def test_an_endless_body_is_given_up(session: aiohttp.ClientSession, engine: Engine) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            await response.write(b"#" * 65536)
        return response

    engine.handler = handler
    assert cause(await scraped(session, engine)) == "TooLarge"


async def test_a_body_cut_off_is_a_failure(session: aiohttp.ClientSession, engine: Engine) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(f"{RUNNING} 1\n".encode())
        assert request.transport is not None
        request.transport.close()
        return response

    engine.handler = handler
    assert cause(await scraped(session, engine)) == "Unreachable"


async def test_nobody_listens(session: aiohttp.ClientSession, engine: Engine) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    engine.port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert cause(await scraped(session, engine)) == "Unreachable"
