"""One answer of a mirror: its body, its headers within bounds, and what its faults are called.

Every fault of urllib3 and every status leaves here as a MirrorError with the URL and what came
back; what a body of an error says is never shown. Used by clients/sources/transport.py.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import Final

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from escadre.clients.sources.errors import (
    MirrorBusy,
    MirrorError,
    MirrorSlow,
    MirrorUnavailable,
    NotFound,
    RangesUnsupported,
    Unauthorized,
)
from escadre.clients.sources.filled import Filled
from escadre.clients.sources.origins import shown
from escadre.clients.sources.proxied import Between, alike, may_pass, proxy_fault, tunnel_fault
from escadre.clients.sources.tls import with_advice
from escadre.core.decimals import bytes_text

__all__ = [
    "Body",
    "Explain",
    "Fetched",
    "Told",
    "check_encoding",
    "check_status",
    "html_page",
    "hurry",
    "typed",
]

_DIGITS: Final = 18  # of a number of bytes
_HTML: Final = ("text/html", "application/xhtml")
_MAX_WORDS: Final = 300
_MAX_HEADER: Final = 8192
_MAX_ERROR: Final = 16 * 1024  # most bytes of an error's body that are looked at
_PLAIN: Final = frozenset({"", "identity", "aws-chunked"})  # encodings that change no byte
_BUSY: Final = frozenset({429, 503})
_LONGEST_DELAY: Final = 3600.0  # seconds of a Retry-After that are believed


_PAGE: Final = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|!--)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a protocol's own error says; none of its text but what we know.

    Args:
        code: the protocol's name of it, letters and digits; "" when it has none.
        words: what it means and what to do; "" for what the status means.
        unauthorized: whether it is about the credentials, whatever the status.
    """

    code: str = ""
    words: str = ""
    unauthorized: bool = False


Explain = Callable[[bytes], Told]  # of the beginning of an error's body


class Body:
    """The body of an answer, read once and in order."""

    def __init__(
        self, url: str, response: urllib3.BaseHTTPResponse, first: float, idle: float
    ) -> None:
        self._url = url
        self._response = response
        self._patience, self._idle = first, idle
        self._filled = Filled(response)
        self._read = 0

    @property
    def status(self) -> int:
        """HTTP status: 200 or 206."""
        return self._response.status

    @property
    def content_range(self) -> str | None:
        """The Content-Range header."""
        return self.header("Content-Range") or None

    @property
    def length(self) -> int | None:
        """Content-Length, None when the mirror does not say."""
        text = self._response.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None

    def header(self, name: str) -> str:
        """A header of the answer, "" when it has none; raises MirrorUnavailable for a long one."""
        value = self._response.headers.get(name, "")
        if len(value) > _MAX_HEADER:
            raise MirrorUnavailable(
                f"getting {self._url}: the header {name} has {len(value):,} characters, over "
                f"{_MAX_HEADER:,}"
            )
        return value

    @property
    def is_page(self) -> bool:
        """Whether it is labelled an HTML page, as those of logins and of proxies' faults are."""
        return self._response.headers.get("Content-Type", "").strip().lower().startswith(_HTML)

    def read(self) -> memoryview:
        """The next bytes, good until the next call; none at the end."""
        try:
            count = self._filled.next()
        except (HTTPError, HTTPException, OSError):
            with typed(self._url, self._patience, f"after {bytes_text(self._read)}"):
                raise
        if not self._read and self.is_page and _PAGE.match(self._filled.view[:count]):
            raise html_page(self._url)
        if not self._read:  # a cache may answer at once and send when it has the bytes itself
            self._patience = self._idle
            hurry(self._response, self._idle)
        self._read += count
        return self._filled.view[:count]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A small body, read whole, and the answer that it came with."""

    text: bytes
    answer: Body


def html_page(url: str) -> MirrorUnavailable:
    """What to raise for a page in place of a file."""
    return MirrorUnavailable(
        f"getting {shown(url)}: an HTML page came (text/html); a proxy or login in between?"
    )


def hurry(response: urllib3.BaseHTTPResponse, idle: float) -> None:
    """From here on a piece must come sooner; the connection's next request sets it anew."""
    connection = response.connection  # None once a body without bytes has given it back
    if isinstance(connection, HTTPConnection) and connection.sock is not None:
        connection.sock.settimeout(idle)


