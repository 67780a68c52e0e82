"""What scaling keeps of a deployment after hours of traffic, and how long a look takes then.

The pure core alone, in virtual time: whoever changes what a decision rests on sees here what the
longest history costs. Requests come by chance, at a rate that rises and falls.
"""

import gc
import math
import sys
import time
from dataclasses import dataclass, field
from random import Random
from types import FunctionType, ModuleType
from typing import Final

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.demand import Demand, Sums, Work
from escadre.core.scaling.policy import Sample, Windows
from escadre.core.scaling.service import LoadTime, Prior, Service
from escadre.core.scaling.step import Bounds, Scalable, Step, step
from escadre.reasons import Reason

__all__ = ["Traffic", "after", "held"]

LOOK_SECONDS: Final = 5.0
_SERVICE: Final = Service(  # Mistral Small on an H100
    Prior(Speed(16869.0, DecodeStep(0.01848, 7.385e-5, 5.434e-8)), 165_216, 40),
    load=LoadTime(120.0, 360.0),
    key="small",
)
_WINDOWS: Final = Windows(300.0, 15.0)
_BEGAN: Final = 1_700_000_000.0
_PROMPT, _ANSWER = 1155, 211
_PREFILL, _GAP = 0.07, 0.019  # seconds
_RATE: Final = 0.5  # requests per second of an engine, on average
_WAVE_SECONDS: Final = 900.0
_SEED: Final = 5


@dataclass(slots=True)
class Traffic:
    """Engines of one deployment; at a look each has answered what came since the one before."""

    engines: int
    every: float = LOOK_SECONDS
    random: Random = field(default_factory=lambda: Random(_SEED))  # noqa: S311 - the same each run
    answered: list[int] = field(default_factory=list)
    looks: int = 0

    @property
    def now(self) -> float:
        """Of the last look."""
        return _BEGAN + self.looks * self.every

    def look(self) -> list[Sample]:
        """What is read next."""
        self.answered = self.answered or [0] * self.engines
        self.looks += 1
        wave = 1 + math.sin(2 * math.pi * self.looks * self.every / _WAVE_SECONDS)
        mean = max(_RATE * self.every * wave, 1e-3)
        for slot in range(self.engines):
            self.answered[slot] += round(self.random.expovariate(1 / mean))
        return [self._sample(slot, self.answered[slot]) for slot in range(self.engines)]

    def _sample(self, slot: int, answered: int) -> Sample:
        tokens = answered * _ANSWER
        work = Work(
            prompt_tokens=answered * _PROMPT,
            generation_tokens=tokens,
            answered=answered,
            prefill=Sums(answered * _PREFILL, answered),
            prefilled_tokens=answered * _PROMPT,
            gaps=Sums(tokens * _GAP, tokens),
        )
        return Sample(slot, "ready", Demand(2, 0, self.now, 0.02, work), _BEGAN - 3600)


def after(traffic: Traffic, looks: int, last: Step | None = None) -> tuple[Step, float]:
    """The last step of so many looks, and the processor seconds of one of them."""
    engines, state, spent = traffic.engines, last.state if last else None, 0.0
    bounds = Bounds(engines, engines)
    seen = Scalable(bounds, True, 6, told=engines, staying=engines, service=_SERVICE)
    for _ in range(looks):
        samples = traffic.look()
        began = time.thread_time()
        last = step(state, seen, samples, _WINDOWS, traffic.now)
        spent += time.thread_time() - began
        state = last.state
    assert last is not None
    return last, spent / looks


def held(thing: object) -> int:
    """Bytes of an object and of all that it refers to, but for code and reasons."""
    known, left, total = set[int](), [thing], 0
    while left:
        one = left.pop()
        if id(one) in known or isinstance(one, type | ModuleType | FunctionType | Reason):
            continue
        known.add(id(one))
        total += sys.getsizeof(one)
        left += gc.get_referents(one)
    return total
