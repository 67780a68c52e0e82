"""Engines that only answer /metrics, as engines at work do (page.py): ``engines.py`` as a program.

A process of its own, so that what it costs to answer is not counted with what it costs to ask.
Prints its port. All engines tell the same at a time, and something else a second later.
"""

import asyncio
import sys
import time
from typing import Final

from typing_extensions import override

from e2e.bench.demand.page import page

__all__ = ["main"]

_SERVED: Final = 3600.0  # seconds so far
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: text/plain; version=0.0.4\r\n"
    b"content-length: %d\r\n\r\n"
)


class _Engine(asyncio.Protocol):
    """One kept connection."""

    def __init__(self) -> None:
        self._transport: asyncio.BaseTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n") and isinstance(self._transport, asyncio.Transport):
            body = page(_SERVED + time.monotonic() - _BEGAN)
            self._transport.write(_HEAD % len(body) + body)


_BEGAN: Final = time.monotonic()


async def _serve() -> None:
    page(_SERVED)
    server = await asyncio.get_running_loop().create_server(_Engine, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Until it is ended."""
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
