"""How many replicas so many people need, by figures of public traces. Pure.

One replica is played with the requests of a use, ever more in a second, until too few of them meet
the objective. What that holds divides what all people ask for at the busiest time. cli/simulate
asks; docs/use/simulate.md has the sources beside the figures.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from escadre.core.engines.amounts import ceil_div
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.scaling.service import ServiceLevel
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.replica import ReplicaModel, Request
from escadre.core.simulation.setting import Objective

__all__ = [
    "GPUS_PER_NODE",
    "PEAK_TO_MEAN",
    "SOURCE_OF_PEAKS",
    "USES",
    "Held",
    "Needed",
    "Use",
    "hold",
    "needed",
]

# Busiest to mean rate of the sum of all clients, over two weeks: the least and the most of the
# three models of general use (m-mid 1.92, m-large 2.98, m-small 3.30).
PEAK_TO_MEAN: Final = (1.92, 3.30)
SOURCE_OF_PEAKS: Final = "alibaba/ServeGen data, m-mid and m-small, two weeks"
GPUS_PER_NODE: Final = 8
_DAY: Final = 86400
_SECONDS: Final = 120.0
_FEWEST: Final = 300
_LEAST: Final = 0.02  # requests per second, below which a replica holds none
_HALVINGS: Final = 6


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


@dataclass(frozen=True, slots=True)
class Needed:
    """For one end of the range of busiest times."""

    per_second: float
    replicas: int
    gpus: int
    nodes: int


def hold(model: ReplicaModel, use: Use, level: ServiceLevel, seed: int) -> Held | None:
    """The most at which it keeps up and the level's share of the requests have both its times.

    It keeps up where at the end of two minutes no more are there than run at once.
    None where a mean request is too long for the replica, or too few meet it at any rate. The rate
    is doubled until it is too much, then halved between: right to 1.6 %, of one draw of requests.
    """
    if not model.takes(Request(0.0, use.prompt, use.answer)):
        return None
    fits, rate = None, _LEAST
    while (found := _play(model, use, level, rate, seed)) is not None:
        fits, rate = found, 2 * rate
    if fits is None:
        return None
    low, high = fits.per_second, rate
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = _play(model, use, level, middle, seed)
        if found is None:
            high = middle
        else:
            fits, low = found, middle
    return fits


def needed(users: int, per_day: int, held: Held, model: ReplicaModel) -> tuple[Needed, Needed]:
    """For the flattest and the steepest day."""
    low, high = (_needed(users * per_day / _DAY * peak, held, model) for peak in PEAK_TO_MEAN)
    return low, high


def _needed(rate: float, held: Held, model: ReplicaModel) -> Needed:
    replicas = max(1, -int(-rate // held.per_second))
    together = max(1, GPUS_PER_NODE // model.gpus)  # replicas of one node
    nodes = ceil_div(replicas, together) * max(1, ceil_div(model.gpus, GPUS_PER_NODE))
    return Needed(rate, replicas, replicas * model.gpus, nodes)


def _play(
    model: ReplicaModel, use: Use, level: ServiceLevel, rate: float, seed: int
) -> Held | None:
    """One replica at so many requests per second; None when they are too many."""
    engine, objective = Engine(model), Objective.of(level)
    requests = list(_requests(model, use, rate, seed))
    for request in requests:
        engine.advance(request.at)
        engine.submit(request)
    behind = engine.load > model.max_num_seqs
    engine.advance(math.inf)
    met = sum(objective.met_by(job) for job in engine.ended)
    if behind or met < level.share * len(requests):
        return None
    return Held(rate, _in_flight(engine, requests))


def _in_flight(engine: Engine, requests: Sequence[Request]) -> int:
    spent = sum(job.last_at - job.request.at for job in engine.ended)
    return max(1, round(spent / max(requests[-1].at, spent / len(requests))))


def _requests(model: ReplicaModel, use: Use, rate: float, seed: int) -> Iterator[Request]:
    """Poisson arrivals, tokens of exponential spread as far as the replica takes them.

    The same draws at every rate.
    """
    rng = random.Random(f"{seed} {use.name}")  # noqa: S311 - draws, not secrets
    longest = min(model.max_model_len, model.cache_blocks * BLOCK_TOKENS)
    at = 0.0
    for _ in range(max(_FEWEST, int(rate * _SECONDS))):
        at += rng.expovariate(1.0) / rate
        prompt, answer = rng.expovariate(1 / use.prompt), rng.expovariate(1 / use.answer)
        given = min(max(1, round(answer)), longest // 2)
        yield Request(at, min(max(1, round(prompt)), longest - given), given)
