"""A file that is being pulled: its bytes, and which of its chunks are verified.

``partial/<sha256>.data`` has the file's full size from the start (the space is reserved),
``partial/<sha256>.chunks`` one mark per chunk behind a header that names what was asked for. A
mark may reach the disk before the bytes that it speaks of, but never the word behind the marks,
how both were closed: it is written once all is synced. Where the two look different (a process
that was killed, a machine that lost its power, a hand that wrote to one of them), ``recheck``
hashes what is marked before that counts.
Chunks may be written by several threads, each by one. Whoever else writes to the file while the
agent does is not seen: the store is the agent's alone.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from escadre.agent.store.disk import Disk
from escadre.agent.store.durable import sync_folder
from escadre.agent.store.records import chunks_digest
from escadre.core.weights.manifest import Chunk, ManifestFile, chunks_of

__all__ = ["PartialFile", "partial_paths"]

_TODO: Final = b"."
_DONE: Final = b"x"
_CLOSED: Final = 96  # bytes for how it was closed
_PIECE: Final = 1024 * 1024


def partial_paths(folder: Path, sha256: str) -> tuple[Path, Path]:
    """Where the data and the marks of a file are."""
    return folder / f"{sha256}.data", folder / f"{sha256}.chunks"


class PartialFile:
    """An open partial file; ``close`` it, or use it as a context manager."""

    def __init__(self, folder: Path, file: ManifestFile) -> None:
        self.file = file
        self._folder = folder
        self._data_path, self._marks_path = partial_paths(folder, file.sha256)
        header = f"escadre-partial/v1 {file.size} {chunks_digest(file)}\n".encode()
        self._header = len(header)
        self._data = os.open(self._data_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._marks = os.open(self._marks_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            os.close(self._data)
            raise
        self._doubted: list[Chunk] = []
        self._finished = False
        self._shut = False
        self._unsynced: OSError | None = None
        self._syncing = threading.Lock()
        self._done = self._read_marks(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def done_bytes(self) -> int:
        """Bytes of the verified chunks."""
        return sum(chunk.size for chunk in chunks_of(self.file) if self._done[chunk.index])

    def missing(self) -> Iterator[Chunk]:
        """Chunks that are not verified yet, in order."""
        return (chunk for chunk in chunks_of(self.file) if not self._done[chunk.index])

    def recheck(self, check: Callable[[], None]) -> None:
        """Hash the marked chunks that do not count since the file looks different.

        ``check`` is called now and then, and raises to call it off.
        """
        while self._doubted:
            chunk = self._doubted[-1]
            if self._digest(chunk, check) == chunk.sha256:
                self._done[chunk.index] = True
            else:
                os.pwrite(self._marks, _TODO, self._header + chunk.index)
            self._doubted.pop()

    def reserve(self, disk: Disk) -> None:
        """Reserve the file's whole size on disk; OSError (ENOSPC) when it is not there.

        Where the file system cannot reserve, the size is set, and counted (``Blobs.promised``).
        """
        if self.file.size:
            disk.reserve(self._data, self.file.size)
        os.ftruncate(self._data, self.file.size)
        os.fsync(self._data)
        sync_folder(self._folder)

    def discard(self) -> None:
        """Give the space back when nothing of the file is verified."""
        if not any(self._done) and not self._doubted:
            self._finished = True
            for path in (self._marks_path, self._data_path):
                path.unlink(missing_ok=True)

    def write(self, offset: int, piece: bytes | memoryview) -> None:
        """Put bytes of a chunk in their place; they count for nothing until it is marked."""
        view = memoryview(piece)
        while view:
            written = os.pwrite(self._data, view, offset)
            view, offset = view[written:], offset + written

    def read(self, offset: int, size: int) -> bytes:
        """Bytes as they are on disk."""
        return os.pread(self._data, size, offset)

    def mark(self, chunk: Chunk) -> None:
        """Say that a chunk's bytes are verified; a later ``flush`` makes it durable."""
        os.pwrite(self._marks, _DONE, self._header + chunk.index)
        self._done[chunk.index] = True

    def flush(self) -> bool:
        """Bring all to the disk that was written so far; False once the file is closed.

        For a thread beside those that write: it may take as long as the disk does.
        """
        with self._syncing:
            if self._shut:
                return False
            try:
                os.fdatasync(self._data)
                os.fdatasync(self._marks)
            except OSError as error:
                self._unsynced = error
                raise
            return True

    def forget(self, chunks: Iterable[Chunk]) -> None:
        """Let the memory go that holds flushed chunks, unless the file is closed meanwhile."""
        with self._syncing:
            if not self._shut:
                for chunk in chunks:
                    offset, size = chunk.offset, chunk.size
                    os.posix_fadvise(self._data, offset, size, os.POSIX_FADV_DONTNEED)

    def finish(self, blob: Path) -> None:
        """Make the verified file a read-only blob; its record is the caller's to write."""
        if not all(self._done):
            raise ValueError(f"{self.file.path}: chunks are missing")
        with self._syncing:
            if self._unsynced:  # the kernel tells of it once: the next sync would succeed
                raise self._unsynced
            os.fchmod(self._data, 0o444)
            os.fsync(self._data)
        self._finished = True
        self._data_path.replace(blob)
        sync_folder(blob.parent)
        self._marks_path.unlink(missing_ok=True)
        sync_folder(self._folder)

    def close(self) -> None:
        """Close the files; once is enough, and twice does no harm."""
        with self._syncing:
            if self._shut:
                return
            self._shut = True
            try:
                if not (self._finished or self._doubted or self._unsynced):
                    os.fdatasync(self._data)
                    size = self._header + len(self._done)
                    os.pwrite(self._marks, self._closed(os.pread(self._marks, size, 0)), size)
                    os.fdatasync(self._marks)
            finally:
                os.close(self._data)
                os.close(self._marks)

    def _closed(self, marks: bytes) -> bytes:
        stat, marked = os.fstat(self._data), hashlib.sha256(marks).hexdigest()[:32]
        return f" {stat.st_ino} {stat.st_ctime_ns} {marked}".ljust(_CLOSED).encode()

    def _digest(self, chunk: Chunk, check: Callable[[], None]) -> str:
        hasher = hashlib.sha256()
        for offset in range(chunk.offset, chunk.offset + chunk.size, _PIECE):
            check()
            hasher.update(self.read(offset, min(_PIECE, chunk.offset + chunk.size - offset)))
        return hasher.hexdigest()

    def _read_marks(self, header: bytes) -> list[bool]:
        count = len(self.file.chunks)
        stored = os.pread(self._marks, len(header) + count + _CLOSED, 0)
        marks, closed = stored[len(header) :][:count], stored[len(header) + count :]
        whole = os.fstat(self._data).st_size == self.file.size
        if stored[: len(header)] == header and len(marks) == count and whole:
            done = [mark == _DONE[0] for mark in marks]
            if closed == self._closed(stored[: len(header) + count]):
                return done
            self._doubted = [chunk for chunk in chunks_of(self.file) if done[chunk.index]]
            return [False] * count
        os.ftruncate(self._marks, 0)
        os.pwrite(self._marks, header + _TODO * count, 0)
        os.fsync(self._marks)
        with suppress(OSError):
            os.fchmod(self._data, 0o644)
        return [False] * count
