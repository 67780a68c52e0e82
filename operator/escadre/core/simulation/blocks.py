"""The blocks of an engine's cache that are free, and what preempted requests find in them. Pure.

vLLM keeps what blocks hold when they are free, and takes the one that has been free for longest
first (vllm-project/vllm:vllm/v1/core/block_pool.py, free_blocks): the tail of a request before its
head, and one that is not full before all others. So who was preempted finds its head again, and
computes only what is missing. Their order is kept only while such a request waits.
"""

from collections import deque
from dataclasses import InitVar, dataclass, field

from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.simulation.replica import Job, blocks_of

__all__ = ["Blocks"]


@dataclass(slots=True)
class Blocks:
    """``free`` are how many; a request holds those of its ``computed`` tokens."""

    free: int
    _left: "_Leftovers | None" = None

    def take(self, blocks: int) -> None:
        """So many are a request's now."""
        self.free -= blocks
        if self._left is not None:
            self._left.take(blocks)

    def give(self, job: Job) -> None:
        """Those of a request that has ended."""
        self.free += blocks_of(job.computed)
        if self._left is not None:
            self._left.give(job.computed)

    def give_up(self, job: Job) -> None:
        """Those of a request that is preempted; nothing of it is computed then."""
        if self._left is None:
            self._left = _Leftovers(self.free)
        self._left.give(job.computed, job)
        self.free += blocks_of(job.computed)
        job.computed = 0

    def kept(self, job: Job) -> int:
        """Blocks that still hold what was computed of a request that was preempted."""
        return self._left.kept(job) if self._left is not None else 0

    def find(self, job: Job) -> None:
        """A preempted request that goes on has again what is there of it still."""
        if self._left is None:
            return
        # The last token is computed in any case, for the next one follows from it.
        found = min(self.kept(job), (job.remaining - 1) // BLOCK_TOKENS)
        self._left.back(job, found)
        self.free -= found
        job.computed = found * BLOCK_TOKENS
        if not self._left.jobs:
            self._left = None


@dataclass(slots=True)
class _Leftovers:
    """In the order in which they are taken: (whose they were, how many).

    Whose they were counts only for requests that wait; ``jobs`` is how many of them there are.
    """

    free: InitVar[int]
    jobs: int = 0
    _order: deque[tuple[Job | None, int]] = field(default_factory=deque)

    def __post_init__(self, free: int) -> None:
        self._order.append((None, free))

    def take(self, blocks: int) -> None:
        """The first of them."""
        while blocks:
            owner, count = self._order.popleft()
            taken = min(blocks, count)
            blocks -= taken
            if count > taken:
                self._order.appendleft((owner, count - taken))

    def give(self, tokens: int, owner: Job | None = None) -> None:
        """The blocks of so many computed tokens; of an ``owner`` that will want them again."""
        full, rest = divmod(tokens, BLOCK_TOKENS)
        if rest:
            self._order.appendleft((None, 1 + self._nobodys(0)))
        if owner is None:
            self._order.append((None, full + self._nobodys(-1)))
        else:
            self._order.append((owner, full))
            self.jobs += 1

    def kept(self, job: Job) -> int:
        """Blocks that were its own and nobody took."""
        return next((count for owner, count in self._order if owner is job), 0)

    def back(self, job: Job, blocks: int) -> None:
        """So many of them are its own again, and the others are nobody's."""
        self.jobs -= 1
        for place, (owner, count) in enumerate(self._order):
            if owner is job:
                self._order[place] = (None, count - blocks)
                break

    def _nobodys(self, place: int) -> int:
        """Takes those at one end away if they were nobody's; how many that were."""
        if not self._order or self._order[place][0] is not None:
            return 0
        end = self._order.pop if place else self._order.popleft
        return end()[1]
