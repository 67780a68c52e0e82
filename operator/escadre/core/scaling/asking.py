"""How many replicas the demand asks for, by what one of them serves within its level. Pure.

The rate of requests that is reckoned with is the greatest of three::

    now      the mean over a short time
    usual    at or below which the level's share of the last window's requests arrived, in pieces
             as long as a burst may be worked off
    then     the mean of minutes, and its rise until a load would have ended

Of these ``usual`` is why short bursts do not move the number back and forth. To it comes what
waits, to be worked off within a minute; and at least so many are asked for as bursts that come
again and again need to be there before (core/scaling/past.py). While another deployment waits for
GPUs it is the rate of now alone, by what a replica can bear. Where engines tell no counters,
requests in the engines are held against those of a full replica.
"""

from dataclasses import replace
from typing import Final

from escadre.core.scaling.capacity import Capacity
from escadre.core.scaling.decision import Asked, Limits, ScaleState, Seen, enough
from escadre.core.scaling.flow import Average, Flow, follow
from escadre.core.scaling.learning import AS_PRIOR, Factors
from escadre.core.scaling.past import Past, missed
from escadre.core.scaling.service import Service
from escadre.core.scaling.serving import Serving
from escadre.core.scaling.sharing import Sharing

__all__ = ["ask", "followed"]

_DOWN: Final = 0.85  # of the capacity: below, fewer are kept
_NEAR: Final = 15.0  # seconds
_WIDE: Final = (60.0, 300.0)  # seconds, the least and the most
_BIN: Final = (20.0, 60.0)  # seconds
_SHORT: Final = (9.0, 60.0)  # seconds
_WAITED: Final = 2.0  # times the time to the first token, or a burst is worked off in time
_LATE: Final = 3.0  # times the time to the first token is how long a burst is worked off
_BACKLOG_SECONDS: Final = 60.0
_TREND: Final = 1.0


def followed(
    state: ScaleState, seen: Seen, limits: Limits, factors: Factors, window: float
) -> Flow | None:
    """The flow after a look; None where no service says what a replica is to do.

    A load's time says over how long to look; it is known only once a replica serves, and changes
    with what loads. Once in a piece of the past it is reckoned how many replicas are to be kept for
    what cannot be followed; what another leader had found counts until the past is as long as his
    was.
    """
    flow, service = state.flow, limits.service
    if service is None:
        return flow
    load, level = service.load.median, service.level
    inherited = min(state.inherited, limits.maximum)
    width = _within(_LATE * level.time_to_first_token, _BIN)
    short = _within(_WAITED * level.time_to_first_token, _SHORT)
    wide = _within(load / 2, _WIDE)
    if flow is None:
        near, middle, far = Average(_NEAR), Average(wide), Average(3 * wide)
        sharing = Sharing(begun=state.inherited_even)
        flow = Flow(near, middle, far, Past(width, short), kept=inherited, sharing=sharing)
    elif (past := flow.past.of(width, short)) is not flow.past:
        flow = replace(flow, past=past)
    flow = follow(flow.over(wide, 3 * wide), seen.readings)
    if not flow.past.full(flow.open):
        return flow
    past = flow.past.after(flow.open, _followed(flow, service, window))
    alone = _serving(flow, service, factors, limits.maximum).each(1)
    kept = missed(past, alone.rate, level.share, load, limits.maximum)
    if not past.whole:
        kept = max(kept, inherited)
    return replace(flow, past=past, open=flow.open.next, kept=kept)


def ask(flow: Flow | None, seen: Seen, limits: Limits, factors: Factors, window: float) -> Asked:
    """By the capacity, or by the fixed target; ``factors`` are those of the prior's times."""
    service = limits.service
    if service is None or flow is None:
        number = -(-seen.demand // limits.target)
        return Asked(number, number, seen.demand / limits.target)
    serving = _serving(flow, service, factors, limits.maximum, borne=limits.contended)
    kept, rate = 0 if limits.contended else flow.kept, None
    if flow.known:
        lately = max(flow.near.rate, flow.wide.rate)
        rate = lately if limits.contended else _followed(flow, service, window)

    def load_of(each: Capacity) -> float:
        """In replicas."""
        if rate is None:
            return seen.demand / each.requests
        return rate / each.rate + seen.waiting * each.work / _BACKLOG_SECONDS

    up, capacity = serving.fewest(load_of)
    load = load_of(capacity)
    return Asked(
        up=max(up, kept),
        down=max(enough(load / _DOWN), kept),
        load=load,
        rate=rate,
        mix=flow.tokens.mix,
        capacity=capacity,
        learned=factors != AS_PRIOR,
        kept=kept,
        even=serving.even,
    )


def _serving(
    flow: Flow, service: Service, factors: Factors, most: int, *, borne: bool = False
) -> Serving:
    """Within the level, or what can be borne while others wait for the GPUs."""
    speed, mix = factors.of(service.prior.speed), flow.tokens.mix.near
    return Serving(speed, mix, service, flow.sharing.even, most, borne)


def _followed(flow: Flow, service: Service, window: float) -> float:
    """Requests per second by what came of late."""
    load = service.load.median
    usual = flow.past.usual(service.level.share, max(window, load))
    return max(flow.near.rate, usual, _then(flow, load))


def _then(flow: Flow, load: float) -> float:
    """By the trend, when a load that begins now has ended."""
    wide, far = flow.wide, flow.far
    rise = max(0.0, wide.rate - far.rate) / (far.seconds - wide.seconds)
    return wide.rate + _TREND * rise * (wide.seconds + load)


def _within(value: float, bounds: tuple[float, float]) -> float:
    return max(bounds[0], min(value, bounds[1]))
