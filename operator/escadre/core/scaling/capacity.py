"""How many requests one replica serves within its service level. Pure.

Requests of P prompt and A answer tokens arrive at a rate r. By the model of core/engines/speed.py
one takes x = P / prefill speed of the engine's time for its prompt and k = per_running +
per_cached_token × (P + A/2) for each token of its answer. Then

    utilisation           U = r (x + A k)
    time between tokens   g = fixed / (1 - U)             a step waits for the prompts of others
    in the batch          B = r A g                       Little's law
    first token           x / (1 - U) on the mean, exponential as of a queue M/M/1
    mean gap of a request g + x / (1 - U) × (z sqrt(12 r g / A) + 3 (z² - 1) / A)
                                                          prompts come in between by chance

and what must hold for the level's share of the requests (z, of deviations) bounds r: the two
objectives, ``max_num_seqs`` and the cache, the last two with room for z deviations of a Poisson
number.

That is a replica alone, as behind a Service, which chooses by chance. Where requests are shared
well, n replicas are as one queue (core/scaling/sharing.py says of how many): the first token waits
as in M/M/n, with Sakasegawa's U^(sqrt(2 (n + 1)) - 1) as the share that waits, and each number that
chance moves has an n-th of its variance, but for the lengths of prompts in a cache. Against two to
twelve replicas played behind a gateway that gives each request to the least loaded (five uses, six
levels) the rate is 0.96 times as much in the median, 0.78 to 1.08 in nine of ten.

The gap's term in z² - 1 is the skewness' in the expansion of Cornish and Fisher, where z > 1: the
more requests are to be in time, the more the few count that have many prompts between few tokens.
The 12, the 3 and the share of the cache were fitted to what core/simulation/sizing.py finds by
playing: five layouts, three uses, six objectives, shares of 0.5 to 0.99. Where that keeps a replica
busy for more than an eighth of its time (421 of 450) the rate is 0.93 to 1.06 times as much in the
median of each bound and share, 0.66 times at the least and 1.7 at the most.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import Final, Literal, NamedTuple

from escadre.core.engines.speed import Speed
from escadre.core.scaling.service import Prior, ServiceLevel

__all__ = ["Alone", "Bound", "Capacity", "Mix", "capacity_of", "deviations", "sustained"]

Bound = Literal["first token", "between tokens", "batch", "cache"]

_LUMPS: Final = 12.0
_SKEW: Final = 3.0
# Where not even a request alone meets the level, more replicas would not help: a quarter is used.
_ALONE: Final = 0.25
_FULL: Final = 0.95
_CACHED: Final = 0.9  # of the cache on the mean, for blocks are not free at once and whole
_SURELY: Final = 0.9987  # three deviations
_HALVINGS: Final = 16
_ALIKE: Final = 1e-6
_STEP: Final = 0.01  # of the logarithm, between two neighbouring mixes
_KNOWN: Final = 4096  # capacities of late; deployments whose mix does not change reckon none
_NEVER_LATE: Final = ServiceLevel(math.inf, math.inf)

_Failed = Bound | None  # a name, for it is asked for with each function that `_bounds` makes
_Fails = Callable[[float], _Failed]


class Mix(NamedTuple):
    """Tokens of a mean request, more than 0."""

    prompt: float
    answer: float

    @property
    def near(self) -> "Mix":
        """One of few that is within 0.5 % of it, so that what was reckoned for it holds longer."""
        return Mix(*[math.exp(round(math.log(one) / _STEP) * _STEP) for one in self])


@dataclass(frozen=True, slots=True)
class Alone:
    """Within how many seconds the level's share of the requests are served, each by itself."""

    first_token: float
    between_tokens: float


class Capacity(NamedTuple):
    """What one replica serves within the level.

    Args:
        rate: requests per second.
        requests: in the engine at that rate, on average.
        work: seconds of the engine's time that a request takes.
        bound: what would fail first beyond it.
        missed: what requests alone have, where not even they keep the level.
    """

    rate: float
    requests: float
    work: float
    bound: Bound
    missed: Alone | None = None


class _Replica(NamedTuple):
    """A mix on a replica, in the module's letters.

    ``k`` is the engine's time for all tokens of an answer, ``longest`` the seconds of the longest
    prompt there can be, ``alone`` those of a request with nobody beside it, ``tokens`` what it has
    in the cache on the mean, ``n`` as how many the replicas are one queue.
    """

    x: float
    k: float
    longest: float
    fixed: float
    answer: float
    alone: float
    tokens: float
    z: float
    n: float

    @property
    def work(self) -> float:
        """Seconds of the engine's time that a request takes."""
        return self.x + self.k

    def first(self, share: float) -> float:
        """Within which so many of the prompts are read by an idle engine, however long they are."""
        return -math.log(1 - share) * self.x


@lru_cache(maxsize=64)
def deviations(share: float) -> float:
    """How many standard deviations above the mean that share of a normal distribution ends."""
    return NormalDist().inv_cdf(share)


@lru_cache(maxsize=_KNOWN)
def capacity_of(
    speed: Speed, mix: Mix, prior: Prior, level: ServiceLevel, together: float = 1.0
) -> Capacity:
    """Of a replica of this ``speed``, which is the prior's or what was learned.

    ``together``: as how many replicas they share their requests like one queue, 1 or more.
    """
    replica = _replica(speed, mix, prior, level, together)
    return _greatest(_bounds(replica, prior, level, level), replica, level)


