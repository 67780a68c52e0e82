"""The metrics scanner against the official parser, and scraping against a real HTTP server."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, exposition
from prometheus_client.parser import text_string_to_metric_families

from escadre.clients.engine import (
    MAX_BODY_BYTES,
    Scrape,
    ScrapeFailure,
    Target,
    scan,
    scrape,
    scraping,
)
from escadre.core.profile import PROFILES, QueueMetrics
from escadre.core.scaling.demand import Demand

DATA = Path(__file__).parent / "data"
BODIES = sorted(DATA.glob("vllm-*-metrics*.txt"))
RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"


def parsed(body: bytes) -> Demand:
    """What the official parser makes of it, under the rules for what is unknown."""
    values: dict[str, list[float]] = {RUNNING: [], WAITING: []}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            if sample.name in values:
                values[sample.name].append(sample.value)
    sums: list[int | None] = []
    for numbers in (values[RUNNING], values[WAITING]):
        known = numbers and all(math.isfinite(one) and 0 <= one < 1 << 53 for one in numbers)
        sums.append(math.ceil(sum(numbers)) if known else None)
    return Demand(sums[0], sums[1])


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_a_recorded_body_reads_as_the_official_parser_reads_it(path: Path) -> None:
    body = path.read_bytes()
    assert scan(body) == parsed(body)
    assert None not in (scan(body).running, scan(body).waiting)


def test_there_are_recorded_bodies() -> None:
    assert BODIES


def test_a_scan_takes_a_small_part_of_a_parse() -> None:
    body = BODIES[0].read_bytes()

    def cost(of: Callable[[bytes], object]) -> float:
        began = time.process_time()
        for _ in range(5):
            of(body)
        return time.process_time() - began

    # The least of several: a busy machine makes a measurement larger, never smaller.
    scans = min(cost(scan) for _ in range(5))
    parses = min(cost(parsed) for _ in range(3))
    assert scans < parses / 20


@pytest.mark.parametrize(
    ("text", "running"),
    [
        pytest.param(f'{RUNNING}{{engine="0"}} 3.0\n', 3, id="one rank"),
        pytest.param(
            f'{RUNNING}{{engine="0",model_name="m"}} 3\n{RUNNING}{{model_name="m",engine="1"}} 4\n',
            7,
            id="ranks are summed, labels in any order",
        ),
        pytest.param(f"{RUNNING} 2\n", 2, id="no labels"),
        pytest.param(f"  {RUNNING}\t{{ }} 2 1700000000000\r\n", 2, id="blanks and a timestamp"),
        pytest.param(f'{RUNNING}{{m="a\\"}} 9\\n{{"}} 1e2\n', 100, id="escapes and exponent"),
        pytest.param(f'other{{m="{RUNNING} 5"}} 1\n', None, id="only in a label's value"),
        pytest.param(f"# HELP {RUNNING} 5\n", None, id="only in a comment"),
        pytest.param(f"{RUNNING}_by_reason 5\n", None, id="only a longer name"),
        pytest.param(f"{RUNNING} NaN\n", None, id="not a number"),
        pytest.param(f"{RUNNING} +Inf\n", None, id="infinite"),
        pytest.param(f"{RUNNING} -1\n", None, id="negative"),
        pytest.param(f"{RUNNING} 1_000\n", None, id="Python's number, not Prometheus'"),
        pytest.param(f"{RUNNING} 3\n{RUNNING}{{a=1}} x\n", None, id="one series unreadable"),
        pytest.param(f"{RUNNING} 1", None, id="cut off: no line feed"),
        pytest.param("", None, id="empty"),
        pytest.param(f"{RUNNING}", None, id="cut off after the name"),
        pytest.param(f"{RUNNING} 0\n", 0, id="zero is a number"),
    ],
)
def test_lines(text: str, running: int | None) -> None:
    assert scan(text.encode()) == Demand(running, None)


def test_metrics_go_by_the_names_of_the_engine_s_version() -> None:
    queue = QueueMetrics(running="engine:running", waiting="engine:queued")
    assert scan(b"engine:running 2\nengine:queued 1\n", queue) == Demand(2, 1)
    assert scan(f"{RUNNING} 2\n{WAITING} 1\n".encode(), queue) == Demand(None, None)
    names = {(profile.queue.running, profile.queue.waiting) for profile in PROFILES}
    assert names == {(RUNNING, WAITING)}  # as the loggers of all these versions have them


LABELS = st.dictionaries(
    st.sampled_from(["engine", "model_name", "reason"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
    | st.sampled_from([f"{RUNNING} 7", 'a"b', "\\", "}", "{", "line\nfeed"]),
)
VALUES = (
    st.integers(0, 5000).map(str)
    | st.integers(0, 5000).map(lambda number: f"{number}.0")
    | st.floats(allow_nan=True, allow_infinity=True).map(repr).map(str.strip)
    | st.sampled_from(["NaN", "+Inf", "-Inf", "1e3", "2.5E+1", "0"])
)
NAMES = st.sampled_from([RUNNING, WAITING, f"{WAITING}_by_reason", "vllm:other", "process_x"])


def line(name: str, labels: dict[str, str], value: str) -> str:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value}\n" if labels else f"{name} {value}\n"


@given(st.lists(st.builds(line, NAMES, LABELS, VALUES), max_size=12))
def test_any_body_reads_as_the_official_parser_reads_it(lines: list[str]) -> None:
    body = "".join(lines).encode()
    assert scan(body) == parsed(body)


@given(st.binary(max_size=200).map(lambda tail: RUNNING.encode() + tail))
def test_no_bytes_raise(body: bytes) -> None:
    scan(body)


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
    return web.Response(body=BODIES[0].read_bytes())


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
        assert await reader(target) == scan(BODIES[0].read_bytes())
    assert engine.closing == ["", "", ""]
    assert len(set(engine.peers)) == 1


async def test_none_is_kept_of_a_pod_that_leaves(reader: Scrape, engine: Engine) -> None:
    target = Target("127.0.0.1", engine.port, "uid-1", leaving=True)
    for _ in range(2):
        assert await reader(target) == scan(BODIES[0].read_bytes())
    assert engine.closing == ["close", "close"]
    assert len(set(engine.peers)) == 2


async def test_what_was_kept_for_a_pod_is_not_used_for_the_next_at_its_address(
    reader: Scrape, engine: Engine
) -> None:
    for uid in ("uid-1", "uid-2"):
        assert await reader(Target("127.0.0.1", engine.port, uid)) == scan(BODIES[0].read_bytes())
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
        assert await reader(target) == scan(BODIES[0].read_bytes())
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
