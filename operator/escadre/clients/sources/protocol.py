"""What the agent and the drafting tool ask of a mirror, whatever its wire protocol.

A mirror object serves one repository at one commit. It is shared by several threads, holds no
state but its connections, and never judges bytes: digests are the caller's business.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Reader", "RemoteFile", "Sink", "Source"]

Sink = Callable[[bytes], None]  # takes the next bytes


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to read: the size is the approved one, a mirror that says otherwise is wrong."""

    path: str
    size: int


class Reader(Protocol):
    """A body that is read once, in order."""

    def read(self) -> bytes:
        """The next bytes, as many as are there; none at the end. Raises MirrorError."""
        ...


class Source(Protocol):
    """One repository at one commit on one mirror."""

    @property
    def name(self) -> str:
        """Name of the ModelMirror."""
        ...

    def url(self, path: str) -> str:
        """Where ``path`` is fetched from, for messages."""
        ...

    def manifest_url(self, digest: str) -> str:
        """Where the manifest with this digest is fetched from."""
        ...

    def manifest(self, digest: str) -> bytes:
        """The manifest's text as the mirror has it, unverified. Raises MirrorError."""
        ...

    def read(self, file: RemoteFile, offset: int, size: int, sink: Sink) -> None:
        """Hand ``size`` bytes of ``file`` from ``offset`` on to ``sink``, piece by piece.

        Raises RangesUnsupported when the mirror cannot serve that range alone, MirrorError on
        any other fault; what ``sink`` was given until then is the beginning of the range.
        """
        ...

    def stream(self, file: RemoteFile) -> AbstractContextManager[Reader]:
        """The whole file as one body. Raises MirrorError."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
