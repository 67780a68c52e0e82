"""How many requests a second of a use one replica holds: it is played with ever more of them. Pure.

core/simulation/people.py divides by it what so many people ask for; docs/use/simulate.md has the
sources beside the figures.

Chance draws an order and no more: each draw has the same prompts, answers and pauses, evenly spaced
quantiles of their distribution (stratified sampling), so that none has more long prompts than
another. Where the longest prompts take nearly all of the objective alone, a plain draw of a few
hundred requests moved the rate threefold.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final, NamedTuple

from escadre.core.scaling.service import ServiceLevel
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.replica import ReplicaModel, Request
from escadre.core.simulation.setting import Objective

__all__ = [
    "DRAWS",
    "REQUESTS",
    "SECONDS",
    "USES",
    "Cut",
    "Held",
    "Use",
    "cut",
    "fits",
    "hold",
    "holds",
    "traffic",
]

DRAWS: Final = 5
REQUESTS: Final = 4000  # of a draw, or those of
SECONDS: Final = 120.0  # where these are more
_LEAST: Final = 0.02  # requests per second, below which a replica holds none
_ROUGH: Final = 400  # requests that tell where to begin
_WIDE: Final = 1.25
_HALVINGS: Final = 3
_BEHIND: Final = 0.02
_ROUNDING: Final = 1e-6  # 0.95 × 100 is no more than 95


@dataclass(frozen=True, slots=True)
class Use:
    """How people use a model: mean tokens of prompt and answer, and where they are from.

    ``requests_per_day`` of one person is an assumption: no public trace tells it.
    """

    name: str
    prompt: int
    answer: int
    requests_per_day: int
    source: str


USES: Final = (
    Use("chat", 1155, 211, 10, "Azure/AzurePublicDataset AzureLLMInferenceTrace_conv.csv"),
    Use("code", 2048, 28, 100, "Azure/AzurePublicDataset AzureLLMInferenceTrace_code.csv"),
    Use("documents", 12035, 343, 5, "kvcache-ai/Mooncake conversation_trace.jsonl"),
)


@dataclass(frozen=True, slots=True)
class Held:
    """What a replica holds: requests per second, and in flight then (rate × time, Little's law)."""

    per_second: float
    in_flight: int


class Cut(NamedTuple):
    """What is left of a use where context or cache is too short for some of its requests.

    Args:
        share: of the requests, those that are played shorter than they are.
        prompt: tokens of the mean prompt that is played.
    """

    share: float
    prompt: float


def cut(model: ReplicaModel, use: Use) -> Cut:
    """By one draw; the others have the same lengths in another order."""
    wished = _wished(use, 0, 1.0, REQUESTS)
    played = [*traffic(model, use, 0, 1.0, REQUESTS)]
    shorter = [
        one.prompt < prompt or one.answer < answer
        for one, (_, prompt, answer) in zip(played, wished, strict=True)
    ]
    return Cut(fmean(shorter), fmean(one.prompt for one in played))


def fits(model: ReplicaModel, use: Use) -> bool:
    """Whether context and cache take a mean request at all."""
    return model.takes(Request(0.0, use.prompt, use.answer))


def holds(
    model: ReplicaModel, use: Use, level: ServiceLevel, seed: int
) -> tuple[Held, Held] | None:
    """The least and the most of ``DRAWS`` draws; None where one of them holds nothing.

    No two seeds have a draw in common.
    """
    found: list[Held] = []
    for draw in range(seed * DRAWS, (seed + 1) * DRAWS):
        near = found[0].per_second if found else None
        held = hold(model, use, level, draw, near)
        if held is None:
            return None
        found.append(held)
    return min(found, key=_rate), max(found, key=_rate)


def _rate(held: Held) -> float:
    return held.per_second


def hold(
    model: ReplicaModel, use: Use, level: ServiceLevel, seed: int, near: float | None = None
) -> Held | None:
    """The most at which it keeps up and the level's share of one draw has both its times.

    It keeps up where at the end no more wait for a seat than a fiftieth of all: one moment's burst
    is no sign of falling behind. None where a mean request is
    too long for the replica, or too few have these times at any rate. Right to 3 % of its draw;
    ``near`` is where to look first, which saves time and changes no more than that.
    """
    if not fits(model, use):
        return None
    trial = _Trial(model, use, level, seed, REQUESTS)
    return _settle(trial, _roughly(trial) if near is None else near)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A draw of a use, to be played on a replica at any rate, with so many requests at least."""

    model: ReplicaModel
    use: Use
    level: ServiceLevel
    seed: int
    fewest: int

    def at(self, rate: float) -> Held | None:
        """None when so many requests per second are too many."""
        count = max(self.fewest, int(rate * SECONDS))
        requests = list(traffic(self.model, self.use, self.seed, rate, count))
        engine, judged = Engine(self.model), 0
        misses = count - math.ceil(self.level.share * count - _ROUNDING)
        for request in requests:
            engine.advance(request.at)
            engine.submit(request)
            misses -= self._missed(engine, judged)
            judged = len(engine.ended)
            if misses < 0:
                return None
        behind = engine.load - self.model.max_num_seqs > _BEHIND * count
        engine.advance(math.inf)
        if behind or self._missed(engine, judged) > misses:
            return None
        return Held(rate, _in_flight(engine, requests))

    def _missed(self, engine: Engine, judged: int) -> int:
        """How many did, of those that ended since so many were judged."""
        objective = Objective.of(self.level)
        return sum(not objective.met_by(job) for job in engine.ended[judged:])


def _roughly(trial: _Trial) -> float:
    """Within a factor of two or so, by few requests."""
    rate, rough = _LEAST, replace(trial, fewest=_ROUGH)
    while rough.at(rate) is not None:
        rate *= 2
    return rate / math.sqrt(2)


def _settle(trial: _Trial, near: float) -> Held | None:
    """Halves between what is held and what is held no more."""
    bracket = _bracket(trial, max(near, _LEAST))
    if bracket is None:
        return None
    held, high = bracket
    for _ in range(_HALVINGS):
        middle = math.sqrt(held.per_second * high)
        found = trial.at(middle)
        if found is None:
            high = middle
        else:
            held = found
    return held


def _bracket(trial: _Trial, rate: float) -> tuple[Held, float] | None:
    """What is held, and the next rate above it that is not; None where even the least is not."""
    held = trial.at(rate)
    if held is not None:
        return _upwards(trial, held)
    while rate > _LEAST:
        high, rate = rate, max(_LEAST, rate / _WIDE)
        held = trial.at(rate)
        if held is not None:
            return held, high
    return None


def _upwards(trial: _Trial, held: Held) -> tuple[Held, float]:
    while (found := trial.at(held.per_second * _WIDE)) is not None:
        held = found
    return held, held.per_second * _WIDE


def _in_flight(engine: Engine, requests: Sequence[Request]) -> int:
    spent = sum(job.last_at - job.request.at for job in engine.ended)
    return max(1, round(spent / max(requests[-1].at, spent / len(requests))))


def traffic(model: ReplicaModel, use: Use, seed: int, rate: float, count: int) -> Iterator[Request]:
    """Poisson arrivals, tokens of exponential spread as far as the replica takes them.

    The same order at every rate.
    """
    longest, at = min(model.max_model_len, model.cache_tokens), 0.0
    for pause, prompt, answer in _wished(use, seed, rate, count):
        at += pause
        given = min(answer, longest // 2)
        yield Request(at, min(prompt, longest - given), given)


def _wished(use: Use, seed: int, rate: float, count: int) -> Iterator[tuple[float, int, int]]:
    """Of each request the pause before it, and the tokens that it would have."""
    rng = random.Random(f"{seed} {use.name}")  # noqa: S311 - draws, not secrets
    means = (1 / rate, use.prompt, use.answer)
    for pause, *tokens in zip(*(_drawn(mean, count, rng) for mean in means), strict=True):
        prompt, answer = (max(1, round(one)) for one in tokens)
        yield pause, prompt, answer


def _drawn(mean: float, count: int, rng: random.Random) -> list[float]:
    """Of an exponential distribution the middles of ``count`` equal parts, in any order."""
    found = [-mean * math.log(1 - (place + 0.5) / count) for place in range(count)]
    rng.shuffle(found)
    return found
