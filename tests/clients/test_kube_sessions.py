"""clients/kube/sessions.py: our credentials, for our server and no other."""

from collections.abc import AsyncIterator, Iterable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from escadre.clients.kube import Connection, open_session


@pytest.fixture
async def asked() -> AsyncIterator[tuple[TestServer, list[str | None]]]:
    """A server and the Authorization that it was sent."""
    headers: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        headers.append(request.headers.get("Authorization"))
        if request.path == "/away":
            raise web.HTTPFound(request.query["to"])
        return web.Response()

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    server = TestServer(application, host="127.0.0.1")
    async with server:
        yield server, headers


def connection(host: str, tokens: Iterable[str] = ("t0k",)) -> Connection:
    left = iter(tokens)

    async def authorization() -> str:
        return f"Bearer {next(left)}"

    return Connection(host.rstrip("/"), authorization)


async def test_the_token_is_sent_as_it_is_then(
    asked: tuple[TestServer, list[str | None]],
) -> None:
    server, headers = asked
    ours = connection(str(server.make_url("/")), ["t0k", "rotated"])
    async with open_session(ours, "test") as session:
        await session.get(server.make_url("/api"))
        await session.get(server.make_url("/api"))
    assert headers == ["Bearer t0k", "Bearer rotated"]


async def test_it_is_not_sent_to_another_server(
    asked: tuple[TestServer, list[str | None]],
) -> None:
    server, headers = asked
    other = server.make_url("/").with_host("localhost")
    async with open_session(connection(str(server.make_url("/"))), "test") as session:
        await session.get(server.make_url("/away").with_query(to=str(other)))
    assert headers == ["Bearer t0k", None]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("http://10.0.0.1:80", "http://10.0.0.1/api"),
        ("http://10.0.0.1", "http://10.0.0.1:80/api"),
    ],
)
async def test_a_port_that_the_scheme_implies_is_the_same_server(host: str, url: str) -> None:
    seen: list[str | None] = []

    async def instead(
        request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        seen.append(request.headers.get("Authorization"))
        raise LookupError  # nothing listens there

    async with open_session(connection(host), "test") as session:
        (prove,) = session._middlewares
        with pytest.raises(LookupError):
            await session.get(url, middlewares=(prove, instead))
    assert seen == ["Bearer t0k"]
