"""What a worker of a pull does next: which file, which chunks, as a stream or a range; or wait.

A file begins as one stream, from its first missing chunk. Further workers take further files, and
only then ranges beside a stream, from the file's end towards it, where the mirror seeks: see
agent/pull/seeking.py for what tells, agent/pull/width.py for how many requests there are at once.
Where nothing is left to begin, chunks that are on their way are cut (agent/pull/halves.py).
After a fault that stays nothing new begins, and each worker ends with the chunk it is in, so that
no fault costs another's bytes.

A state machine without clock, network or disk: agent/pull/transfer.py asks and tells, under its
lock. All times are seconds of one monotonic clock.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from escadre.agent.pull.halves import halve, part_again
from escadre.agent.pull.piece import OpenFile, Piece
from escadre.agent.pull.seeking import PATIENCE, Question, allowed
from escadre.agent.pull.width import QUICK, Width
from escadre.clients.sources.errors import MirrorBusy, MirrorError, MirrorSlow
from escadre.clients.sources.retry import RetryPolicy
from escadre.core.weights.manifest import CHUNK_SIZE, ManifestFile

__all__ = ["Handout", "Missing", "Outcome"]

_SLOW_PACE: Final = 64e6  # bytes per second of one stream that make an untried range worth it
_SLOW_AFTER: Final = 1.0  # seconds of a stream after which its pace says something
_WORTH: Final = 5.0  # seconds of it that have to be left


class Outcome(Enum):
    """What becomes of a piece whose request failed."""

    REST = "ask again, once admitted"
    LEAVE = "it is anybody's again"
    GIVE_UP = "the fault stays"


@dataclass(frozen=True, slots=True)
class Missing:
    """A file, and the chunks of it that are not verified."""

    file: ManifestFile
    chunks: Sequence[int]


class Handout:
    """The missing chunks of one model; every chunk is one worker's at a time.

    Args:
        missing: files with at least one missing chunk, in the order they are begun.
        files: most files that are open at once.
        width: how many requests there may be, to begin with.
        retry: how often and how patiently.
    """

    def __init__(
        self, missing: Iterable[Missing], *, files: int, width: Width, retry: RetryPolicy
    ) -> None:
        self._waiting = deque(missing)
        self._open: dict[str, OpenFile] = {}
        self._files, self._retry = files, retry
        self.width = width
        self.ranges = True  # whether the mirror has any
        self.seeks: bool | None = None
        self.question: Question | None = None
        self.fault: BaseException | None = None
        self.asking: set[Piece] = set()
        self._resting: set[Piece] = set()  # between two tries
        self._usual = 0.0
        self._pace = 0.0

    @property
    def over(self) -> bool:
        """Whether no worker will get anything any more."""
        return self.fault is not None or not (
            self._waiting or self._open or self._resting or self.asking
        )

    @property
    def quiet_until(self) -> float | None:
        """When the next request may begin, while none is under way and all wait."""
        if self.asking or not self._resting:
            return None
        again = min(piece.again for piece in self._resting)
        return max(again, self.width.quiet_until)

    def next(self, now: float) -> Piece | None:
        """What to fetch now; None: nothing yet, or nothing any more."""
        # Those that may try again come first.
        busy = len(self.asking) + sum(piece.again <= now for piece in self._resting)
        if self.fault or not self.width.room(busy, now):
            return None
        piece = self._part() or self._stream() or self._range(now) or self._half(now)
        if piece:
            piece.ask(now)
            self.asking.add(piece)
        return piece

    def admit(self, piece: Piece, now: float) -> bool:
        """Whether a piece that rests may be asked for again now."""
        if now < piece.again or not self.width.room(len(self.asking), now):
            return False
        self._resting.discard(piece)
        self.asking.add(piece)
        piece.ask(now)
        return True

    def heard(self, piece: Piece, now: float) -> None:
        """The first byte of a request came."""
        piece.heard, took = now, now - piece.asked
        opened = self._open[piece.file.sha256]
        if piece.beside:
            opened.seeks, opened.trying, self.seeks = True, False, True
        elif piece.at == 0:
            self._usual = max(self._usual, took)
        elif self.ranges and self.seeks is None:
            self.question = Question(took, piece.at * CHUNK_SIZE)
        if took <= QUICK:
            self.width = self.width.grown(self._served, now)

    def joined(self, piece: Piece) -> bool:
        """A part of a chunk that was cut is here; whether all of them are."""
        if piece.cut is None:
            return True
        piece.cut.left -= 1
        return not piece.cut.left

    def verified(self, piece: Piece, now: float) -> bool:
        """The chunk under way is here and good; whether its file is whole with it."""
        opened = self._open[piece.file.sha256]
        opened.left -= 1
        piece.failures = 0
        pace = piece.pace(now)
        if pace and not piece.beside and piece.got >= self._retry.worth:
            self._pace = max(self._pace, pace)
            if self.question and self.seeks is None:
                self.seeks = self.question.answer(self._usual, self._pace)
        self.width = self.width.grown(self._served, now)
        if opened.left:
            return False
        del self._open[piece.file.sha256]
        return True

    def advance(self, piece: Piece) -> bool | None:
        """Go on to the next chunk of the request: to fetch it, to pass over it, or None: enough."""
        opened = self._open.get(piece.file.sha256)
        following = piece.at + 1
        if self.fault or opened is None or following >= piece.end:
            return None
        if following in opened.free:
            opened.free.remove(following)
            piece.enter(following)
            return True
        if self._sparse and any(chunk > following for chunk in opened.free):
            piece.enter(following)
            piece.entire = True  # it is another's
            return False
        return None

    def ended(self, piece: Piece) -> None:
        """A worker is done with a piece."""
        self.asking.discard(piece)
        self._resting.discard(piece)
        opened = self._open.get(piece.file.sha256)
        if opened and opened.stream is piece:
            opened.stream = None

    def returned(self, piece: Piece, *, unranged: bool) -> None:
        """A range beside a stream came to nothing: its chunk is anybody's again."""
        opened = self._put_back(piece)
        if unranged:
            self.ranges = False
        elif opened.seeks is None:
            opened.seeks = self.seeks = False
        else:  # it seeks, and is at its limit
            self.width = self.width.shrunk(len(self.asking), piece.asked, 0.0, 0.0)

    def failed(self, piece: Piece, error: MirrorError, now: float) -> Outcome:
        """A request ended in a fault."""
        self.asking.discard(piece)
        others = len(self.asking)
        empty = piece.got < self._retry.worth
        piece.failures = piece.failures + 1 if empty else 1
        crowded = isinstance(error, MirrorBusy) or (isinstance(error, MirrorSlow) and empty)
        asked = error.delay or 0.0
        spent = piece.failures >= self._retry.tries or asked > self._retry.patience
        if self.fault or not error.transient or (spent and not (crowded and others)):
            return Outcome.GIVE_UP
        pause = self._retry.pause(piece.failures)
        piece.again = now + max(pause, asked)
        if crowded:
            self.width = self.width.shrunk(others, now, pause, asked)
        if crowded and others:  # they show that the mirror is well, and may take the chunk
            piece.failures = 0
            if piece.inside == piece.since:
                self._put_back(piece)
                return Outcome.LEAVE
        self._resting.add(piece)
        return Outcome.REST

    def _put_back(self, piece: Piece) -> OpenFile:
        opened = self._open[piece.file.sha256]
        if piece.cut:
            opened.parts.append(part_again(piece))
        else:
            opened.free = sorted([*opened.free, piece.at])
        opened.trying = opened.trying and not piece.beside
        self.ended(piece)
        return opened

    @property
    def _served(self) -> int:
        return sum(piece.heard is not None for piece in self.asking)

    @property
    def _sparse(self) -> bool:
        """Whether requests in the midst of a file are avoided."""
        return not self.ranges or self.seeks is False

    def _stream(self) -> Piece | None:
        idle = (f for f in self._open.values() if f.free and f.stream is None)
        opened = next(idle, None)
        if opened is None and self._waiting and len(self._open) < self._files:
            missing = self._waiting.popleft()
            opened = OpenFile(missing.file, list(missing.chunks), len(missing.chunks))
            self._open[missing.file.sha256] = opened
        if opened is None:
            return None
        whole = len(opened.file.chunks)
        end = whole if self._sparse else opened.run_end()
        opened.stream = Piece(opened.file, opened.free.pop(0), end)
        return opened.stream

    def _part(self) -> Piece | None:
        """What of a chunk that was cut is nobody's."""
        opened = next((f for f in self._open.values() if f.parts), None)
        return opened.parts.pop() if opened else None

    def _half(self, now: float) -> Piece | None:
        """Half of what is on its way, once nothing else is to be begun."""
        if not self.seeks or self._sparse or any(f.free for f in self._open.values()):
            return None
        half = halve(self.asking, now)
        if half:
            half.patience = self._usual + PATIENCE
        return half

    def _range(self, now: float) -> Piece | None:
        ready = [f for f in self._open.values() if f.free and f.stream and not f.trying]
        if self._sparse or not ready:
            return None
        opened = max(ready, key=lambda f: len(f.free))
        stream = opened.stream
        if stream is None or stream.heard is None or not (self.seeks or self._slow(opened, now)):
            return None
        chunk = opened.free.pop()
        patience = self._usual + PATIENCE
        pace = self._pace or stream.pace(now)
        if opened.seeks is None:
            opened.trying = True
            if pace:
                distance = (chunk - stream.at) * CHUNK_SIZE
                patience = max(0.1, allowed(self._usual, pace, distance))
        return Piece(opened.file, chunk, chunk + 1, beside=True, patience=patience)

    def _slow(self, opened: OpenFile, now: float) -> bool:
        stream = opened.stream
        pace = stream.pace(now) if stream else None
        if (
            stream is None
            or stream.heard is None
            or pace is None
            or now - stream.heard < _SLOW_AFTER
        ):
            return False
        return pace < _SLOW_PACE and len(opened.free) * CHUNK_SIZE / pace > _WORTH
