"""Requests for vLLM's scheduler, with caches that many of them do not fit: drawn, the same always.

Called by ``make oracle`` and tests/core/simulation/test_scheduled.py.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

__all__ = ["BLOCK", "Scheduled", "scheduled"]

BLOCK: Final = 16  # tokens of a block of the cache
_CASES: Final = 120
_PROMPTS: Final = (1, 15, 16, 17, 100, 160, 333, 600)  # tokens, about whole blocks too
_ANSWERS: Final = (5, 20, 60, 120, 200)
_PAUSES: Final = (0, 0, 1, 3, 8)  # steps


@dataclass(frozen=True, slots=True)
class Scheduled:
    """An engine of so many ``blocks``, and its requests.

    ``requests`` are the step before which each comes, its prompt and its answer in tokens.
    """

    number: int
    blocks: int
    max_num_seqs: int
    max_num_batched_tokens: int
    requests: tuple[tuple[int, int, int], ...]

    def asked(self) -> str:
        """A line for schedule.py."""
        return json.dumps(asdict(self))


def scheduled() -> Iterator[Scheduled]:
    """Each request fits the cache alone."""
    for number in range(_CASES):
        rng = random.Random(number)  # noqa: S311 - draws, not secrets
        blocks = rng.choice((30, 40, 50, 60, 100))
        tokens, seats = rng.choice((32, 64, 128, 512)), rng.choice((4, 8, 16))
        most, at, requests = BLOCK * blocks - BLOCK // 2, 0, []
        for _ in range(rng.choice((6, 10, 16))):
            at += rng.choice(_PAUSES)
            answer = rng.choice(_ANSWERS)
            requests.append((at, min(most - answer, rng.choice(_PROMPTS)), answer))
        yield Scheduled(number, blocks, seats, tokens, tuple(requests))
