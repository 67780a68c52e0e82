"""Where a draft's bytes come from: a mirror that lists its files, or a local folder.

Both are sources of clients/sources; here they are read whole, in order, once, with tries. Called
by cli/approve/drafting.py.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from escadre.cli.shared.mirroraccess import MirrorAccess
from escadre.clients.sources.errors import (
    DigestMismatch,
    MirrorError,
    NotFound,
)
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.folder import FolderSource
from escadre.clients.sources.protocol import ListedFile, RemoteFile, Sink, Source
from escadre.clients.sources.reading import Reading
from escadre.clients.sources.retry import RetryPolicy, attempt, read_to
from escadre.core.weights.findings import IntakeError
from escadre.errors import EscadreError

__all__ = ["Repository", "SourceRepository", "folder_repository", "mirror_repository"]

_STEP: Final = "bring the file there as it is in the model's repository, at this revision"


class Repository(Protocol):
    """Files to draft from."""

    def files(self) -> list[ListedFile]:
        """The files there are."""
        ...

    def begin(self, file: ListedFile, size: int) -> bytes:
        """The first ``size`` bytes of a file. Raises IntakeError when that file is at fault."""
        ...

    def read(self, file: ListedFile, sink: Sink) -> None:
        """Hand over a file's bytes, in order, once. Raises as ``begin``."""
        ...


@dataclass(frozen=True, slots=True)
class SourceRepository:
    """A repository at a commit on a source."""

    source: Source
    title: str = ""  # what messages begin with
    unlisted: str = ""  # the next step when the source has no such repository
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    def files(self) -> list[ListedFile]:
        """The files as the source lists them."""
        try:
            return attempt(self.source.list, self.policy, threading.Event().wait)
        except NotFound as error:  # its own next step speaks of a file, and none is named yet
            raise EscadreError(f"{self.title}{error.message}{self.unlisted}") from error

    def begin(self, file: ListedFile, size: int) -> bytes:
        """The first bytes of a file."""
        start = bytearray()
        self._read(file, min(size, file.size), start.extend)
        return bytes(start)

    def read(self, file: ListedFile, sink: Sink) -> None:
        """Stream a file, going on where a connection broke."""
        self._read(file, file.size, sink)

    def _read(self, file: ListedFile, size: int, sink: Sink) -> None:
        remote, wait = RemoteFile(file.path, file.size), threading.Event().wait
        reading = Reading(self.source)
        with _of_the_file(file):
            read_to(reading, remote, size, sink=sink, policy=self.policy, wait=wait)


@contextmanager
def _of_the_file(file: ListedFile) -> Iterator[None]:
    """What is wrong with this one file only; whether the others are well is still to be seen."""
    try:
        yield
    except (NotFound, DigestMismatch) as error:
        raise IntakeError(f"{file.path} cannot be read: {error.message}", _STEP) from error


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder at hand: its faults are not a mirror's, and each is of one file."""

    inner: SourceRepository

    def files(self) -> list[ListedFile]:
        return self.inner.files()

    def begin(self, file: ListedFile, size: int) -> bytes:
        with _at_hand(file):
            return self.inner.begin(file, size)

    def read(self, file: ListedFile, sink: Sink) -> None:
        with _at_hand(file):
            self.inner.read(file, sink)


@contextmanager
def _at_hand(file: ListedFile) -> Iterator[None]:
    try:
        yield
    except MirrorError as error:
        raise IntakeError(f"{file.path}: {error.message}") from error


def folder_repository(root: Path) -> Repository:
    """A folder that holds a repository's files, e.g. a snapshot of the hub's own cache."""
    return _Folder(SourceRepository(FolderSource("--folder", root)))


def mirror_repository(
    name: str,
    access: MirrorAccess,
    repository: str,
    revision: str,
    say: Callable[[str], None] | None = None,
) -> Repository:
    """Open a mirror to draft from; ``say`` hears what is waited for."""

    def told(why: str, seconds: float) -> None:
        if say:
            say(f"ModelMirror {name}: {why}; trying again in {seconds:.0f} s")

    source = open_source(
        name,
        access.spec,
        repository=repository,
        revision=revision,
        credentials=access.credentials,
        manifests=False,
        guard=access.guard,
    )
    return SourceRepository(
        source,
        title=f"ModelMirror {name}: ",
        policy=RetryPolicy(told=told),
        unlisted="\nnext: Correct --repository or --revision, or have whoever runs the mirror "
        "bring that commit onto it.",
    )
