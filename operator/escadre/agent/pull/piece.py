"""What one worker fetches with one request, and what is known of a file while it comes.

Records of agent/pull/handout.py, which alone changes them.
"""

from dataclasses import dataclass

from escadre.core.weights.manifest import ManifestFile

__all__ = ["OpenFile", "Piece"]


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
        inside: bytes that are here of the chunk under way.
        held: whether its worker has bytes in hand just now.
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
    held: bool = False

    def ask(self, now: float) -> None:
        """A request begins."""
        self.asked, self.heard, self.got = now, None, 0

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
    """

    file: ManifestFile
    free: list[int]
    left: int
    stream: Piece | None = None
    seeks: bool | None = None
    trying: bool = False

    def run_end(self) -> int:
        """The chunk behind the run of free chunks that the first one begins."""
        first = self.free[0]
        return next(
            (first + n for n, chunk in enumerate(self.free) if chunk != first + n),
            first + len(self.free),
        )
