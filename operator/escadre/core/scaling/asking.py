"""How many replicas the demand asks for, by what one of them serves within its level. Pure.

The rate of requests that is reckoned with is the greatest of three::

    now      the mean over a short time
    usual    at or below which the level's share of the last window's requests arrived, in pieces
             as long as a burst may be worked off
    then     the mean of minutes, and its rise until a load would have ended

Of these ``usual`` is why short bursts do not move the number back and forth: traffic whose bursts
are shorter than a load is served by what is there when they come, or not at all. To it comes what
waits, to be worked off within a minute. Where engines tell no counters, requests in the engines
are held against those of a full replica.
"""

import math
from typing import Final

from escadre.core.scaling.capacity import capacity_of
from escadre.core.scaling.decision import Asked, Limits, Seen
from escadre.core.scaling.flow import Average, Flow, follow
from escadre.core.scaling.learning import Factors
from escadre.core.scaling.service import Service

__all__ = ["ask", "followed"]

# Shares of the capacity: above the first more replicas are made, below the second fewer are kept.
_UP: Final = 1.0
_DOWN: Final = 0.85
_NEAR: Final = 15.0  # seconds
_WIDE: Final = (60.0, 300.0)  # seconds, the least and the most
_BIN: Final = (20.0, 60.0)  # seconds
_LATE: Final = 3.0  # times the time to the first token is how long a burst is worked off
_BACKLOG_SECONDS: Final = 60.0
_TREND: Final = 1.0


def followed(flow: Flow | None, seen: Seen, service: Service, window: float, now: float) -> Flow:
    """The flow after a look; a load's time says over how long to look."""
    load = service.load.median
    if flow is None:
        wide = _within(load / 2, _WIDE)
        flow = Flow(Average(_NEAR), Average(wide), Average(3 * wide))
    width = _within(_LATE * service.level.time_to_first_token, _BIN)
    return follow(flow, seen.readings, now, max(window, load), width)


def ask(flow: Flow | None, seen: Seen, limits: Limits, factors: Factors) -> Asked:
    """By the capacity, or by the fixed target; ``factors`` are those of the prior's times."""
    service = limits.service
    if service is None or flow is None:
        number = -(-seen.demand // limits.target)
        return Asked(number, number, seen.demand / limits.target)
    mix = flow.tokens.mix
    speed = factors.of(service.prior.speed)
    capacity = capacity_of(speed, mix, service.prior, service.level)
    if not flow.known:
        load, rate = seen.demand / capacity.requests, None
    else:
        now, usual = flow.near.rate, flow.usual(service.level.share)
        rate = max(now, usual, _then(flow, service.load.median))
        backlog = seen.waiting * capacity.work / _BACKLOG_SECONDS
        load = rate / capacity.rate + backlog
    return Asked(
        up=_ceil(load / _UP),
        down=_ceil(load / _DOWN),
        load=load,
        rate=rate,
        mix=mix,
        capacity=capacity,
        learned=factors != Factors(),
    )


def _then(flow: Flow, load: float) -> float:
    """By the trend, when a load that begins now has ended."""
    wide, far = flow.wide, flow.far
    rise = max(0.0, wide.rate - far.rate) / (far.seconds - wide.seconds)
    return wide.rate + _TREND * rise * (wide.seconds + load)


def _within(value: float, bounds: tuple[float, float]) -> float:
    return max(bounds[0], min(value, bounds[1]))


def _ceil(value: float) -> int:
    return math.ceil(value - 1e-9)