@contextmanager
def typed(url: str, patience: float, when: str, *, connects: bool = False) -> Iterator[None]:
    """Turn urllib3's faults into ours; ``when`` says how far the exchange had come.

    One that ``connects`` first may run out of the time to connect: in TLS, in a proxy's tunnel.
    """
    begun = time.monotonic()
    try:
        yield
    except (ReadTimeoutError, TimeoutError) as error:
        waited = time.monotonic() - begun
        if connects and waited < patience / 2:
            what = f"connecting for {url}: no answer to TLS or from the proxy in {waited:.2g} s"
            raise MirrorBusy(what, transient=True) from error
        raise MirrorSlow(
            f"getting {url}: no byte for {patience:g} s {when}", transient=True
        ) from error
    except SSLError as error:
        raise MirrorUnavailable(f"getting {url}: TLS: {with_advice(_words(error))}") from error
    except LocationParseError as error:
        raise MirrorUnavailable(f"getting {url}: not a URL") from error
    except (NewConnectionError, ConnectTimeoutError) as error:
        raise MirrorBusy(f"connecting for {url}: {_words(error)}", transient=True) from error
    except ProxyError as error:
        what = f"connecting for {url} through spec.proxyURL"
        raise tunnel_fault(what, _words(error.original_error)) from error
    except (HTTPError, HTTPException, OSError) as error:
        what = f"getting {url}: {_words(error)} {when}"
        raise MirrorUnavailable(what, transient=True) from error


def _words(error: BaseException) -> str:
    """What the fault under it says, without the library's own words around it, within bounds."""
    under = [error, *(part for part in error.args if isinstance(part, BaseException))]
    if error.__cause__:
        under.append(error.__cause__)
    text = "".join(c if c.isprintable() else " " for c in str(under[-1]) or type(error).__name__)
    return text if len(text) <= _MAX_WORDS else f"{text[:_MAX_WORDS]}…"


def check_status(
    url: str,
    response: urllib3.BaseHTTPResponse,
    explain: Explain | None = None,
    proxy: Between = "none",
) -> None:
    """Raise what any status but 200 and 206 means, in the words of its protocol if it has some.

    ``proxy`` says whether a forward proxy could have answered in the mirror's place.
    """
    status = response.status
    if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        return
    if own := proxy_fault(f"getting {shown(url)}", status, response.headers, proxy):
        raise own
    told = explain(_beginning(response)) if explain else Told()
    code = f" {told.code}" if told.code else ""
    message = f"getting {shown(url)}: HTTP {status}{code}"
    raise _status_error(message, response, told, alike(status, proxy))


def _beginning(response: urllib3.BaseHTTPResponse) -> bytes:
    """Of an error's body, as much as comes: who cannot read it knows the status still."""
    text = bytearray()
    try:
        while len(text) < _MAX_ERROR and (piece := response.read1(_MAX_ERROR - len(text))):
            text += piece
    except (HTTPError, OSError):
        return b""
    return bytes(text)


def _status_error(
    message: str, response: urllib3.BaseHTTPResponse, told: Told, or_else: str
) -> MirrorError:
    status = response.status
    if told.unauthorized or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        words = told.words or f"the mirror refuses the credentials, or wants some{or_else}"
        error = Unauthorized(f"{message}: {words}")
        error.challenge = response.headers.get("WWW-Authenticate", "")[:_MAX_HEADER]
        return error
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return NotFound(f"{message}: {told.words or 'the mirror has no such file'}")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return RangesUnsupported(f"{message}: the mirror's file has no such bytes")
    transient = may_pass(status)
    delay = _retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
    kind = MirrorBusy if status in _BUSY else MirrorUnavailable
    words = f": {told.words}" if told.words else ""
    return kind(f"{message}{words}", transient=transient, delay=delay)


def check_encoding(url: str, response: urllib3.BaseHTTPResponse) -> None:
    """Refuse a body that was compressed under way.

    ``aws-chunked`` is how an object was once uploaded: some stores give it back as a header of the
    plain object. Whether the bytes are the right ones, their digests say.
    """
    given = response.headers.get("Content-Encoding", "")[:_MAX_HEADER].lower()
    encodings = {part.strip() for part in given.split(",")} - _PLAIN
    if encodings:
        raise MirrorUnavailable(
            f"getting {shown(url)}: the body is {', '.join(sorted(encodings))[:80]} though "
            "identity was asked for; switch compression off for weights on the mirror"
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
