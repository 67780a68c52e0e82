"""The bytes of a piece on their way to the disk, chunk by chunk; believed once a digest fits.

Bytes are hashed and written as they arrive; a chunk is marked once its digest is the approved one.
Of a chunk that was cut the first part is hashed so; whoever brings the last one hashes the rest
from the disk's cache, once nobody writes to it any more.
Bytes with another digest are set aside and asked for once more; the second time is a
DigestMismatch, and nothing of the file is served. One thread's; made by agent/pull/transfer.py.
"""

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from escadre.agent.pull.meter import Meter
from escadre.agent.pull.piece import Cut, Piece
from escadre.agent.store.blobs import Blobs
from escadre.agent.store.durable import disk_faults
from escadre.agent.store.partial import PartialFile
from escadre.clients.sources.errors import DigestMismatch
from escadre.clients.sources.origins import shown
from escadre.clients.sources.protocol import Data, Source
from escadre.core.weights.manifest import CHUNK_SIZE, Chunk, chunk_at

__all__ = ["Desk", "Enough", "Intake", "Setting"]

_PIECE: Final = 1 << 20  # bytes that are read at once


class Enough(Exception):
    """What the worker wanted of a request has come."""


class Desk(Protocol):
    """Where a worker asks and tells while a piece comes; agent/pull/transfer.py has it."""

    def holding(self, piece: Piece, count: int) -> AbstractContextManager[None]:
        """While so many bytes are taken; raises Cancelled once the pull was called off."""
        ...

    def pace(self, count: int) -> None:
        """Wait, where so many bytes came too fast."""
        ...

    def heard(self, piece: Piece) -> None:
        """The first byte came."""
        ...

    def joined(self, piece: Piece) -> bool:
        """What the piece is to bring of a chunk is here; whether all of that is."""
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
        self._asked = 0
        self.done = False
        self._enter(wanted=True)

    def _enter(self, *, wanted: bool) -> None:
        piece = self._piece
        self._chunk = chunk_at(piece.file, piece.at)
        self._wanted = wanted
        self._hasher = hashlib.sha256() if wanted and not piece.since else None

    @property
    def position(self) -> int:
        """The next byte of the file that is needed."""
        return self._chunk.offset + self._piece.inside

    def ask(self) -> tuple[int, int]:
        """The bytes of the file to ask for now: the first, and the one behind the last."""
        piece = self._piece
        whole = min(piece.end * CHUNK_SIZE, piece.file.size)
        self._asked = whole if piece.cut is None else self._chunk.offset + piece.stop
        return self.position, self._asked

    def take(self, data: Data) -> None:
        """Take the next bytes; raises Enough when what follows is not wanted."""
        with self._desk.holding(self._piece, len(data)):
            if data and self._piece.heard is None:
                self._desk.heard(self._piece)
            self._piece.got += len(data)
            self._spread(memoryview(data))
        self._desk.pace(len(data))

    def _spread(self, view: memoryview) -> None:
        while view and not self.done:
            part = view[: self._piece.stop - self._piece.inside]
            if self._wanted:
                self._keep(part)
            self._piece.inside += len(part)
            view = view[len(part) :]
            if self._piece.inside == self._piece.stop:
                self._turn()

    def abandon(self) -> None:
        """What came of the chunk under way is of no use."""
        piece = self._piece
        if self._wanted:
            self._meter.lost(piece.inside - piece.since)
        piece.inside = piece.since

    def _keep(self, part: memoryview) -> None:
        if self._hasher:
            self._hasher.update(part)
        with disk_faults(f"writing {self._partial.file.path}", self._blobs.root):
            self._partial.write(self.position, part)
        self._meter.arrived(len(part))

    def _turn(self) -> None:
        """All is here that this piece brings of a chunk: judge the chunk, and go on to the next."""
        at, cut = self.position, self._piece.cut
        if self._wanted:
            if cut and self._hasher:
                cut.beginning, cut.hashed = self._hasher, self._piece.inside
            if self._desk.joined(self._piece):
                self._judge()
            self._wanted = False  # what came is no more to lose
        wanted = None if cut else self._desk.advance(self._piece)
        if wanted is not None:
            self._enter(wanted=wanted)
            return
        self.done = True
        if at < self._asked:
            raise Enough

    def _judge(self) -> None:
        """Believe a chunk that is here, or not."""
        if (got := self._digest()) != self._chunk.sha256:
            self._reject(got)
        with disk_faults(f"marking {self._partial.file.path}", self._blobs.root):
            self._partial.mark(self._chunk)
        self._desk.verified(self._piece, self._partial, self._chunk)

    def _digest(self) -> str:
        """Of the chunk; what of it was not hashed as it came is read again."""
        cut = self._piece.cut or Cut(beginning=self._hasher, hashed=self._piece.inside)
        hasher = cut.beginning or hashlib.sha256()
        with disk_faults(f"reading {self._partial.file.path}", self._blobs.root):
            for at in range(cut.hashed if cut.beginning else 0, self._chunk.size, _PIECE):
                count = min(_PIECE, self._chunk.size - at)
                hasher.update(self._partial.read(self._chunk.offset + at, count))
        return hasher.hexdigest()

    def _reject(self, got: str) -> None:
        chunk, file = self._chunk, self._piece.file
        self._meter.lost(chunk.size)
        self._piece.enter(chunk.index)  # all of it is this worker's now
        self._piece.entire = True
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
