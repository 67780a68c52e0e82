"""Sends one chat request and judges its answer strictly.

Status 200 and ``[DONE]`` prove nothing: vLLM ends an aborted stream with both. A request counts
as answered only with a finish_reason of its own and all the tokens that it asked for. Called by
``run.py``; it keeps no state.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

__all__ = ["Ask", "Verdict", "send"]

_LINE_END: Final = b"\n"


@dataclass(frozen=True, slots=True)
class Ask:
    """What every request of a load asks for."""

    url: str  # without /v1
    model: str
    max_tokens: int = 32
    prompt_words: int = 16
    stream: bool = False
    seconds: float = 300.0  # the client's patience
    prompt: str = ""  # instead of words

    def body(self, number: int) -> dict[str, Any]:
        """The request; each number has another prompt, so no prefix cache helps."""
        words = " ".join(f"word{number + index}" for index in range(self.prompt_words))
        text = self.prompt or f"{number} {words}"
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": self.max_tokens,
            "ignore_eos": True,
            "stream": self.stream,
        }
        if self.stream:
            body["stream_options"] = {"include_usage": True}
        return body


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one request ended; ``lost`` says why it does not count as answered."""

    seconds: float
    tokens: int = 0
    first_token_seconds: float | None = None
    lost: str | None = None


@dataclass(slots=True)
class _Answer:
    """What an answer said of itself."""

    finish_reason: str | None = None
    tokens: int | None = None
    done: bool = False
    error: str | None = None
    first: float | None = None


async def send(session: aiohttp.ClientSession, ask: Ask, number: int) -> Verdict:
    """Send request ``number`` and wait for its whole answer."""
    clock = asyncio.get_running_loop().time
    began = clock()
    answer = _Answer()
    try:
        async with asyncio.timeout(ask.seconds):
            address = f"{ask.url.rstrip('/')}/v1/chat/completions"
            async with session.post(address, json=ask.body(number)) as response:
                if response.status != 200:
                    return Verdict(clock() - began, lost=f"status {response.status}")
                if ask.stream:
                    await _read_stream(response, answer, clock)
                else:
                    _read_body(await response.json(content_type=None), answer)
    except TimeoutError:
        return Verdict(clock() - began, lost=f"no answer within {ask.seconds:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Verdict(clock() - began, answer.tokens or 0, lost=type(error).__name__)
    first = None if answer.first is None else answer.first - began
    return Verdict(clock() - began, answer.tokens or 0, first, _why_lost(ask, answer))


def _why_lost(ask: Ask, answer: _Answer) -> str | None:
    if answer.error is not None:
        return f"error in the stream: {answer.error}"
    if ask.stream and not answer.done:
        return "stream without [DONE]"
    if answer.finish_reason not in ("stop", "length"):
        return f"finish_reason {answer.finish_reason}"
    if answer.tokens is None:
        return "no usage"
    if answer.finish_reason == "length" and answer.tokens != ask.max_tokens:
        return f"finish_reason length with {answer.tokens} of {ask.max_tokens} tokens"
    return None


async def _read_stream(response: aiohttp.ClientResponse, answer: _Answer, clock: Any) -> None:
    async for raw in response.content:
        line = raw.rstrip(_LINE_END)
        if not line.startswith(b"data: "):
            continue
        if line == b"data: [DONE]":
            answer.done = True
            return
        event = json.loads(line[6:])
        if "error" in event:
            answer.error = str(event["error"].get("message"))
            continue
        if answer.first is None and _has_text(event):
            answer.first = clock()
        _read_body(event, answer)


def _has_text(event: dict[str, Any]) -> bool:
    return any(choice.get("delta", {}).get("content") for choice in event["choices"])


def _read_body(event: dict[str, Any], answer: _Answer) -> None:
    for choice in event.get("choices", ()):
        answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
    usage = event.get("usage")
    if usage:
        answer.tokens = int(usage["completion_tokens"])
