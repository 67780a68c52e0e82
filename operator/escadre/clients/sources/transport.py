"""One HTTP exchange with a mirror: pool, TLS, credentials, redirects, statuses.

The only module that knows urllib3: every fault leaves it as a MirrorError with the URL and what
came back. It tries once; who calls decides about another try. Used by clients/sources/http.py.
"""

import math
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from escadre import reasons
from escadre.clients.sources.credentials import Authorize
from escadre.clients.sources.errors import (
    MirrorBusy,
    MirrorError,
    MirrorSlow,
    MirrorUnavailable,
    NotFound,
    RangesUnsupported,
    Unauthorized,
)
from escadre.core.decimals import bytes_text
from escadre.errors import Refusal

__all__ = ["Body", "Fetched", "Timeouts", "Transport", "origin", "shown", "tls_context"]

_MAX_REDIRECTS: Final = 5
_MAX_HEADER: Final = 8192
_PIECE: Final = 512 * 1024  # most bytes handed over at a time
_TRANSIENT: Final = frozenset({408, 425, 429})
_BUSY: Final = frozenset({429, 503})
_SERVER_ERROR: Final = 500
_LONGEST_DELAY: Final = 3600.0  # seconds of a Retry-After that are believed


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect, to the first byte of an answer, and between two pieces of a body."""

    connect: float = 10.0
    first_byte: float = 300.0
    idle: float = 60.0


class Body:
    """The body of an answer, read once and in order."""

    def __init__(
        self, url: str, response: urllib3.BaseHTTPResponse, first: float, idle: float
    ) -> None:
        self._url = url
        self._response = response
        self._patience, self._idle = first, idle
        self._read = 0

    @property
    def status(self) -> int:
        """HTTP status: 200 or 206."""
        return self._response.status

    @property
    def content_range(self) -> str | None:
        """The Content-Range header."""
        return self._response.headers.get("Content-Range")

    @property
    def length(self) -> int | None:
        """Content-Length, None when the mirror does not say."""
        text = self._response.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    def header(self, name: str) -> str:
        """The first 8,192 characters of a header of the answer, "" when it has none."""
        return self._response.headers.get(name, "")[:_MAX_HEADER]

    def read(self) -> bytes:
        """The next bytes, as many as are there; none at the end."""
        with _typed(self._url, self._patience, f"after {bytes_text(self._read)}"):
            piece = self._response.read1(_PIECE)
        if not self._read:  # a cache may answer at once and send when it has the bytes itself
            self._patience = self._idle
            _hurry(self._response, self._idle)
        self._read += len(piece)
        return piece


@dataclass(frozen=True, slots=True)
class Fetched:
    """A small body, read whole, and the answer that it came with."""

    text: bytes
    answer: Body


class Transport:
    """Connections to one mirror; shared by threads.

    Args:
        authorize: asked before each request to the origin that ``get`` was called for; what is
            sent to another origin after a redirect carries none of it.
        ca_bundle: PEM of the authorities to believe; those of the system when None.
        connections: how many are kept open for reuse.
        timeouts: how long the mirror may be silent.
    """

    def __init__(
        self,
        *,
        authorize: Authorize | None,
        ca_bundle: str | None,
        connections: int,
        timeouts: Timeouts,
    ) -> None:
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "escadre"}
        self._authorize = authorize
        self._timeouts = timeouts
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
            _check_status(url, response)
            _check_encoding(url, response)
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
        with _typed(shown(url), first, "before an answer"):
            return self._pool.request(
                "GET",
                url,
                headers=headers,
                timeout=urllib3.Timeout(connect=self._timeouts.connect, read=first),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )


def _hurry(response: urllib3.BaseHTTPResponse, idle: float) -> None:
    """From here on a piece must come sooner; the connection's next request sets it anew."""
    connection = response.connection  # None once a body without bytes has given it back
    if isinstance(connection, HTTPConnection) and connection.sock is not None:
        connection.sock.settimeout(idle)


def shown(url: str) -> str:
    """The URL as messages show it: without user, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@contextmanager
def _typed(url: str, patience: float, when: str) -> Iterator[None]:
    try:
        yield
    except ReadTimeoutError as error:
        raise MirrorSlow(
            f"getting {url}: no byte for {patience:g} s {when}", transient=True
        ) from error
    except SSLError as error:
        raise MirrorUnavailable(f"getting {url}: TLS: {error}") from error
    except LocationParseError as error:
        raise MirrorUnavailable(f"getting {url}: not a URL: {error}") from error
    except NewConnectionError as error:
        cause = error.__cause__ or error
        raise MirrorBusy(f"connecting for {url}: {cause}", transient=True) from error
    except (HTTPError, OSError) as error:
        raise MirrorUnavailable(f"getting {url}: {error} {when}", transient=True) from error


def _check_status(url: str, response: urllib3.BaseHTTPResponse) -> None:
    status = response.status
    if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        return
    raise _status_error(f"getting {shown(url)}: HTTP {status}", status, response)


def _status_error(message: str, status: int, response: urllib3.BaseHTTPResponse) -> MirrorError:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        error = Unauthorized(f"{message}: the mirror refuses the credentials, or wants some")
        error.challenge = response.headers.get("WWW-Authenticate", "")[:_MAX_HEADER]
        return error
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return NotFound(f"{message}: the mirror has no such file")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return RangesUnsupported(f"{message}: the mirror's file has no such bytes")
    transient = status in _TRANSIENT or status >= _SERVER_ERROR
    delay = _retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
    kind = MirrorBusy if status in _BUSY else MirrorUnavailable
    return kind(message, transient=transient, delay=delay)


def _check_encoding(url: str, response: urllib3.BaseHTTPResponse) -> None:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise MirrorUnavailable(
            f"getting {shown(url)}: the body is {encoding} though identity was asked for; "
            "switch compression off for weights on the mirror"
        )


def _retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds of a Retry-After header: a number, or a date against the answer's own Date."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST_DELAY)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(date or "")
    except (ValueError, TypeError):
        return None
    return min(max(0.0, wait.total_seconds()), _LONGEST_DELAY)


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: what credentials may be sent to."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, (parts.hostname or "").lower(), port


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """The system's certificate authorities, or only those of the bundle when there is one."""
    try:
        return ssl.create_default_context(cadata=ca_bundle)
    except ssl.SSLError as error:
        raise Refusal(
            reasons.INVALID_SPEC, f"caBundle of the mirror is not PEM: {error}"
        ) from error
