"""A connection to an API server that can be cut: bytes through loopback, or nothing at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from escadre.clients.kube import Connection

__all__ = ["Proxy"]

_CHUNK = 1 << 16


class Proxy:
    """See the module; TLS goes through as it is."""

    def __init__(self, host: str, port: int) -> None:
        self.url = ""
        self._target = (host, port)
        self._down = False
        self._open: set[asyncio.Task[None]] = set()

    @staticmethod
    @asynccontextmanager
    async def to(connection: Connection) -> AsyncIterator["Proxy"]:
        """To that connection's server, while the block runs."""
        parts = urlsplit(connection.host)
        proxy = Proxy(parts.hostname or "", parts.port or 443)
        server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        proxy.url = f"{parts.scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            proxy.gap(down=True)
            server.close()
            await asyncio.gather(*proxy._open, return_exceptions=True)

    def gap(self, down: bool) -> None:
        """Nothing comes through, and what is open is cut; or again."""
        self._down = down
        for task in self._open if down else ():
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._through(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, back))
                group.create_task(_pump(there, writer))
        finally:
            writer.transport.abort()
            back.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
