"""Cuts a chunk that is on its way, so that at the end of a pull nobody waits for its last reader.

Where nothing is left to begin, whoever is idle takes the back half of what takes longest; what
comes of the halves is hashed once all are here (agent/pull/intake.py). Pure; used by
agent/pull/handout.py.
"""

from collections.abc import Iterable
from typing import Final

from escadre.agent.pull.piece import Cut, Piece

__all__ = ["halve", "part_again"]

_GRAIN: Final = 1.0  # seconds that have to be left of a part: a request costs some of them
_LEAST: Final = 2 << 20  # bytes that have to be left of it


def halve(pieces: Iterable[Piece], now: float) -> Piece | None:
    """The back half of what takes longest of these, to be fetched beside it.

    What its worker has in hand just now stays with it: no byte is written by two.
    """
    rests = [(_seconds(piece, now), piece) for piece in pieces if not piece.entire]
    longest, piece = max(rests, key=lambda rest: rest[0], default=(0.0, None))
    if piece is None or longest < _GRAIN:
        return None
    end = piece.stop
    begin = _begin(piece)
    if end - begin < _LEAST:
        return None
    piece.cut = piece.cut or Cut()
    piece.cut.left += 1
    piece.until = begin + (end - begin) // 2
    return _part(piece, piece.until, end, beside=True)


def part_again(piece: Piece) -> Piece:
    """A part that came to nothing, to be fetched by somebody else as its beginning was not."""
    return _part(piece, piece.since, piece.stop, beside=False)


def _part(piece: Piece, begin: int, end: int, *, beside: bool) -> Piece:
    part = Piece(piece.file, piece.at, piece.at + 1, beside=beside)
    part.since = part.inside = begin
    part.until, part.cut = end, piece.cut
    return part


def _begin(piece: Piece) -> int:
    hand = piece.hand  # looked at first: what it holds moves on without the lock
    return hand + piece.inside


def _seconds(piece: Piece, now: float) -> float:
    """Until it is here; 0 for what has not begun to come."""
    pace = piece.pace(now)
    return (piece.stop - _begin(piece)) / pace if pace else 0.0
