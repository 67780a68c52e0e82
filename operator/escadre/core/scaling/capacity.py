"""How many requests one replica serves within its service level. Pure.

Requests of P prompt and A answer tokens arrive at a rate r. By the model of core/engines/speed.py
one takes x = P / prefill speed of the engine's time for its prompt and k = per_running +
per_cached_token × (P + A/2) for each token of its answer. Then

    utilisation           U = r (x + A k)
    time between tokens   g = fixed / (1 - U)             a step waits for the prompts of others
    in the batch          B = r A g                       Little's law
    first token           x / (1 - U) on the mean, exponential as of a queue M/M/1
    mean gap of a request g + z sqrt(18 r g x² / A) / (1 - U)    prompts come in between by chance

and what must hold for the level's share of the requests (z, and -ln(1 - share) times the mean, are
their quantiles) bounds r: the two objectives, ``max_num_seqs`` and the cache, the last two with
room for z deviations of a Poisson number. The 18 was fitted to what core/simulation/sizing.py
finds by playing four layouts. The rate is within a third of that for chat and code; for documents
it is too optimistic, half as much again where the cache bounds it, else up to 2.3 times as much.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final, Literal

from escadre.core.engines.speed import Speed
from escadre.core.scaling.service import Prior, ServiceLevel

__all__ = ["Alone", "Bound", "Capacity", "Mix", "capacity_of", "deviations", "sustained"]

Bound = Literal["first token", "between tokens", "batch", "cache"]

_LUMPS: Final = 18.0
# Where not even a request alone meets the level, more replicas would not help: a quarter is used.
_ALONE: Final = 0.25
_FULL: Final = 0.95
# A cache that is full once stays full: who is thrown out is read again. So it must hardly ever be;
# played with documents, a replica on which it was at 1 in 20 moments never came back.
_SELDOM: Final = 3.5  # standard deviations
_HALVINGS: Final = 16


@dataclass(frozen=True, slots=True)
class Mix:
    """Tokens of a mean request, more than 0."""

    prompt: float
    answer: float


@dataclass(frozen=True, slots=True)
class Alone:
    """Within how many seconds the level's share of the requests are served, each by itself."""

    first_token: float
    between_tokens: float


@dataclass(frozen=True, slots=True)
class Capacity:
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


@dataclass(frozen=True, slots=True)
class _Replica:
    """A mix on a replica, in the module's letters."""

    x: float
    k: float
    fixed: float
    mix: Mix
    prior: Prior
    level: ServiceLevel
    z: float
    tail: float

    @property
    def work(self) -> float:
        return self.x + self.mix.answer * self.k

    def at(self, rate: float, bound: Bound | None) -> Capacity:
        """What that is."""
        return Capacity(rate, self.held(rate), self.work, bound or "first token", self.missed)

    def fails(self, rate: float) -> Bound | None:
        """What of the level does not hold at a rate below 1 / work."""
        level, answer = self.level, self.mix.answer
        idle = 1 - rate * self.work
        gap = self.fixed / idle
        first = self.tail * self.x / idle + self.fixed
        if first > level.time_to_first_token and idle < 1 - _ALONE:
            return "first token"
        lumps = math.sqrt(_LUMPS * rate * gap / max(answer, 1.0)) * self.x / idle
        if gap + self.z * lumps > level.inter_token_latency and idle < 1 - _ALONE:
            return "between tokens"
        return self.overflows(rate)

    def overflows(self, rate: float) -> Bound | None:
        """What would be full at a rate, and then the queue grows."""
        answer, z = self.mix.answer, self.z
        gap = self.fixed / (1 - rate * self.work)
        batch = rate * answer * gap
        most = batch + z * math.sqrt(batch)
        seats = self.prior.max_num_seqs
        # Who finds the batch full waits, and has a seat in time while enough are given up.
        soon = seats * self.level.time_to_first_token / max(answer * gap, gap)
        if batch > _FULL * seats or most > seats + soon:
            return "batch"
        # Prompts differ as an exponential does, so tokens vary twice as much as requests.
        held = self.held(rate)
        tokens = (held + max(z, _SELDOM) * math.sqrt(2 * held)) * (self.mix.prompt + answer / 2)
        if tokens > self.prior.cache_tokens:
            return "cache"
        return None

    @property
    def missed(self) -> Alone | None:
        """What requests alone have where that misses the level; else None."""
        alone, level = Alone(self.tail * self.x + self.fixed, self.fixed), self.level
        keeps_first = alone.first_token <= level.time_to_first_token
        keeps_gap = alone.between_tokens <= level.inter_token_latency
        return None if keeps_first and keeps_gap else alone

    def held(self, rate: float) -> float:
        """Requests in the engine at a rate."""
        idle = 1 - rate * self.work
        return rate * (self.mix.answer * self.fixed + self.x) / idle


@lru_cache(maxsize=64)
def deviations(share: float) -> float:
    """How many standard deviations above the mean that share of a normal distribution ends."""
    return NormalDist().inv_cdf(share)


def capacity_of(speed: Speed, mix: Mix, prior: Prior, level: ServiceLevel) -> Capacity:
    """Of a replica of this ``speed``, which is the prior's or what was learned."""
    replica = _replica(speed, mix, prior, level)
    return replica.at(*_greatest(replica.fails, replica))


def sustained(speed: Speed, mix: Mix, prior: Prior, level: ServiceLevel) -> Capacity:
    """What it answers at all, late as it may be: beyond, the queue grows."""
    replica = _replica(speed, mix, prior, level)
    return replica.at(*_greatest(replica.overflows, replica))


def _replica(speed: Speed, mix: Mix, prior: Prior, level: ServiceLevel) -> _Replica:
    decode = speed.decode
    return _Replica(
        x=mix.prompt / speed.prefill_tokens_per_second,
        k=decode.per_running + decode.per_cached_token * (mix.prompt + mix.answer / 2),
        fixed=decode.fixed,
        mix=mix,
        prior=prior,
        level=level,
        z=deviations(level.share),
        tail=-math.log(1 - level.share),
    )


def _greatest(
    fails: Callable[[float], Bound | None], replica: _Replica
) -> tuple[float, Bound | None]:
    """The greatest rate at which nothing fails, and what would beyond it."""
    low, high = 0.0, _FULL / replica.work
    bound = fails(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        failed = fails(middle)
        if failed is None:
            low = middle
        else:
            high, bound = middle, failed
    return max(low, 1e-6), bound
