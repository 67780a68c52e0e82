"""The load generator counts what was lost, whatever the status says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from e2e.engine.load.__main__ import main
from e2e.engine.load.request import Ask
from e2e.engine.load.run import Load, run_load
from e2e.engine.standin.engine import Speed
from e2e.engine.standin.process import standin
from tests.engine.serving import serving, until


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
@pytest.mark.parametrize("keep_alive", [False, True], ids=["one-per-request", "kept-alive"])
async def test_a_healthy_engine_loses_nothing(model: Path, stream: bool, keep_alive: bool) -> None:
    async with serving(model, "--max-num-seqs", "4") as engine:
        ask = Ask(url=engine.url, model="assistant", max_tokens=5, stream=stream)
        summary = await run_load(Load(ask, clients=6, requests=40, keep_alive=keep_alive))
    assert (summary.sent, summary.answered, summary.lost) == (40, 40, 0)
    assert summary.tokens == 200
    assert summary.connections == ("kept alive" if keep_alive else "one per request")
    assert summary.latency_p99 is not None
    assert (summary.first_token_p50 is not None) == stream


@asynccontextmanager
async def _answering(answer: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """A server that answers every chat request with ``answer``."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _whole(reason: str | None, tokens: int) -> Callable[[web.Request], Any]:
    async def answer(_: web.Request) -> web.Response:
        choice = {"index": 0, "finish_reason": reason}
        return web.json_response(
            {"choices": [choice], "usage": {"completion_tokens": tokens, "prompt_tokens": 1}}
        )

    return answer


def _stream(*events: dict[str, Any], done: bool = True) -> Callable[[web.Request], Any]:
    async def answer(_: web.Request) -> web.Response:
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        return web.Response(text="".join(lines) + ("data: [DONE]\n\n" if done else ""))

    return answer


def _chunk(reason: str | None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": reason}]}


_USAGE = {"choices": [], "usage": {"completion_tokens": 8, "prompt_tokens": 1}}


@pytest.mark.parametrize(
    ("stream", "answer", "lost"),
    [
        (False, _whole("abort", 8), "finish_reason abort"),
        (False, _whole(None, 8), "finish_reason None"),
        (False, _whole("length", 7), "finish_reason length with 7 of 8 tokens"),
        (True, _stream(_chunk(None)), "finish_reason None"),
        (True, _stream(_chunk("length"), done=False), "stream without [DONE]"),
        (True, _stream(_chunk("length")), "no usage"),
        (True, _stream({"error": {"message": "dead"}}), "error in the stream: dead"),
        (True, _stream(_chunk("length"), _USAGE), None),
        (False, _whole("length", 8), None),
    ],
)
async def test_status_200_is_not_enough(
    stream: bool, answer: Callable[[web.Request], Any], lost: str | None
) -> None:
    async with _answering(answer) as url:
        ask = Ask(url=url, model="m", max_tokens=8, stream=stream)
        summary = await run_load(Load(ask, clients=1, requests=1))
    assert summary.lost_by_reason == ({} if lost is None else {lost: 1})


async def test_refusals_silence_and_dead_servers_are_lost_too(model: Path) -> None:
    async with serving(model) as engine:
        engine.server.draining = True
        ask = Ask(url=engine.url, model="assistant")
        refused = await run_load(Load(ask, clients=2, requests=4))
    dead = await run_load(Load(ask, clients=1, requests=2))

    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with _answering(silent) as url:
        ask = Ask(url=url, model="m", seconds=0.1)
        unanswered = await run_load(Load(ask, clients=1, requests=1))
    assert refused.lost_by_reason == {"status 500": 4}
    assert dead.lost_by_reason == {"ClientConnectorError": 2}
    assert unanswered.lost_by_reason == {"no answer within 0.1 s": 1}


async def test_a_rate_goes_on_while_answers_are_slow(model: Path) -> None:
    speed = Speed(tokens_per_second=1000)
    async with serving(model, "--max-num-seqs", "1", speed=speed) as engine:
        stop = asyncio.Event()
        ask = Ask(url=engine.url, model="assistant", max_tokens=50)
        load = asyncio.create_task(run_load(Load(ask, rate=200.0), stop))

        async def queued() -> bool:
            return engine.engine.in_flight >= 5

        await until(queued)
        stop.set()
        summary = await load
    assert summary.sent >= 5
    assert (summary.answered, summary.lost) == (summary.sent, 0)


def test_the_command_line_prints_json_and_fails_on_losses(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with standin(model, "--served-model-name", "assistant") as engine:
        flags = ["--url", engine.url, "--requests", "3", "--clients", "1", "--stream"]
        good = main([*flags, "--model", "assistant"])
        summary = json.loads(capsys.readouterr().out)
        bad = main([*flags, "--model", "nope"])
        losses = json.loads(capsys.readouterr().out)
    assert (good, summary["answered"], summary["tokens"]) == (0, 3, 96)
    assert (bad, losses["lost_by_reason"]) == (1, {"status 404": 3})
