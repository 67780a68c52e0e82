"""What agent, drafting tool and probe ask of a mirror, whatever its wire protocol.

A source is one repository at one commit on one mirror. It is shared by several threads, holds no
state but its connections, and never judges bytes: digests are the caller's business.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Capabilities", "Data", "ListedFile", "Met", "Reader", "RemoteFile", "Sink", "Source"]

Data = bytes | memoryview  # good until the next are read: who keeps them, copies them
Sink = Callable[[Data], None]  # takes the next bytes


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to read: the size is the approved one, a mirror that says otherwise is wrong."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as the mirror lists it; nothing of this is believed before the bytes were hashed.

    Args:
        path: below the repository, parts separated by ``/``.
        size: bytes.
        sha256: 64 hex characters, None when the list has no digest of the content.
        fault: why it cannot be read, "" where nothing is known; listed all the same, since what is
            wanted must not be dropped in silence.
    """

    path: str
    size: int
    sha256: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a protocol can do at all; whether this mirror does it, only its answers tell.

    Args:
        lists: it can say which files there are; without that nobody can draft from it.
    """

    lists: bool


@dataclass(frozen=True, slots=True)
class Met:
    """What the answers showed so far.

    Args:
        redirect_hosts: hosts of others that it sent the reader to, followed or not, as a
            ModelMirror lists them; by name, 16 at most.
        pages: of lists.
    """

    redirect_hosts: tuple[str, ...] = ()
    pages: int = 0


class Reader(Protocol):
    """A body that is read once, in order."""

    def read(self) -> Data:
        """The next bytes, as many as are there; none at the end. Raises MirrorError."""
        ...


class Source(Protocol):
    """One repository at one commit on one mirror."""

    @property
    def name(self) -> str:
        """Name of the ModelMirror."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What its protocol can do."""
        ...

    @property
    def met(self) -> Met:
        """What its answers showed so far."""
        ...

    def url(self, path: str) -> str:
        """Where ``path`` is fetched from, for messages."""
        ...

    def list(self) -> list[ListedFile]:
        """The files there are, in the mirror's order. Raises MirrorError.

        A source whose protocol has no list refuses: reason InvalidSpec, with what to do instead.
        """
        ...

    def manifest_url(self, digest: str) -> str:
        """Where the manifest with this digest is fetched from."""
        ...

    def manifest(self, digest: str) -> bytes:
        """The manifest's text as the mirror has it, unverified. Raises MirrorError."""
        ...

    def read(
        self, file: RemoteFile, offset: int, size: int, sink: Sink, patience: float | None = None
    ) -> None:
        """Hand ``size`` bytes of ``file`` from ``offset`` on to ``sink``, piece by piece.

        ``patience`` is how many seconds the first byte may take, where that is less than the
        mirror is given otherwise. Raises RangesUnsupported when the mirror cannot serve that
        range alone, MirrorError on any other fault; what ``sink`` was given until then is the
        beginning of the range. What ``sink`` raises goes through, and ends the reading.
        """
        ...

    def stream(self, file: RemoteFile) -> AbstractContextManager[Reader]:
        """The whole file as one body. Raises MirrorError."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
