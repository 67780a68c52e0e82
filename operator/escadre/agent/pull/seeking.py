"""Whether a mirror seeks: what its first bytes say about ranges in the midst of a file. Pure.

A disk's server has the first byte of a range at once, wherever it is. A cache that is being filled
reads the file from its beginning up to it, and one that does not join requests does so for each of
them anew: there, ranges multiply the load and gain nothing. The two are told apart by time: the
second needs as long as a stream would to get there. Used by agent/pull/handout.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from escadre.core.weights.manifest import ManifestFile

__all__ = ["PATIENCE", "Question", "allowed", "probe_file"]

PATIENCE: Final = 2.0  # most seconds beyond the usual that a quick first byte may take
_TELLING: Final = 0.01  # seconds a stream must need to get there, for the answer to mean anything
_FRACTION: Final = 1 / 8  # of those seconds
_JITTER: Final = 0.003  # seconds that say nothing
_USUAL: Final = 5.0  # seconds; where every first byte is later than that, ranges are not needed
_SMALLEST_PROBE: Final = 1 << 20
_LIKED_PROBE: Final = 4 << 20
_SHARE: Final = 10  # a probe may cost the mirror's source a tenth of the model once more


@dataclass(frozen=True, slots=True)
class Question:
    """A first byte whose meaning shows once the pace of a stream is known.

    Args:
        took: seconds to the first byte.
        distance: bytes from where the mirror was surely able to begin to it.
    """

    took: float
    distance: int

    def answer(self, usual: float, pace: float) -> bool | None:
        """Whether the mirror seeks; None when a stream is too fast to tell.

        Args:
            usual: seconds to the first byte of a stream.
            pace: bytes per second of a stream.
        """
        if self.took >= usual + PATIENCE:
            return False
        if self.distance < pace * _TELLING:
            return None
        return self.took <= allowed(usual, pace, self.distance)


def allowed(usual: float, pace: float, distance: int) -> float:
    """Seconds to the first byte within which a range is no stream in disguise.

    A cache reads on faster than a pull that hashes and writes; hence a fraction of its time.
    """
    return min(usual, _USUAL) + max(_JITTER, min(PATIENCE, distance / pace * _FRACTION))


def probe_file(files: Iterable[ManifestFile]) -> ManifestFile | None:
    """The file to find out with: large enough to tell, small enough to be read twice."""
    ordered = sorted(files, key=lambda file: (file.size, file.path))
    most = sum(file.size for file in ordered) // _SHARE
    fitting = [file for file in ordered if _SMALLEST_PROBE <= file.size <= most]
    liked = [file for file in fitting if file.size >= _LIKED_PROBE]
    return liked[0] if liked else fitting[-1] if fitting else None
