"""The traffic of the benchmark: one published log and what is drawn from it, and generated days.

A trace has a tuning half and a judged half; a seed draws shifts, jitter and gaps anew in each. The
seeds are 0 to 19 and the draws Python's own, so that anyone draws the same.
"""

import csv
import gzip
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, Literal

from escadre.core.simulation.replica import Request

__all__ = ["TRACES", "Half", "Trace"]

Half = Literal["tuning", "judged"]

_LOG: Final = Path(__file__).parent / "data" / "azure-2023-code.csv.gz"
_HALF: Final = 1718.0  # seconds, half of the log
_DAY: Final = 7200.0
_OTHERS: Final = 1000  # seeds from here on are of the traffic before
_SHORT_DAY: Final = 3600.0
_JITTER: Final = 10.0  # seconds, the standard deviation
_WINDOW: Final = 120.0  # seconds of one rate, in the bursty trace
_CHAT: Final = (1155, 211)  # mean tokens of prompt and answer, as docs/use/simulate.md has them
_DOCUMENTS: Final = (12035, 343)
_LONGEST: Final = 31_000  # tokens of a prompt


@dataclass(frozen=True, slots=True)
class Trace:
    """``draw(half, seed)`` gives a log for each deployment, from 0 to ``seconds``.

    ``most`` is maxReplicas of each; ``gpus`` what they share, None for as many as they ask for.
    """

    name: str
    words: str
    draw: Callable[[Half, int], tuple[list[Request], ...]]
    most: int
    seconds: float = _HALF
    gpus: int | None = None

    def warm(self, memory: float) -> float:
        """Seconds of the same traffic to play before what counts, for who remembers so many."""
        return min(self.seconds, memory)

    def warmed(self, half: Half, seed: int, warm: float) -> tuple[list[Request], ...]:
        """A log from 0 to ``warm`` + ``seconds``: the end of a draw to tune on, then this one."""
        before, begin = self.draw("tuning", seed + _OTHERS), self.seconds - warm
        return tuple(
            [
                *(
                    Request(one.at - begin, one.prompt, one.answer)
                    for one in first
                    if one.at >= begin
                ),
                *(Request(one.at + warm, one.prompt, one.answer) for one in then),
            ]
            for first, then in zip(before, self.draw(half, seed), strict=True)
        )


