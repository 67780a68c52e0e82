"""The barest client: one session of aiohttp, bytes in and bytes out.

It is what the floor is measured with, and what the benchmark itself makes its objects with.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from e2e.cluster.cluster import Cluster

__all__ = ["APPLY", "MERGE", "BareClient", "RefusedError", "Request"]

Json = dict[str, Any]
Request = tuple[str, str, bytes, str]  # method, path and query, body, content type
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=120)


class RefusedError(AssertionError):
    """The server refused; for a wait that is "not yet"."""


class BareClient:
    """Requests as the administrator, at most ``connections`` at the same time."""

    def __init__(self, cluster: Cluster, connections: int = 16) -> None:
        self._server = cluster.server
        self._pki: Path = cluster.state.certificates
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cafile=str(self._pki / "ca.crt"))
        context.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
        self._session = aiohttp.ClientSession(
            base_url=self._server,
            connector=aiohttp.TCPConnector(ssl=context, limit=self._connections),
            headers={"Accept-Encoding": "identity"},
            timeout=_TIMEOUT,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self, method: str, path: str, body: bytes = b"", content: str = "application/json"
    ) -> bytes:
        """One request; the raw answer, or RefusedError with what the server said."""
        if self._session is None:
            raise RuntimeError("the client is not open: use it in an async with statement")
        headers = {"Content-Type": content} if body else {}
        async with self._session.request(method, path, data=body, headers=headers) as answer:
            raw = await answer.read()
            if answer.status >= 400:
                said = raw[:500].decode(errors="replace")
                raise RefusedError(f"{method} {path}: {answer.status}: {said}")
            return raw

    async def get(self, path: str) -> Json:
        """One GET, decoded."""
        answer: Json = json.loads(await self.send("GET", path))
        return answer

    async def lines(self, path: str) -> AsyncGenerator[Json, None]:
        """A GET without an end, such as a watch: each line as it comes, decoded."""
        if self._session is None:
            raise RuntimeError("the client is not open: use it in an async with statement")
        endless = aiohttp.ClientTimeout(total=None)
        async with self._session.get(path, timeout=endless) as answer:
            async for line in answer.content:
                yield json.loads(line)

    async def each(self, groups: Iterable[list[Request]]) -> None:
        """All groups over all connections; the requests of one group one after the other."""
        work = list(groups)[::-1]

        async def one() -> None:
            while work:
                for request in work.pop():
                    await self.send(*request)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._connections):
                tasks.create_task(one())
