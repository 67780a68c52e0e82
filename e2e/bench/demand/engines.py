"""Engines that only answer /metrics, with a body recorded from vLLM: ``engines.py`` as a program.

A process of its own, so that what it costs to answer is not counted with what it costs to ask.
Prints its port. The requests that run change with every answer, so that no reading is the same.
"""

import asyncio
import sys
from importlib.resources import files
from typing import Final

from typing_extensions import override

__all__ = ["main"]

_RECORDED: Final = "vllm-0.32-metrics.txt"
_RUNNING: Final = b'vllm:num_requests_running{engine="0",model_name="assistant"} %d.0\n'
_MOST: Final = 8


def _answers() -> list[bytes]:
    body = (files("e2e.engine.standin") / _RECORDED).read_bytes()
    assert body.count(_RUNNING % 0) == 1, _RECORDED
    bodies = [body.replace(_RUNNING % 0, _RUNNING % number) for number in range(1, _MOST)]
    head = b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: text/plain; version=0.0.4\r\n"
    return [head + b"content-length: %d\r\n\r\n" % len(one) + one for one in bodies]


class _Engine(asyncio.Protocol):
    """One kept connection."""

    answers: list[bytes]

    def __init__(self) -> None:
        self._asked = 0
        self._transport: asyncio.BaseTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n") and isinstance(self._transport, asyncio.Transport):
            self._asked += 1
            self._transport.write(self.answers[self._asked % len(self.answers)])


async def _serve() -> None:
    _Engine.answers = _answers()
    server = await asyncio.get_running_loop().create_server(_Engine, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Until it is ended."""
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
