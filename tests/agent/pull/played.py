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
from escadre.core.weights.manifest import CHUNK_SIZE, ManifestFile, chunk_at, chunk_count

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

    def run(self, patience: float = 1e6) -> "Played":
        if self.probe:
            self._look_for_ranges(self.probe)
        self._at(0.2, self._look)
        self._ask()
        while self._events and not self.handout.over and self.now < patience:
            self.now, _, event = heapq.heappop(self._events)
            for piece in self.handout.asking:
                if piece.heard is not None:
                    piece.got = round((self.now - piece.heard) * self.mirror.pace)
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
            self._start(fresh)

    def _start(self, piece: Piece) -> None:
        self.mirror.asked += 1
        if len(self.handout.asking) > self.mirror.most:
            self.mirror.refused += 1
            self._at(self.mirror.latency, lambda: self._refuse(piece))
            return
        offset = piece.at * CHUNK_SIZE
        took = self.mirror.first_byte(
            piece.file, offset, min(piece.end * CHUNK_SIZE, piece.file.size) - offset
        )
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
        self._go_on(piece, wanted=True)

    def _go_on(self, piece: Piece, *, wanted: bool) -> None:
        size = chunk_at(piece.file, piece.at).size
        self._at(size / self.mirror.pace, lambda: self._arrived(piece, wanted=wanted))

    def _arrived(self, piece: Piece, *, wanted: bool) -> None:
        if wanted:
            self.verified.append((piece.file.path, piece.at))
            self.handout.verified(piece, self.now)
        following = self.handout.advance(piece)
        if following is None:
            self.handout.ended(piece)
        else:
            self._go_on(piece, wanted=following)
