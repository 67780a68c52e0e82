"""One HTTP exchange with a mirror: pool, credentials, redirects.

It tries once; who calls decides about another try. Used by clients/sources/http.py.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import urllib3

from escadre.clients.sources.answer import (
    Body,
    Explain,
    Fetched,
    check_encoding,
    check_status,
    typed,
)
from escadre.clients.sources.credentials import Authorize
from escadre.clients.sources.errors import MirrorUnavailable
from escadre.clients.sources.origins import origin, shown
from escadre.clients.sources.tls import tls_context
from escadre.core.decimals import bytes_text

__all__ = ["Body", "Fetched", "Timeouts", "Transport"]

_MAX_REDIRECTS: Final = 5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect, to the first byte of an answer, and between two pieces of a body."""

    connect: float = 10.0
    first_byte: float = 300.0
    idle: float = 60.0


class Transport:
    """Connections to one mirror; shared by threads.

    Args:
        authorize: asked before each request to the origin that ``get`` was called for; what is
            sent to another origin after a redirect carries none of it.
        ca_bundle: PEM of the authorities to believe; those of the system when None.
        connections: how many are kept open for reuse.
        timeouts: how long the mirror may be silent.
        explain: reads the errors of its protocol; None where they have no form.
    """

    def __init__(
        self,
        *,
        authorize: Authorize | None,
        ca_bundle: str | None,
        connections: int,
        timeouts: Timeouts,
        explain: Explain | None = None,
    ) -> None:
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "escadre"}
        self._authorize = authorize
        self._timeouts = timeouts
        self._explain = explain
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            retries=False,
            ssl_context=tls_context(ca_bundle),
        )

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    @contextmanager
    def get(
        self,
        url: str,
        byte_range: tuple[int, int] | None = None,
        patience: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Body]:
        """GET ``url``, or its bytes first to last (inclusive), following its own redirects.

        The first byte may take ``patience`` seconds where that is less than usual. The status of
        the body is 200 or 206; everything else is raised. A body that is left before its end
        closes its connection.
        """
        sent = self._headers | dict(headers or {})
        if byte_range:
            sent["Range"] = f"bytes={byte_range[0]}-{byte_range[1]}"
        first = min(self._timeouts.first_byte, patience or math.inf)
        response = self._follow(url, sent, first)
        try:
            check_status(url, response, self._explain)
            check_encoding(url, response)
            yield Body(shown(url), response, first, self._timeouts.idle)
        finally:
            response.close()  # a body read to its end has given its connection back already

    def fetch(self, url: str, most: int, headers: Mapping[str, str] | None = None) -> Fetched:
        """GET ``url`` whole, as a body of ``most`` bytes at most. Raises MirrorError."""
        text = bytearray()
        with self.get(url, headers=headers) as body:
            while piece := body.read():
                text += piece
                if len(text) > most:
                    raise MirrorUnavailable(f"getting {shown(url)}: over {bytes_text(most)}")
            return Fetched(bytes(text), body)

    def _follow(self, url: str, headers: dict[str, str], first: float) -> urllib3.BaseHTTPResponse:
        here = url
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._request(here, headers, first)
            location = response.get_redirect_location()
            if not location:
                return response
            response.close()
            there = urljoin(here, location)
            if origin(there) != origin(url):
                raise MirrorUnavailable(
                    f"getting {shown(url)}: redirected to another origin, {shown(there)}, "
                    "which is not followed; let the mirror serve the bytes itself"
                )
            here = there
        raise MirrorUnavailable(f"getting {shown(url)}: more than {_MAX_REDIRECTS} redirects")

    def _request(self, url: str, headers: dict[str, str], first: float) -> urllib3.BaseHTTPResponse:
        if self._authorize:
            headers = headers | dict(self._authorize("GET", url, headers))
        with typed(shown(url), first, "before an answer"):
            return self._pool.request(
                "GET",
                url,
                headers=headers,
                timeout=urllib3.Timeout(connect=self._timeouts.connect, read=first),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
