"""Routes and answers of the stand-in, as vLLM 0.32 was seen to give them."""

import asyncio
import json
from pathlib import Path

import pytest
from e2e.engine.standin.engine import Speed
from tests.engine.serving import serving, until


async def test_a_chat_request_is_answered_with_all_its_tokens(model: Path) -> None:
    async with serving(model) as engine:
        status, answer = await engine.chat(max_tokens=7)
        _, again = await engine.chat(max_tokens=7)
    assert status == 200
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "assistant"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 7
    assert answer["choices"][0]["message"] == again["choices"][0]["message"]
    assert len(answer["choices"][0]["message"]["content"].split()) == 7


async def test_without_a_limit_an_answer_ends_by_itself(model: Path) -> None:
    async with serving(model) as engine:
        _, answer = await engine.chat(model="org/Tiny")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["model"] == "assistant"  # the first served name, whichever was asked for


async def test_a_stream_has_role_tokens_reason_usage_and_done(model: Path) -> None:
    async with serving(model) as engine:
        body = {
            "model": "assistant",
            "messages": [{"role": "user", "content": "Bonjour"}],
            "max_tokens": 3,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async with engine.session.post(f"{engine.url}/v1/chat/completions", json=body) as response:
            assert response.content_type == "text/event-stream"
            lines = (await response.text()).split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert lines[-2:] == ["data: [DONE]", ""]
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    reasons = [event["choices"][0]["finish_reason"] for event in events[1:-1]]
    assert reasons == [None, None, "length"]
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] == 3


async def test_completions_answer_with_and_without_streaming(model: Path) -> None:
    async with serving(model) as engine:
        url = f"{engine.url}/v1/completions"
        body = {"model": "assistant", "prompt": "Bonjour", "max_tokens": 4}
        async with engine.session.post(url, json=body) as response:
            answer = await response.json()
        async with engine.session.post(url, json=body | {"stream": True}) as response:
            stream = await response.text()
    assert answer["object"] == "text_completion"
    assert answer["usage"]["completion_tokens"] == 4
    texts = [
        json.loads(line[6:])["choices"][0]["text"]
        for line in stream.splitlines()
        if line.startswith("data: {")
    ]
    assert "".join(texts) == answer["choices"][0]["text"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"model": "nope"}, 404, "The model `nope` does not exist. Valid aliases: assistant, org/"),
        ({"messages": None}, 400, "1 validation error"),
        ({"max_tokens": 0}, 400, "max_tokens must be at least 1, got 0."),
        (
            {"max_tokens": 99999},
            400,
            "max_tokens=99999 cannot be greater than max_model_len=1024.",
        ),
        (
            {"messages": [{"role": "user", "content": "word " * 2000}]},
            400,
            "This model's maximum context length is 1024 tokens. However, your prompt contains",
        ),
    ],
)
async def test_bad_requests_get_vllms_errors(
    model: Path, body: dict[str, object], status: int, message: str
) -> None:
    async with serving(model, "--max-model-len", "1024") as engine:
        answered, answer = await engine.chat(**body)
    assert answered == status
    assert answer["error"]["code"] == status
    assert message in answer["error"]["message"]


async def test_the_other_routes_answer(model: Path) -> None:
    async with serving(model, "--max-model-len", "4096") as engine:
        assert await engine.get("/health") == (200, "")
        assert json.loads((await engine.get("/version"))[1]) == {"version": "0.32.0"}
        assert json.loads((await engine.get("/load"))[1]) == {"server_load": 0}
        models = json.loads((await engine.get("/v1/models"))[1])
        assert (await engine.get("/nothing"))[0] == 404
        assert (await engine.get("/v1/chat/completions"))[0] == 405
    assert [card["id"] for card in models["data"]] == ["assistant", "org/Tiny"]
    assert {card["max_model_len"] for card in models["data"]} == {4096}


async def test_a_queue_forms_behind_the_slots_and_drains(model: Path) -> None:
    async with serving(model, "--max-num-seqs", "4", speed=Speed(tokens_per_second=100)) as engine:
        requests = [asyncio.create_task(engine.chat(max_tokens=20)) for _ in range(12)]

        async def queued() -> bool:
            return await engine.gauge("vllm:num_requests_waiting") == 8

        await until(queued)
        assert await engine.gauge("vllm:num_requests_running") == 4
        assert await engine.gauge("vllm:kv_cache_usage_perc") > 0
        answers = await asyncio.gather(*requests)
        assert await engine.gauge("vllm:num_requests_running") == 0
        assert await engine.gauge("vllm:num_requests_waiting") == 0
        assert await engine.gauge("vllm:generation_tokens_total") == 240
    assert {answer["usage"]["completion_tokens"] for _, answer in answers} == {20}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
async def test_a_client_that_leaves_frees_its_slot(model: Path, stream: bool) -> None:
    async with serving(model, speed=Speed(tokens_per_second=50)) as engine:
        request = asyncio.create_task(engine.chat(max_tokens=5000, stream=stream))

        async def running() -> bool:
            return engine.engine.in_flight == 1

        async def gone() -> bool:
            return engine.engine.in_flight == 0

        await until(running)
        request.cancel()
        await until(gone)
