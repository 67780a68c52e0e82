"""Whether one replica is full while another has next to nothing: told, never scaled on. Pure.

A Service chooses for each connection, and clients keep theirs: a replica that was added gets
nothing of those. One more would get nothing either. core/scaling/telling.py says it, once it lasts:
by chance it comes and goes with every reading.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from escadre.core.scaling.demand import Demand

__all__ = ["Skew", "lasting", "skew_of"]

# Of the requests of the fullest. Chance alone seldom makes it so while the fullest has as many that
# wait as that run: with even choice and twice the requests of a batch each, two are about alike.
_IDLE_SHARE: Final = 4
_LASTING_SECONDS: Final = 30.0


class Skew(NamedTuple):
    """The fullest replica and the emptiest, by slot, with their requests."""

    full: int
    requests: int
    idle: int
    few: int


def skew_of(readings: Sequence[tuple[int, Demand]]) -> Skew | None:
    """None where load is spread well enough: of slots with what was read lately."""
    known = [(one.requests, slot, one) for slot, one in readings if one.requests is not None]
    if not known:
        return None
    most, full, fullest = max(known, key=lambda one: (one[0], -one[1]))
    few, idle, _ = min(known, key=lambda one: (one[0], one[1]))
    queues = (fullest.waiting or 0) >= max(1, fullest.running or 0)
    return Skew(full, most, idle, few) if queues and few * _IDLE_SHARE <= most else None


def lasting(skew: Skew | None, since: float | None, now: float) -> Skew | None:
    """Who they are now, if some were for so long without a break; ``since`` when."""
    return skew if since is not None and now - since >= _LASTING_SECONDS else None
