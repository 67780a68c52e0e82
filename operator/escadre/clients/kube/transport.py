"""One HTTP exchange with the API server, and its failures as typed errors.

Thin on purpose: a session of aiohttp costs a third of the CPU of ``kubernetes.aio``'s ApiClient per
apply (measured: 0.28 against 0.74 ms). Called by `KubeApi` alone; decides nothing about retries.
"""

import time
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from escadre import __version__
from escadre.clients.kube.connection import Connection
from escadre.clients.kube.errors import (
    NO_API_SERVER,
    ApiError,
    ServerUnavailable,
    Unauthorized,
    error_from_status,
)

__all__ = ["LARGE_KEPT_SECONDS", "Call", "RequestHook", "Transport"]

# verb, kind, HTTP code (or "error"), seconds until the answer was read
RequestHook = Callable[[str, str, str, float], None]

_CONNECT_SECONDS: Final = 10.0
_OTHER_FROM: Final = 300  # the API server redirects nobody
_WATCHES: Final = "watches"
_LARGE: Final = "large"
_SMALL: Final = "small"
_KEPT_SECONDS: Final = 60.0  # an idle connection
# uvloop reads each connection in TLS into 256 KB of its own, and a page of a list fills them. When
# all is listed they are given back.
LARGE_KEPT_SECONDS: Final = 1.0
_READS: Final = frozenset({"get", "list", "read", "watch"})
_NEVER_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: ``verb``, ``kind`` and ``object`` for metrics and errors, the rest for HTTP."""

    verb: str
    kind: str
    object: str
    method: str
    target: str  # path and query, encoded
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    large: bool = False  # whether the answer may have many objects


class Transport:
    """Sessions to one server: requests share ``connections``, those with large answers as many.

    Watches have their own.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        component: str,
        connections: int,
        on_request: RequestHook | None,
    ) -> None:
        self._connection = connection
        self._connections = connections
        self._on_request = on_request
        # Compressing costs both ends more CPU than the bytes cost a network inside a data centre.
        self._headers = {
            "User-Agent": f"escadre/{__version__} ({component})",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def send(self, call: Call, seconds: float) -> dict[str, Any]:
        """Send, read the whole answer within ``seconds``, raise what it means."""
        return _parse(call, await self._read(call, seconds))

    async def text(self, call: Call, seconds: float) -> str:
        """The same for an answer that is no JSON: a log. What is no UTF-8 is shown as such."""
        return (await self._read(call, seconds)).decode(errors="replace")

    async def _read(self, call: Call, seconds: float) -> bytes:
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, _CONNECT_SECONDS))
        async with self._exchange(call, limits) as response:
            return await response.read()

    @asynccontextmanager
    async def stream(self, call: Call, seconds: float) -> AsyncGenerator[aiohttp.StreamReader]:
        """Send and hand out the body as it comes, for ``seconds`` at most."""
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)
        async with self._exchange(call, limits) as response:
            try:
                yield response.content
            finally:
                # Left in the middle: a farewell in TLS could wait for an answer longer than we do.
                transport = response.connection.transport if response.connection else None
                if transport is not None:
                    transport.abort()

    @asynccontextmanager
    async def _exchange(
        self, call: Call, limits: aiohttp.ClientTimeout
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        started = time.monotonic()
        code = "error"
        try:
            response = await self._open(call, limits)
            async with response:
                code = str(response.status)
                if response.status >= _OTHER_FROM:
                    raise _failure(call, response, await response.read())
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            code = "error"
            raise _broken(call, error) from error
        finally:
            if self._on_request is not None:
                self._on_request(call.verb, call.kind, code, time.monotonic() - started)

    async def _open(self, call: Call, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        try:
            authorization = await self._connection.authorization()
            session = self._session(_pool_of(call))
        except OSError as error:
            raise _without_credentials(call, error) from error
        headers = {**self._headers, **call.headers}
        if authorization is not None:
            headers["Authorization"] = authorization
        return await session.request(
            call.method,
            URL(self._connection.host + call.target, encoded=True),
            data=call.body,
            headers=headers,
            timeout=limits,
            allow_redirects=False,
            proxy=self._connection.proxy,
            server_hostname=self._connection.server_name,
        )

    def _session(self, pool: str) -> aiohttp.ClientSession:
        session = self._sessions.get(pool)
        if session is None:
            connector = aiohttp.TCPConnector(
                limit=0 if pool == _WATCHES else self._connections,
                ssl=self._connection.tls or True,
                keepalive_timeout=LARGE_KEPT_SECONDS if pool == _LARGE else _KEPT_SECONDS,
            )
            session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
            self._sessions[pool] = session
        return session


def _pool_of(call: Call) -> str:
    if call.verb == "watch":
        return _WATCHES
    return _LARGE if call.large else _SMALL


def _parse(call: Call, raw: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(raw)
    except ValueError as error:
        raise _unreadable(call, raw) from error
    if not isinstance(answer, dict):
        raise _unreadable(call, raw)
    return answer


def _unreadable(call: Call, raw: bytes) -> ServerUnavailable:
    return ServerUnavailable(
        method=call.verb,
        object=call.object,
        reason="Unreadable",
        message=f"the answer is not a JSON object: {_words(raw)}",
        maybe_committed=call.verb not in _READS,
    )


def _failure(call: Call, response: aiohttp.ClientResponse, raw: bytes) -> ApiError:
    try:
        status = orjson.loads(raw)
    except ValueError:
        status = {"message": _words(raw)}
    return error_from_status(
        method=call.verb,
        object=call.object,
        code=response.status,
        status=status if isinstance(status, dict) else {},
        retry_after=_seconds(response.headers.get("Retry-After", "")),
    )


def _words(raw: bytes) -> str:
    """The beginning of an answer that is no JSON, in one line; that it is a page, of one."""
    if raw.removeprefix(BOM_UTF8).lstrip().startswith(b"<"):
        return NO_API_SERVER
    return " ".join(raw[:200].decode(errors="replace").split())


def _broken(call: Call, error: BaseException) -> ServerUnavailable:
    reason = "Timeout" if isinstance(error, TimeoutError) else "ConnectionFailed"
    return ServerUnavailable(
        method=call.verb,
        object=call.object,
        reason=reason,
        message=str(error) or type(error).__name__,
        maybe_committed=call.verb not in _READS and not isinstance(error, _NEVER_SENT),
    )


def _without_credentials(call: Call, error: BaseException) -> Unauthorized:
    return Unauthorized(
        method=call.verb,
        object=call.object,
        reason="NoCredentials",
        message=f"reading our own credentials: {error}",
    )


def _seconds(header: str) -> float:
    """Retry-After as seconds; the API server never sends the date form."""
    return float(header) if header.isdecimal() else 0.0
