"""Asks an engine which version of vLLM it is: its /version. One request in a pod's life.

The answer is a stranger's word: a few bytes of it are read, and what is no version is none.
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import aiohttp

from escadre.clients.bodies import read_bounded
from escadre.clients.urls import origin
from escadre.engineflags import VERSION

__all__ = ["MAX_ANSWER_BYTES", "AskVersion", "asking"]

MAX_ANSWER_BYTES: Final = 4096
_CONNECTIONS: Final = 8
_VERSION: Final = re.compile(VERSION)

# Address and port in; its version, "" when it says none, None when it did not answer.
AskVersion = Callable[[str, int], Awaitable[str | None]]


@asynccontextmanager
async def asking(timeout_seconds: float) -> AsyncIterator[AskVersion]:
    """A function that asks an engine, for as long as the block lasts."""
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS, force_close=True)
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    ) as session:

        async def ask(address: str, port: int) -> str | None:
            url = f"{origin('http', address, port)}/version"
            try:
                async with session.get(url, allow_redirects=False) as response:
                    return await _version(response)
            except (TimeoutError, aiohttp.ClientError, OSError):
                return None

        yield ask


async def _version(response: aiohttp.ClientResponse) -> str | None:
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None  # as while it loads or drains: later, perhaps
    if response.status != HTTPStatus.OK:
        return ""
    body = await read_bounded(response, MAX_ANSWER_BYTES)
    return "" if body is None else _parsed(body)


def _parsed(body: bytes) -> str:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    version = said.get("version") if isinstance(said, dict) else None
    if not isinstance(version, str) or _VERSION.fullmatch(version) is None:
        return ""
    return version
