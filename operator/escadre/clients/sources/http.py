"""A mirror that is read over plain HTTP: ranges, whole streams and manifests.

The adapters (huggingface, static) differ only in the URLs; this class does the reading. Nothing
here retries or verifies digests: the agent and the drafting tool do.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from typing import Final, Protocol

from escadre import reasons
from escadre.clients.sources.answer import html_page
from escadre.clients.sources.errors import (
    DigestMismatch,
    MirrorUnavailable,
    RangesUnsupported,
)
from escadre.clients.sources.origins import shown
from escadre.clients.sources.protocol import (
    Capabilities,
    ListedFile,
    Met,
    Reader,
    RemoteFile,
    Sink,
)
from escadre.clients.sources.transport import Body
from escadre.clients.sources.whole import whole
from escadre.core.decimals import bytes_text
from escadre.core.weights.manifest import MAX_MANIFEST_BYTES
from escadre.errors import Refusal
from escadre.names import digest_hex

__all__ = ["HttpSource"]

_LONGEST: Final = 900.0  # seconds of a manifest, once its first byte came
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


class Getter(Protocol):
    """What is asked of the connections: those of clients/sources/transport.py."""

    def get(
        self,
        url: str,
        byte_range: tuple[int, int] | None = None,
        patience: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[Body]:
        """GET ``url``, or its bytes first to last (inclusive)."""
        ...

    @property
    def met(self) -> Met:
        """What the answers showed so far."""
        ...

    def close(self) -> None:
        """Close idle connections."""
        ...


class HttpSource:
    """One repository at one commit on a mirror that speaks HTTP.

    Args:
        name: name of the ModelMirror.
        file_url: turns a file's path into its URL.
        manifests_url: folder of the manifests, None when the mirror is only drafted from.
        transport: the connections.
        listing: lists the repository; None for a protocol without a list.
    """

    def __init__(
        self,
        *,
        name: str,
        file_url: Callable[[str], str],
        manifests_url: str | None,
        transport: Getter,
        listing: Callable[[], list[ListedFile]] | None,
    ) -> None:
        self._name = name
        self._file_url = file_url
        self._manifests_url = manifests_url
        self._transport = transport
        self._listing = listing

    @property
    def name(self) -> str:
        """Name of the ModelMirror."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """Whether it lists."""
        return Capabilities(lists=self._listing is not None)

    @property
    def met(self) -> Met:
        """What its answers showed so far."""
        return self._transport.met

    def list(self) -> list[ListedFile]:
        """The files as the mirror lists them."""
        if self._listing is None:
            raise Refusal(
                reasons.INVALID_SPEC,
                f"ModelMirror {self._name} is a plain tree without a list of files: "
                "draft from the folder behind it with --folder",
            )
        return self._listing()

    def url(self, path: str) -> str:
        """Where ``path`` is fetched from."""
        return self._file_url(path)

    def manifest_url(self, digest: str) -> str:
        """Where the manifest with this digest is fetched from."""
        return f"{(self._manifests_url or '').rstrip('/')}/{digest_hex(digest)}.manifest"

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def manifest(self, digest: str) -> bytes:
        """The manifest's text as the mirror has it, unverified."""
        return self._fetch(self.manifest_url(digest), MAX_MANIFEST_BYTES)

    def _fetch(self, url: str, most: int, headers: Mapping[str, str] | None = None) -> bytes:
        """A body that is no manifest when it is longer than ``most`` bytes."""
        until = time.monotonic() + _LONGEST
        too_long = DigestMismatch(f"getting {shown(url)}: over {bytes_text(most)}, not a manifest")
        with self._transport.get(url, headers=headers) as body:
            return whole(body, url, most, until, too_long)

    def read(
        self, file: RemoteFile, offset: int, size: int, sink: Sink, patience: float | None = None
    ) -> None:
        """Hand ``size`` bytes of ``file`` from ``offset`` on to ``sink``, piece by piece."""
        url = self.url(file.path)
        last = offset + size - 1
        with self._transport.get(url, (offset, last), patience) as body:
            if body.status == HTTPStatus.PARTIAL_CONTENT:
                _check_range(url, body, (offset, last), file.size)
            elif (offset, size) == (0, file.size):
                _check_size(url, body, file.size)
            else:
                raise RangesUnsupported(
                    f"getting {shown(url)}: asked for bytes {offset}-{last}, got the whole file"
                )
            _hand_over(url, body, size, sink)

    @contextmanager
    def stream(self, file: RemoteFile) -> Iterator[Reader]:
        """The whole file as one body."""
        url = self.url(file.path)
        with self._transport.get(url) as body:
            if body.status != HTTPStatus.OK:
                raise MirrorUnavailable(
                    f"getting {shown(url)}: HTTP {body.status} to a request without a range"
                )
            _check_size(url, body, file.size)
            yield body


def _hand_over(url: str, body: Body, size: int, sink: Sink) -> None:
    left = size
    # Reading on to the end hands the connection back to the pool, and finds a body that goes on.
    while piece := body.read():
        if len(piece) > left:
            raise DigestMismatch(f"getting {shown(url)}: more than the {size:,} bytes asked for")
        left -= len(piece)
        sink(piece)
    if left:
        raise MirrorUnavailable(
            f"getting {shown(url)}: the body ended after {size - left:,} of {size:,} bytes",
            transient=True,
        )


def _check_range(url: str, body: Body, asked: tuple[int, int], size: int) -> None:
    match = _CONTENT_RANGE.fullmatch((body.content_range or "").strip())
    if not match or (int(match[1]), int(match[2])) != asked:
        raise RangesUnsupported(
            f"getting {shown(url)}: asked for bytes {asked[0]}-{asked[1]}, "
            f"got Content-Range {(body.content_range or 'missing')[:80]!r}"
        )
    if match[3] != "*" and int(match[3]) != size:
        raise _wrong_size(url, int(match[3]), size)


def _check_size(url: str, body: Body, size: int) -> None:
    if body.length is not None and body.length != size:
        if body.is_page:
            raise html_page(url)
        raise _wrong_size(url, body.length, size)


def _wrong_size(url: str, served: int, approved: int) -> DigestMismatch:
    return DigestMismatch(
        f"{shown(url)} has {served:,} bytes on the mirror, {approved:,} were expected"
    )
