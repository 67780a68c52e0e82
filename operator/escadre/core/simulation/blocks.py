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

    def find(self, job: Job) -> None:
        """What is there still of a request that was preempted is computed; none but it has that."""
        if self._left is None:
            return
        found = self._left.back(job)
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
            if owner is not None:
                owner.kept -= taken
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
            owner.kept, self.jobs = full, self.jobs + 1

    def back(self, job: Job) -> int:
        """Blocks of it that are there still; it has them again, and the others are nobody's."""
        # The last token is computed in any case, for the next one follows from it.
        found = min(job.kept, (job.remaining - 1) // BLOCK_TOKENS)
        for place, (owner, count) in enumerate(self._order):
            if owner is job:
                self._order[place] = (None, count - found)
                break
        job.kept, self.jobs = 0, self.jobs - 1
        return found

    def _nobodys(self, place: int) -> int:
        """Takes those at one end away if they were nobody's; how many that were."""
        if not self._order or self._order[place][0] is not None:
            return 0
        end = self._order.pop if place else self._order.popleft
        return end()[1]
