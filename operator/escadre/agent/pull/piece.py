"""What one worker fetches with one request, and what is known of a file while it comes.

Records of agent/pull/handout.py, which alone changes them.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from escadre.core.weights.manifest import ManifestFile, chunk_at

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["Cut", "OpenFile", "Piece"]


@dataclass(slots=True, eq=False)
class Cut:
    """A chunk that several pieces bring parts of.

    Args:
        left: parts that are not here.
        beginning: the digest of its first bytes, once that part is here.
        hashed: how many those are.
    """

    left: int = 1
    beginning: "_Hash | None" = None
    hashed: int = 0


@dataclass(slots=True, eq=False)
class Piece:
    """A run of chunks of one file.

    Args:
        file: which.
        at: the chunk under way.
        end: the chunk behind the last one that the request covers.
        beside: whether it is a range beside the file's stream.
        patience: seconds its first byte may take, None for as long as the mirror is given.
        failures: tries in a row that brought next to nothing.
        again: no further try before.
        asked: when the request began.
        heard: when its first byte came.
        got: bytes since then.
        inside: how far it is in the chunk under way, in bytes.
        since: where in that chunk it began.
        until: where in that chunk it ends, before its last byte; None: with the chunk.
        cut: what it shares with those that bring the other parts of that chunk, if it was cut.
        entire: whether that chunk is not to be cut.
        held: whether its worker has bytes in hand just now.
        hand: how many those were.
    """

    file: ManifestFile
    at: int
    end: int
    beside: bool = False
    patience: float | None = None
    failures: int = 0
    again: float = 0.0
    asked: float = 0.0
    heard: float | None = None
    got: int = 0
    inside: int = 0
    since: int = 0
    until: int | None = None
    cut: Cut | None = None
    entire: bool = False
    held: bool = False
    hand: int = 0

    def ask(self, now: float) -> None:
        """A request begins."""
        self.asked, self.heard, self.got = now, None, 0

    @property
    def stop(self) -> int:
        """Where in the chunk under way it ends."""
        return chunk_at(self.file, self.at).size if self.until is None else self.until

    def enter(self, chunk: int) -> None:
        """Go on to a chunk, from its beginning."""
        self.at, self.inside, self.since = chunk, 0, 0
        self.until, self.cut, self.entire = None, None, False

    def pace(self, now: float) -> float | None:
        """Bytes per second since the first one; None before there is something to say."""
        if self.heard is None or now <= self.heard or not self.got:
            return None
        return self.got / (now - self.heard)


@dataclass(slots=True, eq=False)
class OpenFile:
    """A file whose chunks are being handed out.

    Args:
        file: which.
        free: chunks that are missing and nobody's, in order.
        left: how many chunks are not verified.
        stream: who reads it in order, if somebody does.
        seeks: whether a range beside the stream came quickly; None before one was tried.
        trying: whether one is being tried.
        parts: of chunks that were cut: what somebody had begun to bring and is now nobody's.
    """

    file: ManifestFile
    free: list[int]
    left: int
    stream: Piece | None = None
    seeks: bool | None = None
    trying: bool = False
    parts: list[Piece] = field(default_factory=list)

    def run_end(self) -> int:
        """The chunk behind the run of free chunks that the first one begins."""
        first = self.free[0]
        return next(
            (first + n for n, chunk in enumerate(self.free) if chunk != first + n),
            first + len(self.free),
        )
