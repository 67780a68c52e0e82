"""A second model of an engine's step, so that nothing rests on the straight lines of the first.

A table over batch and cache: batches are padded to the sizes that CUDA graphs are captured for, and
each cell is off by up to a fifth, drawn once. A slow node multiplies all of it.
"""

import random
from bisect import bisect_left
from dataclasses import dataclass, fields, replace
from typing import Final, Self

from typing_extensions import override

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.simulation.replica import ReplicaModel

__all__ = ["Table", "fastest"]

_SIZES: Final = (1, 2, 4, *range(8, 257, 8))  # vLLM's default cudagraph_capture_sizes, to 256
_CACHED: Final = 8192  # tokens of a column
_COLUMNS: Final = 64
_OFF: Final = 0.2


@dataclass(frozen=True, slots=True)
class Table(ReplicaModel):
    """``factors`` by row and column: of the first model's time at the cell's corner."""

    factors: tuple[tuple[float, ...], ...] = ()
    prompt_factor: float = 1.0

    @classmethod
    def of(cls, model: ReplicaModel, seed: int, slower: float = 1.0) -> Self:
        """The table that a seed draws; a slow node is slow in all cells."""
        rng = random.Random(f"{seed} steps")  # noqa: S311 - draws, not secrets
        rows = tuple(
            tuple(slower * rng.uniform(1 - _OFF, 1 + _OFF) for _ in range(_COLUMNS)) for _ in _SIZES
        )
        facts = {one.name: getattr(model, one.name) for one in fields(ReplicaModel)}
        return cls(**facts, factors=rows, prompt_factor=slower * rng.uniform(1 - _OFF, 1 + _OFF))

    @property
    @override
    def least_step(self) -> float:
        """No cell is faster."""
        return (1 - _OFF) * self.speed.decode.fixed

    @override
    def pace(self, running: int, cached_tokens: int) -> tuple[float, float]:
        """Within a column the cell's own slope."""
        row = min(bisect_left(_SIZES, running), len(_SIZES) - 1)
        factor = self.factors[row][min(cached_tokens // _CACHED, _COLUMNS - 1)]
        decode = self.speed.decode
        padded = max(running, _SIZES[row])
        first = decode.fixed + decode.per_running * padded + decode.per_cached_token * cached_tokens
        return factor * first, factor * decode.per_cached_token * running

    @override
    def step_seconds(self, decoding: int, cached_tokens: int, prompt_tokens: int) -> float:
        """Prompts by a factor of their own."""
        prompt = self.prompt_factor * prompt_tokens / self.speed.prefill_tokens_per_second
        if not decoding:
            return max(prompt, self.least_step)
        return prompt + self.pace(decoding, cached_tokens)[0]


def fastest(model: ReplicaModel) -> ReplicaModel:
    """Straight lines again, of which no table of the model is faster anywhere."""
    step, least = model.speed.decode, 1 - _OFF
    faster = DecodeStep(least * step.fixed, least * step.per_running, least * step.per_cached_token)
    return replace(model, speed=Speed(model.speed.prefill_tokens_per_second / least, faster))
