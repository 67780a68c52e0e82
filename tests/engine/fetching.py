"""One HTTP request on a connection of its own, by the standard library."""

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes


def fetch(
    url: str,
    path: str,
    span: str | None = None,
    *,
    method: str = "GET",
    token: str | None = None,
    seconds: float = 5,
) -> Got:
    """The answer with its whole body; ``span`` is a byte range."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=seconds)
    headers = {"Range": f"bytes={span}"} if span else {}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        found = {key.lower(): value for key, value in response.getheaders()}
        return Got(response.status, found, response.read())
    finally:
        connection.close()
