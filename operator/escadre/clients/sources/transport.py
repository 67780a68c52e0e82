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

from escadre import __version__
from escadre.api.probe import MOST_HOST, MOST_HOSTS
from escadre.clients.sources.answer import (
    Body,
    Explain,
    Fetched,
    check_encoding,
    check_status,
    typed,
)
from escadre.clients.sources.credentials import Authorize, Certificate
from escadre.clients.sources.dial import connections
from escadre.clients.sources.errors import MirrorUnavailable
from escadre.clients.sources.guard import Guard
from escadre.clients.sources.origins import listed_as, origin, shown
from escadre.clients.sources.protocol import Met
from escadre.clients.sources.proxied import Between
from escadre.clients.sources.reach import Reach
from escadre.clients.sources.tls import tls_context
from escadre.clients.sources.whole import whole
from escadre.core.decimals import bytes_text

__all__ = ["Body", "Fetched", "Link", "Timeouts", "Transport"]

_MAX_REDIRECTS: Final = 5
_MAX_LOCATION: Final = 8192
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": f"escadre/{__version__}"}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect, to the first byte of an answer, and between two pieces of a body."""

    connect: float = 10.0
    first_byte: float = 300.0
    idle: float = 60.0


@dataclass(frozen=True, slots=True)
class Link:
    """How a mirror is connected to.

    Args:
        reach: the hosts that the ModelMirror names.
        guard: what the platform says about their addresses.
        ca_bundle: PEM of the authorities to believe; those of the system when None.
        certificate: shown to the mirror's own hosts.
        proxy: URL of a forward proxy.
        kept: how many connections are kept open for reuse.
        timeouts: how long the mirror may be silent.
    """

    reach: Reach
    guard: Guard
    ca_bundle: str | None = None
    certificate: Certificate | None = None
    proxy: str | None = None
    kept: int = 1
    timeouts: Timeouts = Timeouts()

    def pools(self, certificate: Certificate | None) -> urllib3.PoolManager:
        """Connections that show the certificate, or none. Raises Refusal."""
        return connections(
            self.guard,
            context=tls_context(self.ca_bundle, certificate),
            proxy=(self.proxy, tls_context(self.ca_bundle)) if self.proxy else None,
            kept=self.kept,
        )


