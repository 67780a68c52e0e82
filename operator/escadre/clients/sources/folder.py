"""A folder that holds a repository's files: a mount on a node, or a disk at hand when drafting.

Only regular files below the folder are read. A link is followed while it stays below ``inside``
(the cache of a hub links its snapshots to its blobs); one that leads out of it is refused, also
when whoever writes the folder puts it there between the look and the opening.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from escadre.clients.sources.errors import DigestMismatch, MirrorUnavailable, NotFound
from escadre.clients.sources.protocol import Capabilities, ListedFile, Met, Reader, RemoteFile, Sink
from escadre.core.decimals import bytes_text
from escadre.core.weights.manifest import MAX_MANIFEST_BYTES
from escadre.names import digest_hex

__all__ = ["FolderSource"]

_PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FolderSource:
    """One repository at one commit in a folder.

    Args:
        name: of the ModelMirror, or what the folder is called in messages.
        root: the folder with the repository's files.
        inside: what links may not lead out of; None where the folder is the reader's own.
        manifests: folder of the manifests, None when none will be asked for.
    """

    name: str
    root: Path
    inside: Path | None = None
    manifests: Path | None = None

    @property
    def capabilities(self) -> Capabilities:
        """It lists."""
        return Capabilities(lists=True)

    @property
    def met(self) -> Met:
        """Nothing: it is read at once."""
        return Met()

    def url(self, path: str) -> str:
        """Where a file is."""
        return str(self.root / path)

    def list(self) -> list[ListedFile]:
        """The files below the folder, by path."""
        if not self.root.is_dir():
            raise NotFound(f"{self.name}: {self.root} is no folder")
        return sorted(self._below(), key=lambda file: file.path)

    def _below(self) -> Iterator[ListedFile]:
        unread: list[OSError] = []
        for folder, folders, names in os.walk(self.root, onerror=unread.append):
            linked = [name for name in folders if Path(folder, name).is_symlink()]
            for name in (*names, *linked):
                yield _listed(Path(folder, name), Path(folder, name).relative_to(self.root))
        for error in unread:
            place = Path(error.filename).relative_to(self.root).as_posix()
            if place == ".":
                raise _fault(self.root, error)
            yield ListedFile(place, 0, fault=f"a folder that cannot be read: {error.strerror}")

    def manifest_url(self, digest: str) -> str:
        """Where a manifest is."""
        return str((self.manifests or self.root) / f"{digest_hex(digest)}.manifest")

    def manifest(self, digest: str) -> bytes:
        """The manifest's text, unverified."""
        path = Path(self.manifest_url(digest))
        with self._open(path) as handle:
            text = os.pread(handle, MAX_MANIFEST_BYTES + 1, 0)
        if len(text) > MAX_MANIFEST_BYTES:
            most = bytes_text(MAX_MANIFEST_BYTES)
            raise DigestMismatch(f"{path}: over {most}, not a manifest")
        return text

    def read(
        self, file: RemoteFile, offset: int, size: int, sink: Sink, patience: float | None = None
    ) -> None:
        """Hand ``size`` bytes from ``offset`` on to ``sink``."""
        del patience  # nothing can interrupt a disk's read
        path = self.root / file.path
        with self._open(path) as handle:
            _expect_size(path, handle, file.size)
            end = offset + size
            while offset < end:
                piece = _pread(path, handle, min(_PIECE, end - offset), offset)
                if not piece:
                    raise MirrorUnavailable(f"{path} ended at {offset:,} of {file.size:,} bytes")
                sink(piece)
                offset += len(piece)

    @contextmanager
    def stream(self, file: RemoteFile) -> Iterator[Reader]:
        """The whole file as one body."""
        path = self.root / file.path
        with self._open(path) as handle:
            _expect_size(path, handle, file.size)
            yield _Body(path, handle)

    def close(self) -> None:
        """Nothing is kept open."""

    @contextmanager
    def _open(self, path: Path) -> Iterator[int]:
        try:
            # Path.resolve tells a circle of links as another error in each version of Python.
            real = Path(os.path.realpath(path, strict=True))
            base = Path(os.path.realpath(self.inside or real.parent))
            if not real.is_relative_to(base):
                raise MirrorUnavailable(f"{path} is a link that leads out of {self.inside}")
            if not real.is_file():
                raise MirrorUnavailable(f"{path} is no regular file")
            handle = _open_plainly(real, base)
        except OSError as error:
            raise _fault(path, error) from error
        try:
            yield handle
        finally:
            os.close(handle)


def _open_plainly(path: Path, base: Path) -> int:
    """Open the resolved ``path`` step by step from ``base``: no step follows a link any more."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    *folders, last = path.relative_to(base).parts
    here = os.open(base, flags | os.O_DIRECTORY)
    try:
        for part in folders:
            below = os.open(part, flags | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        return os.open(last, flags | os.O_NONBLOCK, dir_fd=here)  # a pipe put there waits for none
    finally:
        os.close(here)


def _listed(path: Path, place: Path) -> ListedFile:
    """A file, or what stands in its place."""
    name = place.as_posix()
    try:
        found = path.stat()
    except OSError as error:
        fault = f"cannot be read: {error.strerror}"
        if path.is_symlink():
            fault = f"a link that leads nowhere, to {path.readlink()}"
        return ListedFile(name, 0, fault=fault)
    if not stat.S_ISREG(found.st_mode):
        kind = "a link to a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, socket or device"
        return ListedFile(name, 0, fault=f"{kind}, not a file")
    if not os.access(path, os.R_OK):
        # Likely: safetensors 0.8.0 saves weights readable for their owner only.
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        return ListedFile(name, found.st_size, fault=f"you may not read it (mode {mode})")
    return ListedFile(name, found.st_size)


@dataclass(slots=True)
class _Body:
    path: Path
    handle: int
    offset: int = 0

    def read(self) -> bytes:
        """The next bytes; none at the end."""
        piece = _pread(self.path, self.handle, _PIECE, self.offset)
        self.offset += len(piece)
        return piece


def _pread(path: Path, handle: int, size: int, offset: int) -> bytes:
    try:
        return os.pread(handle, size, offset)
    except OSError as error:
        raise _fault(path, error) from error


def _expect_size(path: Path, handle: int, size: int) -> None:
    found = os.fstat(handle).st_size
    if found != size:
        raise DigestMismatch(f"{path} has {found:,} bytes, {size:,} were expected")


def _fault(path: Path, error: OSError) -> MirrorUnavailable | NotFound:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return NotFound(f"{path} is not there")
    if error.errno == errno.ELOOP:
        return MirrorUnavailable(f"cannot read {path}: links in a circle")
    # Likely: safetensors 0.8.0 saves weights readable for their owner only.
    who = f" as user {os.getuid()}" if error.errno == errno.EACCES else ""
    transient = error.errno in {errno.EIO, errno.ESTALE, errno.ETIMEDOUT}  # a network's disk
    return MirrorUnavailable(f"cannot read {path}{who}: {error.strerror}", transient=transient)
