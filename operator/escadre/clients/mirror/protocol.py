"""What the agent and the drafting tool ask of a mirror, whatever its wire protocol.

A mirror object serves one repository at one commit. It is shared by several threads, holds no
state but its connections, and never judges bytes: digests are the caller's business.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Mirror", "Progress", "Reader", "RemoteFile"]

Progress = Callable[[int], None]  # called with the bytes that just arrived


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to read: the size is the approved one, a mirror that says otherwise is wrong."""

    path: str
    size: int


class Reader(Protocol):
    """A body that is read once, in order."""

    def readinto(self, into: memoryview, /) -> int:
        """Put the next bytes into ``into``; 0 at the end. Raises MirrorError."""
        ...


class Mirror(Protocol):
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

    def read(self, file: RemoteFile, offset: int, into: memoryview, progress: Progress) -> None:
        """Fill ``into`` with the bytes of ``file`` from ``offset`` on.

        Raises RangesUnsupported when the mirror cannot serve that range alone, MirrorError on
        any other fault; ``progress`` has then told how many leading bytes of ``into`` are good.
        """
        ...

    def stream(self, file: RemoteFile) -> AbstractContextManager[Reader]:
        """The whole file as one body. Raises MirrorError."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