class Transport:
    """Exchanges with one mirror; shared by threads.

    Args:
        link: its connections.
        authorize: asked before each request to a host of the mirror's own; what is sent elsewhere
            after a redirect carries nothing of it.
        explain: reads the errors of its protocol; None where they have no form.

    Raises:
        Refusal: the CA bundle or the certificate cannot be read.
    """

    def __init__(
        self, link: Link, authorize: Authorize | None, explain: Explain | None = None
    ) -> None:
        self._link = link
        self._explain = explain
        self._authorize = authorize
        self._own = link.pools(link.certificate)
        self._others = link.pools(None) if link.certificate else self._own
        self._redirected: set[str] = set()
        self._pages = 0

    @property
    def met(self) -> Met:
        """What the answers showed so far."""
        return Met(tuple(sorted(self._redirected)), self._pages)

    def close(self) -> None:
        """Close idle connections."""
        self._own.clear()
        self._others.clear()

    @contextmanager
    def get(
        self,
        url: str,
        byte_range: tuple[int, int] | None = None,
        patience: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Body]:
        """GET ``url``, or its bytes first to last (inclusive), and follow where it may lead.

        The first byte may take ``patience`` seconds where that is less than usual. The status of
        the body is 200 or 206; everything else is raised. A body that is left before its end
        closes its connection.
        """
        if not self._link.reach.owns(url):
            raise MirrorUnavailable(
                f"getting {shown(url)}: that is none of the hosts that the ModelMirror names"
            )
        sent = _HEADERS | dict(headers or {})
        if byte_range:
            sent["Range"] = f"bytes={byte_range[0]}-{byte_range[1]}"
        first = min(self._link.timeouts.first_byte, patience or math.inf)
        response, there = self._follow(url, sent, first)
        try:
            check_status(url, response, self._explain, self._between(there))
            check_encoding(url, response)
            yield Body(shown(url), response, first, self._link.timeouts.idle)
        finally:
            response.close()  # a body read to its end has given its connection back already

    def fetch(
        self,
        url: str,
        most: int,
        headers: Mapping[str, str] | None = None,
        until: float = math.inf,
    ) -> Fetched:
        """GET ``url`` whole, a body of ``most`` bytes at most, before ``until`` (monotonic)."""
        too_long = MirrorUnavailable(f"getting {shown(url)}: over {bytes_text(most)}")
        with self.get(url, headers=headers) as body:
            return Fetched(whole(body, url, most, until, too_long), body)

    def page(self, url: str, most: int, until: float) -> Fetched:
        """A page of a list, as ``fetch``; they are counted."""
        fetched = self.fetch(url, most, until=until)
        self._pages += 1
        return fetched

    def _between(self, url: str) -> Between:
        if self._link.proxy is None:
            return "none"
        return "tunnel" if origin(url)[0] == "https" else "plain"

    def _follow(
        self, url: str, headers: dict[str, str], first: float
    ) -> tuple[urllib3.BaseHTTPResponse, str]:
        """The last answer, and what was asked for it."""
        here, own = url, True
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._request(here, headers, first, own)
            location = response.get_redirect_location()
            if not location:
                return response, here
            response.close()
            here = _target(url, here, location)
            own = own and origin(here) == origin(url)
            if not own:
                self._note(url, here)
                self._check_redirect(url, here)
        raise MirrorUnavailable(f"getting {shown(url)}: more than {_MAX_REDIRECTS} redirects")

    def _note(self, url: str, there: str) -> None:
        host = listed_as(there)
        fits = len(host) <= MOST_HOST and len(self._redirected) < MOST_HOSTS
        if fits and not _is_upgrade(url, there):
            self._redirected.add(host)

    def _check_redirect(self, url: str, there: str) -> None:
        """Refuses a host that is not listed; says what is to be corrected."""
        told = f"getting {shown(url)}: redirected to {shown(there)}"
        if _is_upgrade(url, there):
            raise MirrorUnavailable(
                f"{told}, the same host by https: correct spec.url (or manifestsURL) of the "
                "ModelMirror to begin with https://"
            )
        if (origin(url)[0], origin(there)[0]) == ("https", "http"):
            raise MirrorUnavailable(f"{told}, from https to http, which is not followed")
        if not self._link.reach.redirects(there):
            raise MirrorUnavailable(
                f"{told}, none of the mirror's hosts, which is not followed: let the mirror serve "
                f"the bytes itself, or list {listed_as(there)} in spec.redirectHosts of the "
                "ModelMirror"
            )

    def _request(
        self, url: str, headers: dict[str, str], first: float, own: bool
    ) -> urllib3.BaseHTTPResponse:
        if own and self._authorize:
            headers = headers | dict(self._authorize("GET", url, headers))
        with typed(shown(url), first, "before an answer", connects=True):
            return (self._own if own else self._others).request(
                "GET",
                url,
                headers=headers,
                timeout=urllib3.Timeout(connect=self._link.timeouts.connect, read=first),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )


def _is_upgrade(url: str, there: str) -> bool:
    """Whether it is the same host, by https."""
    (scheme, host, _), (to_scheme, to_host, _) = origin(url), origin(there)
    return (scheme, to_scheme, host) == ("http", "https", to_host)


def _target(url: str, here: str, location: str) -> str:
    if len(location) > _MAX_LOCATION:
        raise MirrorUnavailable(
            f"getting {shown(url)}: redirected to a URL of {len(location):,} characters"
        )
    try:
        there = urljoin(here, location)
        scheme, host, port = origin(there)
        if scheme in {"http", "https"} and host and port:
            return there
    except ValueError:
        pass
    raise MirrorUnavailable(f"getting {shown(url)}: redirected to what is no http or https URL")
