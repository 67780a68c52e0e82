"""Fetches one chunk, or one file as a stream, and believes nothing before its digest fits.

A piece is hashed and written as it arrives; the chunk is marked once its digest is the approved
one. Bytes with another digest are set aside and asked for once more; the second time is a
DigestMismatch, and nothing of the file is served. Called from the threads of
agent/pull/transfer.py.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from escadre.agent.pull.meter import Meter
from escadre.agent.store.blobs import Blobs
from escadre.agent.store.durable import disk_faults
from escadre.agent.store.partial import PartialFile
from escadre.clients.sources.errors import DigestMismatch, MirrorUnavailable
from escadre.clients.sources.origins import shown
from escadre.clients.sources.protocol import Reader, RemoteFile, Source
from escadre.clients.sources.retry import Cancelled, RetryPolicy, Wait, attempt, read_range
from escadre.core.weights.manifest import Chunk, chunks_of

__all__ = ["Fetcher"]


@dataclass(frozen=True, slots=True)
class Fetcher:
    """What every fetch of one pull shares."""

    mirror: Source
    blobs: Blobs
    meter: Meter
    retry: RetryPolicy
    wait: Wait

    def chunk(self, partial: PartialFile, chunk: Chunk) -> None:
        """Fetch one chunk by range and mark it.

        Raises RangesUnsupported when the mirror cannot do ranges; other MirrorErrors, Cancelled
        and the disk's refusals as they come.
        """
        told = ""
        for _ in range(2):
            intake = _Intake(self, partial, chunk)
            try:
                read_range(
                    self.mirror,
                    _remote(partial),
                    chunk.offset,
                    chunk.size,
                    sink=intake.take,
                    policy=self.retry,
                    wait=self.wait,
                )
                if intake.verified():
                    return
                told = intake.reject()
            except BaseException:
                self.meter.lost(intake.taken)
                raise
        raise DigestMismatch(told)

    def stream(self, partial: PartialFile) -> None:
        """Fetch all chunks that are missing by reading the file from its beginning."""
        rejected: dict[int, int] = {}
        attempt(lambda: self._stream_once(partial, rejected), self.retry, self.wait)

    def _stream_once(self, partial: PartialFile, rejected: dict[int, int]) -> None:
        missing = {chunk.index for chunk in partial.missing()}
        with self.mirror.stream(_remote(partial)) as reader:
            pieces = _Pieces(reader)
            for chunk in chunks_of(partial.file):
                if chunk.index in missing:
                    self._stream_chunk(partial, chunk, pieces, rejected)
                else:
                    for _ in pieces.take(chunk.size):
                        self._look_up(partial)
            pieces.expect_end(self.mirror.url(partial.file.path))

    def _stream_chunk(
        self, partial: PartialFile, chunk: Chunk, pieces: "_Pieces", rejected: dict[int, int]
    ) -> None:
        intake = _Intake(self, partial, chunk)
        try:
            for piece in pieces.take(chunk.size):
                intake.take(piece)
                self._look_up(partial)
            if intake.taken == chunk.size and intake.verified():
                return
        except BaseException:
            self.meter.lost(intake.taken)
            raise
        if intake.taken < chunk.size:
            self.meter.lost(intake.taken)
            raise MirrorUnavailable(
                f"getting {self._shown(partial)}: the body ended after "
                f"{chunk.offset + intake.taken:,} of {partial.file.size:,} bytes",
                transient=True,
            )
        told = intake.reject()
        rejected[chunk.index] = rejected.get(chunk.index, 0) + 1
        raise DigestMismatch(told, transient=rejected[chunk.index] == 1)

    def _look_up(self, partial: PartialFile) -> None:
        if self.wait(0):
            raise Cancelled(f"called off while reading {self._shown(partial)}")

    def _shown(self, partial: PartialFile) -> str:
        return shown(self.mirror.url(partial.file.path))


class _Intake:
    """The bytes of one chunk on their way to the disk."""

    def __init__(self, fetcher: Fetcher, partial: PartialFile, chunk: Chunk) -> None:
        self._fetcher = fetcher
        self._partial = partial
        self._chunk = chunk
        self._hasher = hashlib.sha256()
        self.taken = 0

    def take(self, piece: bytes) -> None:
        """Hash and write the next bytes."""
        self._hasher.update(piece)
        with disk_faults(f"writing {self._partial.file.path}", self._fetcher.blobs.root):
            self._partial.write(self._chunk.offset + self.taken, piece)
        self.taken += len(piece)
        self._fetcher.meter.arrived(len(piece))

    def verified(self) -> bool:
        """Mark the chunk when its digest is the approved one."""
        if self._hasher.hexdigest() != self._chunk.sha256:
            return False
        with disk_faults(f"syncing {self._partial.file.path}", self._fetcher.blobs.root):
            self._partial.mark(self._chunk)
        return True

    def reject(self) -> str:
        """Set the bytes aside; returns what to say about them."""
        chunk, file = self._chunk, self._partial.file
        self._fetcher.meter.lost(self.taken)
        self.taken = 0
        url = shown(self._fetcher.mirror.url(file.path))
        sample = self._partial.read(chunk.offset, chunk.size)
        where = self._fetcher.blobs.set_aside(url, file, chunk, sample)
        return (
            f"{file.path}, chunk {chunk.index} (bytes {chunk.offset}-"
            f"{chunk.offset + chunk.size - 1}) from mirror {self._fetcher.mirror.name}, {url}: "
            f"sha256 {self._hasher.hexdigest()}, approved is {chunk.sha256}; nothing of the model "
            f"is served; sample: {where}"
        )


class _Pieces:
    """A body cut where chunks end."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rest = b""

    def take(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes, piece by piece; fewer only when the body ends."""
        while size and (piece := self.next(size)):
            size -= len(piece)
            yield piece

    def next(self, limit: int) -> bytes:
        """At most ``limit`` bytes; none at the end."""
        piece = self._rest or self._reader.read()
        self._rest = piece[limit:]
        return piece[:limit]

    def expect_end(self, url: str) -> None:
        """Refuse a body that goes on."""
        if self.next(1):
            raise DigestMismatch(f"{shown(url)} is longer on the mirror than the approved file")


def _remote(partial: PartialFile) -> RemoteFile:
    return RemoteFile(partial.file.path, partial.file.size)
