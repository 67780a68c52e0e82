"""How long to wait after failures in a row: doubled each time, up to a longest pause. Pure.

Used by every loop that tries again. Jitter is the caller's, who has the source of randomness.
"""

__all__ = ["pause"]

_DOUBLINGS = 30  # enough for any pause; without a bound, a long outage overflows the power


def pause(failures: int, *, first: float, longest: float) -> float:
    """Seconds to wait after so many ``failures`` in a row: ``first`` after one, then doubled."""
    return min(longest, first * 2.0 ** min(max(failures - 1, 0), _DOUBLINGS))
