"""Lines of a watch stream as typed events.

An event may be larger than any buffer and several may share a chunk, so lines are cut here rather
than by the HTTP client. An ERROR event becomes the exception of its code (410: `Gone`).
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import aiohttp
import orjson

from escadre.clients.kube.api import WatchEvent
from escadre.clients.kube.errors import ServerUnavailable, error_from_status
from escadre.clients.kube.transport import Call

__all__ = ["watch_events"]


async def watch_events(call: Call, body: aiohttp.StreamReader) -> AsyncGenerator[WatchEvent, None]:
    """Every event of the stream until the server ends it; raises what an ERROR event means."""
    async for line in _lines(body):
        try:
            event = orjson.loads(line)
            kind, thing = event["type"], event["object"]
        except (ValueError, LookupError, TypeError) as error:
            raise _broken_line(call, line) from error
        if kind in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}:
            yield WatchEvent(kind, thing)
        else:
            raise _as_error(call, thing)


async def _lines(body: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    rest: list[bytes] = []
    async for chunk in body.iter_any():
        first, *more = chunk.split(b"\n")
        rest.append(first)
        if not more:
            continue
        *whole, last = more
        for line in (b"".join(rest), *whole):
            if line:
                yield line
        rest = [last] if last else []


def _as_error(call: Call, status: dict[str, Any]) -> Exception:
    return error_from_status(
        method=call.verb, object=call.object, code=int(status.get("code") or 500), status=status
    )


def _broken_line(call: Call, line: bytes) -> ServerUnavailable:
    return ServerUnavailable(
        method=call.verb,
        object=call.object,
        reason="Unreadable",
        message=f"a line of the stream is not a watch event: {line[:80]!r}",
    )
