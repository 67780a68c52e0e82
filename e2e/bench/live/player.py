"""Sends the requests of a trace when they are due, each on a connection of its own.

Called by ``live.py``, inside the loop of one thread.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import aiohttp

from e2e.bench.live.trace import prompt_of
from e2e.engine.load.request import Ask, Verdict, send
from escadre.core.simulation.replica import Request

__all__ = ["play"]

_PATIENCE: Final = 900.0


async def play(
    requests: Sequence[Request], url: str, model: str, connect: Callable[[], aiohttp.TCPConnector]
) -> list[Verdict]:
    """What became of each, in the trace's order; returns when all have ended.

    ``connect`` makes the connector, which belongs to the loop that it is made in.
    """
    loop = asyncio.get_running_loop()
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connect(), timeout=timeout) as session:
        began = loop.time()

        async def one(number: int, request: Request) -> Verdict:
            await asyncio.sleep(max(0.0, began + request.at - loop.time()))
            ask = Ask(
                url,
                model,
                max_tokens=request.answer,
                prompt=prompt_of(number, request.prompt),
                stream=True,
                seconds=_PATIENCE,
            )
            return await send(session, ask, number)

        return await asyncio.gather(*(one(*each) for each in enumerate(requests)))
