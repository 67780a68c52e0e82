"""One answer of a mirror: its body, its headers within bounds, and what its faults are called.

Every fault of urllib3 and every status leaves here as a MirrorError with the URL and what came
back; what a body of an error says is never shown. Used by clients/sources/transport.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    HTTPError,
    LocationParseError,
    NewConnectionError,
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
from escadre.clients.sources.origins import shown
from escadre.core.decimals import bytes_text

__all__ = ["Body", "Explain", "Fetched", "Told", "check_encoding", "check_status", "hurry", "typed"]

_MAX_HEADER: Final = 8192
_MAX_ERROR: Final = 16 * 1024  # most bytes of an error's body that are looked at
_PIECE: Final = 512 * 1024  # most bytes handed over at a time
_TRANSIENT: Final = frozenset({408, 425, 429})
_BUSY: Final = frozenset({429, 503})
_SERVER_ERROR: Final = 500
_LONGEST_DELAY: Final = 3600.0  # seconds of a Retry-After that are believed


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
        with typed(self._url, self._patience, f"after {bytes_text(self._read)}"):
            piece = self._response.read1(_PIECE)
        if not self._read:  # a cache may answer at once and send when it has the bytes itself
            self._patience = self._idle
            hurry(self._response, self._idle)
        self._read += len(piece)
        return piece


@dataclass(frozen=True, slots=True)
class Fetched:
    """A small body, read whole, and the answer that it came with."""

    text: bytes
    answer: Body


def hurry(response: urllib3.BaseHTTPResponse, idle: float) -> None:
    """From here on a piece must come sooner; the connection's next request sets it anew."""
    connection = response.connection  # None once a body without bytes has given it back
    if isinstance(connection, HTTPConnection) and connection.sock is not None:
        connection.sock.settimeout(idle)


@contextmanager
def typed(url: str, patience: float, when: str) -> Iterator[None]:
    """Turn urllib3's faults into ours; ``when`` says how far the exchange had come."""
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


def check_status(
    url: str, response: urllib3.BaseHTTPResponse, explain: Explain | None = None
) -> None:
    """Raise what any status but 200 and 206 means, in the words of its protocol if it has some."""
    status = response.status
    if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        return
    told = explain(_beginning(response)) if explain else Told()
    code = f" {told.code}" if told.code else ""
    raise _status_error(f"getting {shown(url)}: HTTP {status}{code}", status, response, told)


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
    message: str, status: int, response: urllib3.BaseHTTPResponse, told: Told
) -> MirrorError:
    if told.unauthorized or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        words = told.words or "the mirror refuses the credentials, or wants some"
        error = Unauthorized(f"{message}: {words}")
        error.challenge = response.headers.get("WWW-Authenticate", "")[:_MAX_HEADER]
        return error
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return NotFound(f"{message}: {told.words or 'the mirror has no such file'}")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return RangesUnsupported(f"{message}: the mirror's file has no such bytes")
    transient = status in _TRANSIENT or status >= _SERVER_ERROR
    delay = _retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
    kind = MirrorBusy if status in _BUSY else MirrorUnavailable
    words = f": {told.words}" if told.words else ""
    return kind(f"{message}{words}", transient=transient, delay=delay)


def check_encoding(url: str, response: urllib3.BaseHTTPResponse) -> None:
    """Refuse a body that was compressed under way."""
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