@cache
def _log() -> tuple[Request, ...]:
    """The published log, from 0 seconds."""
    with gzip.open(_LOG, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    times = [_seconds(row["TIMESTAMP"]) for row in rows]
    return tuple(
        Request(at - times[0], int(row["ContextTokens"]), int(row["GeneratedTokens"]))
        for at, row in zip(times, rows, strict=True)
    )


def _seconds(text: str) -> float:
    """Seven digits of a second are one more than datetime reads."""
    whole, _, part = text.partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{part}")


@cache
def _half(half: Half) -> tuple[Request, ...]:
    begin = 0.0 if half == "tuning" else _HALF
    return tuple(
        Request(one.at - begin, one.prompt, one.answer)
        for one in _log()
        if begin <= one.at < begin + _HALF
    )


def _rng(name: str, half: Half, seed: int) -> random.Random:
    return random.Random(f"{name} {half} {seed}")  # noqa: S311 - draws, not secrets


def _sorted(requests: Iterable[Request]) -> list[Request]:
    return sorted(requests, key=lambda one: (one.at, one.prompt, one.answer))


def _turned(requests: Sequence[Request], by: float) -> Iterator[Request]:
    """Begun at another moment; what passes the end goes on at the beginning."""
    for one in requests:
        yield Request((one.at + by) % _HALF, one.prompt, one.answer)


def _code(copies: int) -> Callable[[Half, int], tuple[list[Request], ...]]:
    """The log ``copies`` times, each begun at a moment of its own; seed 0 begins the first at 0."""

    def draw(half: Half, seed: int) -> tuple[list[Request], ...]:
        rng = _rng(f"code {copies}", half, seed)
        shifts = [rng.uniform(0, _HALF) for _ in range(copies)]
        if not seed:
            shifts[0] = 0.0
        return (_sorted(one for shift in shifts for one in _turned(_half(half), shift)),)

    return draw


def _together(half: Half, seed: int) -> tuple[list[Request], ...]:
    """Two copies that keep their bursts together: each arrival is moved by a few seconds only."""
    rng = _rng("jitter", half, seed)
    moved = (
        Request((one.at + rng.gauss(0, _JITTER)) % _HALF, one.prompt, one.answer)
        for _ in range(2)
        for one in _half(half)
    )
    return (_sorted(moved),)


def _tokens(rng: random.Random, prompt: int, answer: int) -> tuple[int, int]:
    """Exponential about the means, four times them at most, within a context of 32,768."""
    return (
        max(1, min(4 * prompt, _LONGEST, round(rng.expovariate(1 / prompt)))),
        max(1, min(4 * answer, round(rng.expovariate(1 / answer)))),
    )


def _diurnal(half: Half, seed: int) -> tuple[list[Request], ...]:
    """A day in two hours, twelve times as steep as one: documents, 0.2 to 2 in a second."""
    rng = _rng("diurnal", half, seed)
    return (list(_day(rng, _DAY, (0.2, 2.0), rng.uniform(-0.05, 0.05))),)


def _day(
    rng: random.Random, seconds: float, rates: tuple[float, float], phase: float
) -> Iterator[Request]:
    """Poisson arrivals of a rate that follows a sine, by thinning; the night first."""
    at, (least, most) = 0.0, rates
    while (at := at + rng.expovariate(most)) < seconds:
        turn = 2 * math.pi * (at / seconds + phase)
        rate = least + (most - least) * (1 - math.cos(turn)) / 2
        if rng.random() < rate / most:
            yield Request(at, *_tokens(rng, *_DOCUMENTS))


def _bursty(half: Half, seed: int) -> tuple[list[Request], ...]:
    """As ServeGen describes clients: a rate for each window, gaps by Gamma or Weibull about it.

    Three clients of chat; rates log-normal, 3 requests a second on the mean, coefficients of
    variation from 1 to 4.
    """
    rng = _rng("bursty", half, seed)
    return (_sorted(one for _ in range(3) for one in _client(rng)),)


def _client(rng: random.Random) -> Iterator[Request]:
    begin = 0.0
    while begin < _HALF:
        end = min(begin + _WINDOW, _HALF)
        mean = 1 / (3.0 * math.exp(rng.gauss(-0.32, 0.8)))  # seconds between two
        spread, by_gamma = rng.uniform(1.0, 4.0), rng.random() < 0.5
        at = begin
        while (at := at + _gap(rng, mean, spread, by_gamma=by_gamma)) < end:
            yield Request(at, *_tokens(rng, *_CHAT))
        begin = end


def _gap(rng: random.Random, mean: float, spread: float, *, by_gamma: bool) -> float:
    """With ``spread`` as its coefficient of variation; Weibull's shape as Justus gives it."""
    if by_gamma:
        shape = 1 / spread**2
        return rng.gammavariate(shape, mean / shape)
    shape = spread**-1.086
    return rng.weibullvariate(mean / math.gamma(1 + 1 / shape), shape)


def _scarce(half: Half, seed: int) -> tuple[list[Request], ...]:
    """Two models whose days, of an hour, are a third of a turn apart."""
    rng = _rng("scarce", half, seed)
    phase = rng.uniform(-0.05, 0.05)
    return tuple(list(_day(rng, _SHORT_DAY, (0.2, 1.6), phase + apart)) for apart in (0.0, 1 / 3))


TRACES: Final = (
    Trace("code", "Azure 2023 code", _code(1), 12),
    Trace("code x4", "four shifted copies of it", _code(4), 16),
    Trace("code together", "two copies, each arrival moved by 10 s", _together, 16),
    Trace("diurnal", "generated: a day in two hours", _diurnal, 10, _DAY),
    Trace("bursty", "generated: Gamma and Weibull gaps", _bursty, 10),
    Trace("scarce", "generated: two models that share 8 GPUs", _scarce, 7, _SHORT_DAY, gpus=8),
)
