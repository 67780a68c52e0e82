"""The requests of an engine that decode, taken as one: each gets a token in every step. Pure.

What a step changes in all of them alike is counted once, as the number of steps that they took
together. A request keeps what it was when it joined until it ends or all part. The engine in
engine.py has one of these.
"""

import heapq
import math
from dataclasses import dataclass, field

from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.simulation.replica import Job

__all__ = ["Decoding", "steps_within"]


@dataclass(slots=True)
class Decoding:
    """``steps`` were taken so far.

    ``_ends`` is a heap of the step after which each has its last token, of equal ones the first to
    join first. ``_phases`` counts those that begin a block of the cache in the step number n, by
    n modulo the tokens of a block.
    """

    steps: int = 0
    _joined: int = 0
    _ends: list[tuple[int, int, Job]] = field(default_factory=list)
    _phases: list[int] = field(default_factory=lambda: [0] * BLOCK_TOKENS)

    @property
    def count(self) -> int:
        """Requests."""
        return len(self._ends)

    @property
    def least(self) -> int:
        """Steps until the first of them ends; there is one."""
        return self._ends[0][0] - self.steps

    def join(self, job: Job) -> None:
        """Takes in a request that has its first token and needs more of them."""
        job.joined = self.steps
        self._phases[(self.steps - job.computed) % BLOCK_TOKENS] += 1
        heapq.heappush(self._ends, (self.steps + job.left, self._joined, job))
        self._joined += 1

    def blocks(self, steps: int) -> int:
        """Blocks of the cache that so many steps begin."""
        whole, rest = divmod(steps, BLOCK_TOKENS)
        first = self.steps % BLOCK_TOKENS
        begun = whole * len(self._ends) + sum(self._phases[first : first + rest])
        over = first + rest - BLOCK_TOKENS
        return begun + sum(self._phases[:over]) if over > 0 else begun

    def take(self, steps: int) -> int:
        """Takes so many steps, ``least`` at most; the blocks that they began."""
        begun = self.blocks(steps)
        self.steps += steps
        return begun

    def ended(self, now: float) -> list[Job]:
        """Those that have their last token since ``now``, in the order in which they joined."""
        found = []
        while self._ends and self._ends[0][0] <= self.steps:
            job = heapq.heappop(self._ends)[2]
            self._phases[(job.joined - job.computed) % BLOCK_TOKENS] -= 1
            self._settle(job, now)
            found.append(job)
        return found

    def part(self, now: float) -> None:
        """All are on their own again; each had its last token ``now``."""
        for _, _, job in self._ends:
            self._settle(job, now)
        self._ends = []
        self._phases = [0] * BLOCK_TOKENS

    def _settle(self, job: Job, now: float) -> None:
        taken = self.steps - job.joined
        job.computed += taken
        job.left -= taken
        job.last_at = now


def steps_within(seconds: float, first: float, growth: float) -> int:
    """Steps that begin within so many seconds, one at least.

    The step number j begins after j × first + growth × j (j - 1) / 2.
    """
    if seconds == math.inf:
        return 1 << 40
    half = first - growth / 2
    root = math.sqrt(half * half + 2 * growth * seconds)
    return max(1, math.ceil(2 * seconds / (half + root)))
