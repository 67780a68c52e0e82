"""The bytes of a piece on their way to the disk, chunk by chunk; believed once a digest fits.

Bytes are hashed and written as they arrive; a chunk is marked once its digest is the approved one.
Bytes with another digest are set aside and asked for once more; the second time is a
DigestMismatch, and nothing of the file is served. One thread's; made by agent/pull/transfer.py.
"""

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from escadre.agent.pull.meter import Meter
from escadre.agent.pull.piece import Piece
from escadre.agent.store.blobs import Blobs
from escadre.agent.store.durable import disk_faults
from escadre.agent.store.partial import PartialFile
from escadre.clients.sources.errors import DigestMismatch
from escadre.clients.sources.origins import shown
from escadre.clients.sources.protocol import Data, Source
from escadre.core.weights.manifest import Chunk, chunk_at

__all__ = ["Desk", "Enough", "Intake", "Setting"]


class Enough(Exception):
    """What the worker wanted of a request has come."""


class Desk(Protocol):
    """Where a worker asks and tells while a piece comes; agent/pull/transfer.py has it."""

    def holding(self, piece: Piece) -> AbstractContextManager[None]:
        """While bytes are taken; raises Cancelled once the pull was called off."""
        ...

    def pace(self, count: int) -> None:
        """Wait, where so many bytes came too fast."""
        ...

    def heard(self, piece: Piece) -> None:
        """The first byte came."""
        ...

    def verified(self, piece: Piece, partial: PartialFile, chunk: Chunk) -> None:
        """The chunk under way is good, and marked."""
        ...

    def advance(self, piece: Piece) -> bool | None:
        """The next chunk: to fetch, to pass over, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What the pieces of one pull share: where they come from, where they go, who counts."""

    source: Source
    blobs: Blobs
    meter: Meter
    keep_pages: bool = True  # agent/pull/pagecache.py


class Intake:
    """Takes what comes of one piece.

    Args:
        piece: which.
        partial: where it goes.
        desk: told of each step.
        setting: of the pull.
    """

    def __init__(self, piece: Piece, partial: PartialFile, desk: Desk, setting: Setting) -> None:
        self._piece, self._partial, self._desk = piece, partial, desk
        self._source, self._blobs, self._meter = setting.source, setting.blobs, setting.meter
        self._rejected: set[int] = set()
        self.done = False
        self._enter(wanted=True)

    def _enter(self, *, wanted: bool) -> None:
        self._chunk = chunk_at(self._piece.file, self._piece.at)
        self._hasher = hashlib.sha256() if wanted else None
        self._piece.inside = 0

    @property
    def position(self) -> int:
        """The next byte of the file that is needed."""
        return self._chunk.offset + self._piece.inside

    def take(self, data: Data) -> None:
        """Take the next bytes; raises Enough when what follows is not wanted."""
        with self._desk.holding(self._piece):
            if data and self._piece.heard is None:
                self._desk.heard(self._piece)
            self._piece.got += len(data)
            self._spread(memoryview(data))
        self._desk.pace(len(data))

    def _spread(self, view: memoryview) -> None:
        while view and not self.done:
            part = view[: self._chunk.size - self._piece.inside]
            if self._hasher:
                self._keep(part)
            self._piece.inside += len(part)
            view = view[len(part) :]
            if self._piece.inside == self._chunk.size:
                self._turn()

    def abandon(self) -> None:
        """What came of the chunk under way is of no use."""
        if self._hasher:
            self._meter.lost(self._piece.inside)
        self._piece.inside = 0

    def _keep(self, part: memoryview) -> None:
        if self._hasher:
            self._hasher.update(part)
        with disk_faults(f"writing {self._partial.file.path}", self._blobs.root):
            self._partial.write(self.position, part)
        self._meter.arrived(len(part))

    def _turn(self) -> None:
        """A chunk is complete: believe it or not, and go on to the next."""
        if self._hasher:
            if self._hasher.hexdigest() != self._chunk.sha256:
                self._reject(self._hasher.hexdigest())
            with disk_faults(f"marking {self._partial.file.path}", self._blobs.root):
                self._partial.mark(self._chunk)
            self._desk.verified(self._piece, self._partial, self._chunk)
            self._hasher = None  # what came is no more to lose
        wanted = self._desk.advance(self._piece)
        if wanted is not None:
            self._enter(wanted=wanted)
            return
        self.done = True
        if self._chunk.index + 1 < self._piece.end:
            raise Enough

    def _reject(self, got: str) -> None:
        chunk, file = self._chunk, self._piece.file
        self.abandon()
        self._hasher = hashlib.sha256()
        again = chunk.index in self._rejected
        self._rejected.add(chunk.index)
        url = shown(self._source.url(file.path))
        sample = self._partial.read(chunk.offset, chunk.size)
        where = self._blobs.set_aside(url, file, chunk, sample)
        raise DigestMismatch(
            f"{file.path}, chunk {chunk.index} (bytes {chunk.offset}-"
            f"{chunk.offset + chunk.size - 1}) from mirror {self._source.name}, {url}: "
            f"sha256 {got}, approved is {chunk.sha256}; nothing of the model "
            f"is served; sample: {where}",
            transient=not again,
        )
