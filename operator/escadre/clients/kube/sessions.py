"""Our connection for a library that speaks to the API server by itself: kopf.

The same server, certificates and rotated token as `KubeApi` has, without its limits and errors.
It lists and watches.
"""

import aiohttp
from yarl import URL

from escadre import __version__
from escadre.clients.kube.connection import Connection
from escadre.clients.kube.transport import LARGE_KEPT_SECONDS

__all__ = ["open_session"]


def open_session(connection: Connection, component: str) -> aiohttp.ClientSession:
    """A session that proves who we are to the connection's server, and to no other."""
    server = _place(URL(connection.host))

    async def prove(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if _place(request.url) == server:
            value = await connection.authorization()
            if value is not None:
                request.headers["Authorization"] = value
            request.server_hostname = connection.server_name
        return await handler(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, ssl=connection.tls or True, keepalive_timeout=LARGE_KEPT_SECONDS
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={
            "User-Agent": f"escadre/{__version__} ({component})",
            "Accept-Encoding": "identity",
        },
        proxy=connection.proxy,
        middlewares=(prove,),
    )


def _place(url: URL) -> tuple[str, str | None, int | None]:
    """Which server it is: yarl's origins differ by a port that the scheme implies (1.25)."""
    return url.scheme, url.host, url.port
