"""Control sockets: one JSON object per line over a Unix socket, one answer for each.

The supervisor and the runner serve one each; ``Cluster`` and the tests call them. An answer is
``{"ok": true, …}`` or ``{"ok": false, "error": "…"}``.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["ControlError", "Handler", "call", "serve"]

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class ControlError(RuntimeError):
    """The other side refused, or did not answer."""


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """A short name of a socket: an address holds 107 bytes, and a path may be longer."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def serve(path: Path, handle: Handler) -> asyncio.Server:
    """Answer requests on ``path`` until the returned server is closed."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                try:
                    answer: dict[str, Any] = {"ok": True, **await handle(json.loads(line))}
                except (ControlError, KeyError, ValueError, OSError) as error:
                    answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # the caller went away: nobody is left to answer
        finally:
            writer.close()

    path.unlink(missing_ok=True)  # noqa: ASYNC240 - one unlink before anything is served
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _address(path) as address:
        listener.bind(address)
    return await asyncio.start_unix_server(connected, sock=listener)


def call(path: Path, request: dict[str, Any], timeout: float = 60.0) -> dict[str, Any]:
    """Send one request and return its answer; raises ``ControlError`` when it is refused."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            with _address(path) as address:
                connection.connect(address)
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except OSError as error:
            raise ControlError(f"calling {path} with {request}: {error}") from error
    answer: dict[str, Any] = json.loads(line) if line else {"error": "no answer"}
    if not answer.get("ok"):
        raise ControlError(f"calling {path} with {request}: {answer.get('error')}")
    return answer
