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
it is too optimistic, up to about twice as much.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final, Literal

from escadre.core.engines.speed import Speed
from escadre.core.scaling.service import Prior, ServiceLevel

__all__ = ["Alone", "Bound", "Capacity", "Mix", "capacity_of"]

Bound = Literal["first token", "between tokens", "batch", "cache"]

_LUMPS: Final = 18.0
# Where not even a request alone meets the level, more replicas would not help: a quarter is used.
_ALONE: Final = 0.25
_FULL: Final = 0.95
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

    def fails(self, rate: float) -> Bound | None:
        """What does not hold at a rate below 1 / work."""
        level, answer, z = self.level, self.mix.answer, self.z
        idle = 1 - rate * self.work
        gap = self.fixed / idle
        first = self.tail * self.x / idle + self.fixed
        if first > level.time_to_first_token and idle < 1 - _ALONE:
            return "first token"
        lumps = math.sqrt(_LUMPS * rate * gap / max(answer, 1.0)) * self.x / idle
        if gap + z * lumps > level.inter_token_latency and idle < 1 - _ALONE:
            return "between tokens"
        batch = rate * answer * gap
        most = batch + z * math.sqrt(batch)
        seats = self.prior.max_num_seqs
        # Who finds the batch full waits, and has a seat in time while enough are given up.
        soon = seats * level.time_to_first_token / max(answer * gap, gap)
        if batch > _FULL * seats or most > seats + soon:
            return "batch"
        # Prompts differ as an exponential does, so tokens vary twice as much as requests.
        held = self.held(rate)
        tokens = (held + z * math.sqrt(2 * held)) * (self.mix.prompt + answer / 2)
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
def _deviations(share: float) -> float:
    """How many standard deviations above the mean that share of a normal distribution ends."""
    return NormalDist().inv_cdf(share)


def capacity_of(speed: Speed, mix: Mix, prior: Prior, level: ServiceLevel) -> Capacity:
    """Of a replica of this ``speed``, which is the prior's or what was learned."""
    decode = speed.decode
    replica = _Replica(
        x=mix.prompt / speed.prefill_tokens_per_second,
        k=decode.per_running + decode.per_cached_token * (mix.prompt + mix.answer / 2),
        fixed=decode.fixed,
        mix=mix,
        prior=prior,
        level=level,
        z=_deviations(level.share),
        tail=-math.log(1 - level.share),
    )
    low, high = 0.0, _FULL / replica.work
    bound: Bound = replica.fails(high) or "first token"
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        failed = replica.fails(middle)
        if failed is None:
            low = middle
        else:
            high, bound = middle, failed
    low = max(low, 1e-6)
    return Capacity(low, replica.held(low), replica.work, bound, replica.missed)
