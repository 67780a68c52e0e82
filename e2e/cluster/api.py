"""A thin client of the API server for the test cluster's own parts: supervisor and runner.

Plain JSON over aiohttp; one connection pool; errors keep the server's status and message. The
product has its own client, this one must not depend on it.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp

__all__ = ["Api", "ApiError", "Gone"]

MERGE = "application/strategic-merge-patch+json"
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
# The server ends a watch after 30-60 minutes; a dead connection shows by the missing bookmarks.
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=150)


class ApiError(RuntimeError):
    """The server answered with an error, or did not answer (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Gone(ApiError):
    """A watch can not go on from its version: list again."""


class Api:
    """Requests to one server as the user of one certificate."""

    def __init__(self, server: str, certificates: Path, user: str) -> None:
        context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        context.load_cert_chain(certificates / f"{user}.crt", certificates / f"{user}.key")
        connector = aiohttp.TCPConnector(ssl=context, limit=32, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(
            base_url=server, connector=connector, headers={"User-Agent": f"escadre-test/{user}"}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        content_type: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """One request; the decoded answer, or ``ApiError``."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": content_type} if data else {}
        try:
            async with self._session.request(
                method, path, data=data, headers=headers, params=query or {}, timeout=_TIMEOUT
            ) as answer:
                raw = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, f"{method} {path}: {type(error).__name__}: {error}") from error
        if status >= 400:
            raise ApiError(status, f"{method} {path}: {_message(raw)}")
        document: dict[str, Any] = json.loads(raw) if raw[:1] == b"{" else {"text": raw.decode()}
        return document

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET."""
        return await self.request("GET", path, query=query)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST."""
        return await self.request("POST", path, body)

    async def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Strategic-merge PATCH."""
        return await self.request("PATCH", path, body, MERGE)

    async def delete(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """DELETE, with DeleteOptions if given."""
        return await self.request("DELETE", path, body)

    async def watch(self, path: str, version: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        """Events after ``version`` until the connection ends; ``Gone`` when a list is due."""
        query |= {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        try:
            async with self._session.get(path, params=query, timeout=_WATCH_TIMEOUT) as answer:
                if answer.status >= 400:
                    raise _error_of(answer.status, path, await answer.read())
                buffer = bytearray()
                async for chunk in answer.content.iter_any():
                    buffer += chunk
                    *lines, rest = buffer.split(b"\n")
                    buffer = bytearray(rest)
                    for line in lines:
                        event: dict[str, Any] = json.loads(line)
                        if event["type"] == "ERROR":
                            status = event["object"].get("code", 0)
                            raise _error_of(status, path, json.dumps(event["object"]).encode())
                        yield event
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, f"WATCH {path}: {type(error).__name__}: {error}") from error

    async def ready(self) -> bool:
        """Whether the server says it is ready."""
        try:
            await self.get("/readyz")
        except ApiError:
            return False
        return True

    async def until_ready(self, interval: float = 0.05) -> None:
        """Return as soon as the server is ready; the caller sets the deadline."""
        while not await self.ready():  # noqa: ASYNC110 - another process gets ready, not this one
            await asyncio.sleep(interval)


def _message(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["message"])
    except (ValueError, KeyError, TypeError):
        return raw[:300].decode(errors="replace")


def _error_of(status: int, path: str, raw: bytes) -> ApiError:
    kind = Gone if status == 410 else ApiError
    return kind(status, f"WATCH {path}: {_message(raw)}")
