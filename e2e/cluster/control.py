"""Control sockets: one JSON object per line over a Unix socket, one answer for each.

The supervisor and the runner serve one each; ``Cluster`` and the tests call them. An answer is
``{"ok": true, …}`` or ``{"ok": false, "error": "…"}``.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

__all__ = ["ControlError", "Handler", "call", "serve"]

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class ControlError(RuntimeError):
    """The other side refused, or did not answer."""


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
    return await asyncio.start_unix_server(connected, path)


def call(path: Path, request: dict[str, Any], timeout: float = 60.0) -> dict[str, Any]:
    """Send one request and return its answer; raises ``ControlError`` when it is refused."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except OSError as error:
            raise ControlError(f"calling {path} with {request}: {error}") from error
    answer: dict[str, Any] = json.loads(line) if line else {"error": "no answer"}
    if not answer.get("ok"):
        raise ControlError(f"calling {path} with {request}: {answer.get('error')}")
    return answer
