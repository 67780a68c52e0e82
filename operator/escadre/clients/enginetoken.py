"""Asks an engine for one token: whether it still computes anything at all.

controller/stuck.py asks one that has work and of which nothing moves; /health and /metrics are
answered by a process in front of the one that computes. The answer's text is not looked at.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal

import aiohttp

from escadre.clients.urls import origin

__all__ = ["AskToken", "Token", "asking_tokens"]

_CONNECTIONS: Final = 4


@dataclass(frozen=True, slots=True)
class Token:
    """What came of it: a token, a fault that says it computes nothing, or neither; in words."""

    came: Literal["Yes", "No", "Unknown"]
    message: str


# Address, port, and the name that the model is served by.
AskToken = Callable[[str, int, str], Awaitable[Token]]


@asynccontextmanager
async def asking_tokens(timeout_seconds: float) -> AsyncIterator[AskToken]:
    """A function that asks an engine, for as long as the block lasts."""
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS, force_close=True)
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def ask(address: str, port: int, model: str) -> Token:
            url = f"{origin('http', address, port)}/v1/completions"
            body = {"model": model, "prompt": "1", "max_tokens": 1, "temperature": 0}
            try:
                async with session.post(url, json=body, allow_redirects=False) as response:
                    return _judged(response.status)
            except TimeoutError:
                return Token("No", f"gave no token in {timeout_seconds:g} s")
            except (aiohttp.ClientError, OSError) as error:
                # Whether the way there is broken or the engine, the kubelet's probes tell sooner.
                return Token("Unknown", f"{error or type(error).__name__}")

        yield ask


def _judged(status: int) -> Token:
    """By the status alone, which comes after the token.

    Who refuses the request (a key is wanted, the model has another name) has not tried it.
    """
    if status == HTTPStatus.OK:
        return Token("Yes", "gave a token")
    words = f"answered a request of one token with HTTP {status}"
    return Token("No" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "Unknown", words)
