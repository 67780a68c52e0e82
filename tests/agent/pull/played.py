"""A pull in virtual time: the handout as it is, against mirrors that are played.

A mirror says of each request how long its first byte takes and how fast the rest comes, or refuses
it; it counts what that costs the source behind it.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from typing_extensions import override

from escadre.agent.pull.handout import Handout, Missing, Outcome
from escadre.agent.pull.piece import Piece
from escadre.agent.pull.seeking import PATIENCE, Question, probe_file
from escadre.agent.pull.width import Width
from escadre.clients.sources.errors import MirrorBusy, MirrorError
from escadre.clients.sources.retry import RetryPolicy
from escadre.core.weights.manifest import CHUNK_SIZE, ManifestFile, chunk_count

MIB = 1 << 20


def a_file(name: str, size: int) -> ManifestFile:
    return ManifestFile(name, size, name.ljust(64, "0"), ("",) * chunk_count(size))


@dataclass
class Mirror:
    """One that has its files on a disk: each first byte comes at once.

    Args:
        pace: bytes per second of a connection.
        latency: seconds to any first byte.
        most: requests at once; a further one is refused.
    """

    pace: float = 100e6
    latency: float = 0.002
    most: int = 64
    retry_after: float | None = None
    asked: int = 0
    refused: int = 0
    source_bytes: int = 0

    def first_byte(self, file: ManifestFile, offset: int, size: int) -> float:
        del file, offset
        self.source_bytes += size
        return self.latency


@dataclass
class Filling(Mirror):
    """A cache that is cold, and reads a file from its beginning for each request."""

    @override
    def first_byte(self, file: ManifestFile, offset: int, size: int) -> float:
        del size
        self.source_bytes += file.size
        return self.latency + offset / self.pace


@dataclass
class Played:
    """One pull.

    Args:
        mirror: who answers.
        files: what is missing.
        done: chunks that are here, by file name.
        ceiling: most requests at once.
    """

    mirror: Mirror
    files: Iterable[ManifestFile]
    done: dict[str, set[int]] = field(default_factory=dict)
    ceiling: int = 8
    watch: Callable[["Played"], None] = lambda _: None
    now: float = 0.0
    verified: list[tuple[str, int]] = field(default_factory=list)
    brought: list[tuple[str, int, int]] = field(default_factory=list)  # by whom: file, first, end
    error: MirrorError | None = None

    def __post_init__(self) -> None:
        files = sorted(self.files, key=lambda file: -file.size)
        missing = [
            Missing(
                file, [n for n in range(len(file.chunks)) if n not in self.done.get(file.path, ())]
            )
            for file in files
        ]
        self.probe = probe_file(files)
        missing.sort(key=lambda each: each.file is not self.probe)
        self.handout = Handout(
            missing, files=4, width=Width(self.ceiling), retry=RetryPolicy(base=1.0)
        )
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._resting: set[Piece] = set()
        self._coming: dict[Piece, tuple[float, int]] = {}  # since when from where in its chunk

    def run(self, patience: float = 1e6) -> "Played":
        if self.probe:
            self._look_for_ranges(self.probe)
        self._at(0.2, self._look)
        self._ask()
        while self._events and not self.handout.over and self.now < patience:
            self.now, _, event = heapq.heappop(self._events)
            for piece in self.handout.asking:
                self._move(piece)
            event()
            self._ask()
            self.watch(self)
        return self

    def _look_for_ranges(self, file: ManifestFile) -> None:
        offset = file.size - 65536
        took = self.mirror.first_byte(file, offset, 65536)
        self.now += min(took, PATIENCE)
        if took > PATIENCE:
            self.handout.seeks = False
        else:
            self.handout.question = Question(took, offset)

    def _at(self, delay: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._order), event))

    def _look(self) -> None:
        self._at(0.2, self._look)

    def _ask(self) -> None:
        for piece in sorted(self._resting, key=lambda piece: piece.again):
            if self.handout.admit(piece, self.now):
                self._resting.discard(piece)
                self._start(piece)
        while fresh := self.handout.next(self.now):
            for piece in self.handout.asking & self._coming.keys():
                if piece.cut and piece.cut is fresh.cut:
                    self._come(piece, wanted=True)  # it has less to bring now
            self._start(fresh)

    def _move(self, piece: Piece) -> None:
        if piece.heard is not None:
            piece.got = round((self.now - piece.heard) * self.mirror.pace)
        if piece in self._coming:
            since, begin = self._coming[piece]
            piece.inside = min(piece.stop, begin + round((self.now - since) * self.mirror.pace))

    def _start(self, piece: Piece) -> None:
        self.mirror.asked += 1
        if len(self.handout.asking) > self.mirror.most:
            self.mirror.refused += 1
            self._at(self.mirror.latency, lambda: self._refuse(piece))
            return
        chunk = piece.at * CHUNK_SIZE
        offset = chunk + piece.inside
        end = chunk + piece.stop if piece.cut else min(piece.end * CHUNK_SIZE, piece.file.size)
        took = self.mirror.first_byte(piece.file, offset, end - offset)
        if piece.beside and piece.patience is not None and took > piece.patience:
            self._at(piece.patience, lambda: self.handout.returned(piece, unranged=False))
        else:
            self._at(took, lambda: self._begin(piece))

    def _refuse(self, piece: Piece) -> None:
        error = MirrorBusy("HTTP 503", transient=True, delay=self.mirror.retry_after)
        outcome = self.handout.failed(piece, error, self.now)
        if outcome is Outcome.REST:
            self._resting.add(piece)
        elif outcome is Outcome.GIVE_UP:
            self.error = self.handout.fault = error
            self.handout.ended(piece)

    def _begin(self, piece: Piece) -> None:
        self.handout.heard(piece, self.now)
        self._come(piece, wanted=True)

    def _come(self, piece: Piece, *, wanted: bool) -> None:
        told = self._coming[piece] = (self.now, piece.inside)
        rest = piece.stop - piece.inside
        self._at(rest / self.mirror.pace, lambda: self._arrived(piece, told, wanted=wanted))

    def _arrived(self, piece: Piece, told: tuple[float, int], *, wanted: bool) -> None:
        if self._coming.get(piece) is not told:
            return  # it was cut meanwhile, and came before
        del self._coming[piece]
        piece.inside = piece.stop
        if wanted:
            chunk = piece.at * CHUNK_SIZE
            self.brought.append((piece.file.path, chunk + piece.since, chunk + piece.stop))
            if self.handout.joined(piece):
                self.verified.append((piece.file.path, piece.at))
                self.handout.verified(piece, self.now)
        following = None if piece.cut else self.handout.advance(piece)
        if following is None:
            self.handout.ended(piece)
        else:
            self._come(piece, wanted=following)