@lru_cache(maxsize=_KNOWN)
def sustained(
    speed: Speed, mix: Mix, prior: Prior, level: ServiceLevel, together: float = 1.0
) -> Capacity:
    """What it answers at all, late as it may be: beyond, the queue grows.

    With more room than a level for few of the requests leaves, for nobody comes to help soon.
    """
    surely = replace(level, share=max(level.share, _SURELY))
    replica = _replica(speed, mix, prior, surely, together)
    borne = _greatest(_bounds(replica, prior, surely, _NEVER_LATE), replica, surely)
    within = capacity_of(speed, mix, prior, level, together)
    return borne if borne.rate > within.rate else within


def _replica(
    speed: Speed, mix: Mix, prior: Prior, level: ServiceLevel, together: float
) -> _Replica:
    decode, answer, read = speed.decode, mix.answer, speed.prefill_tokens_per_second
    x, tokens = mix.prompt / read, mix.prompt + answer / 2
    return _Replica(
        x=x,
        k=answer * (decode.per_running + decode.per_cached_token * tokens),
        longest=max(x, prior.max_model_len / read),
        fixed=decode.fixed,
        answer=answer,
        alone=answer * decode.fixed + x,
        tokens=tokens,
        z=deviations(level.share),
        n=together,
    )


def _bounds(replica: _Replica, prior: Prior, level: ServiceLevel, kept: ServiceLevel) -> _Fails:
    """What fails at a rate below 1 / work; ``kept`` has the objectives that must hold.

    Many rates are tried for each decision, so what no rate changes is reckoned once, out here.
    """
    x, k, longest, fixed, answer, alone, tokens, z, n = replica
    work, first, may_be_late = replica.work, replica.first(level.share), 1 - level.share
    reading, between_tokens = kept.time_to_first_token - fixed, kept.inter_token_latency
    seats, cache, longer = prior.max_num_seqs, prior.cache_tokens, max(answer, 1.0)
    full, patience = _FULL * seats, seats * level.time_to_first_token
    busy, sqrt, room = 1 - _ALONE, math.sqrt, _CACHED * cache
    skew = _SKEW * max(0.0, z * z - 1) / (longer * n)
    lumpy, chance, lengths = _LUMPS / (longer * n), 1 / n, 1 + 1 / n

    def fails(rate: float) -> _Failed:
        idle = 1 - rate * work
        gap = fixed / idle
        if idle < busy:
            left = 1 - rate * k  # of the time, for prompts
            if n == 1 and reading * left < longest:
                late = first > reading * idle  # what is below, in short
            else:
                late = _late(reading, x / left, longest / left, rate * x / left, n) > may_be_late
            if late:
                return "first token"
            lumps = z * sqrt(lumpy * rate * gap) + skew
            if gap + lumps * x / idle > between_tokens:
                return "between tokens"
        batch = rate * answer * gap
        # Who finds the batch full waits, and has a seat in time while enough are given up.
        if batch > full or batch + z * sqrt(batch * chance) > seats + patience / (longer * gap):
            return "batch"
        # Prompts differ as an exponential does, so tokens vary twice as much as requests.
        held = rate * alone / idle
        most = held + z * sqrt(lengths * held)
        return "cache" if held * tokens > room or most * tokens > cache else None

    return fails


def _late(seconds: float, x: float, longest: float, used: float, n: float) -> float:
    """The share of the prompts that are not read within so many seconds, waiting included.

    Their own times are exponential about ``x`` and ``longest`` at the most; those who wait, wait
    exponentially. With n = 1 and no longest that is M/M/1's exp(-seconds (1 - used) / x).
    """
    if seconds <= 0 or used >= 1:
        return 1.0
    read, served = 1 / x, n * (1 - used) / x
    until, apart, left = min(seconds, longest), read - served, served * seconds
    # The integral, over a prompt's own time, of who waits for longer than what is left then.
    if abs(apart * until) < _ALIKE:
        waits = read * until * math.exp(-left)
    else:
        waits = read * (math.exp(-left) - math.exp(-left - apart * until)) / apart
    queue: float = used ** (math.sqrt(2 * (n + 1)) - 1)
    own = math.exp(-read * until)
    if seconds >= longest:
        own *= queue * math.exp(-served * (seconds - longest))
    return queue * waits + own


def _greatest(fails: _Fails, replica: _Replica, level: ServiceLevel) -> Capacity:
    """At the greatest rate at which nothing fails, with what would beyond it."""
    work = replica.work
    low, high, bound = 0.0, _FULL / work, None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        failed = fails(middle)
        if failed is None:
            low = middle
        else:
            high, bound = middle, failed
    rate = max(low, 1e-6)
    held = rate * replica.alone / (1 - rate * work)
    return Capacity(
        rate, held, work, bound or fails(high) or "first token", _missed(replica, level)
    )


def _missed(replica: _Replica, level: ServiceLevel) -> Alone | None:
    """What requests alone have where that misses the level; else None."""
    first, between = replica.first(level.share) + replica.fixed, replica.fixed
    keeps_first = first <= level.time_to_first_token
    keeps = keeps_first and between <= level.inter_token_latency
    return None if keeps else Alone(first, between)
