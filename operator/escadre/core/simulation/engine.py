"""One engine in virtual time: continuous batching, chunked prefill, cache blocks, preemption.

It schedules as vLLM does (vllm-project/vllm:vllm/v1/core/sched/scheduler.py): first the requests
that run, in order of their admission, then those that wait, within the tokens of a step. Where the
cache is full the one admitted last gives its blocks up, and is computed anew later. No prefix is
shared. A step with prompts in it is taken alone; steps that only decode are taken together up to
the next event, for their time grows evenly with the cache. Pure, though it keeps a state: the
clock is the caller's. core/simulation/fleet.py has one for each replica.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.simulation.gaps import Gaps
from escadre.core.simulation.replica import Job, ReplicaModel, Request, blocks_of

__all__ = ["Engine"]


@dataclass(slots=True)
class _Batch:
    """What one step computes: of each request so many tokens."""

    shares: list[tuple[Job, int]] = field(default_factory=list)
    preempted: bool = False


@dataclass(slots=True)
class Engine:
    """An engine; ``now`` is the end of its last step, in seconds. ``ended`` are answered requests.

    A step that began goes to its end, so ``now`` may lie a step beyond what was asked for.
    """

    model: ReplicaModel
    now: float = 0.0
    running: list[Job] = field(default_factory=list)
    waiting: deque[Job] = field(default_factory=deque)
    ended: list[Job] = field(default_factory=list)
    gaps: Gaps = field(default_factory=Gaps)
    preemptions: int = 0
    free: int = field(init=False)

    def __post_init__(self) -> None:
        self.free = self.model.cache_blocks

    @property
    def load(self) -> int:
        """Requests that run and wait."""
        return len(self.running) + len(self.waiting)

    def submit(self, request: Request) -> None:
        """Takes a request that the model ``takes``, after ``advance`` to the time it arrived."""
        if not self.load:
            self.now = max(self.now, request.at)
        self.waiting.append(Job(request))

    def advance(self, until: float) -> None:
        """Takes all steps that begin before ``until``."""
        while self.load and self.now < until:
            steps = self._steps_together(until)
            if steps:
                self._decode(steps)
            else:
                self._step()

    def _steps_together(self, until: float) -> int:
        """Steps in which nothing happens but decoding; 0 when the next is another one."""
        count = len(self.running)
        if not count or not self._only_decodes():
            return 0
        # A request of t tokens needs ceil(k / 16) further blocks at most for k more.
        least = min(job.request.answer - job.emitted for job in self.running)
        room = BLOCK_TOKENS * (self.free // count)
        return min(least, room, self._steps_before(until))

    def _only_decodes(self) -> bool:
        left = self.model.max_num_batched_tokens - len(self.running)
        if left < 0 or not all(job.decodes and job.last_at == self.now for job in self.running):
            return False
        return not self.waiting or not self._admits(self.waiting[0], left)

    def _admits(self, job: Job, left: int) -> bool:
        """Whether a request that waits may run, with ``left`` tokens of the step for it."""
        if not left or len(self.running) >= self.model.max_num_seqs:
            return False
        return blocks_of(min(job.remaining, left)) <= self.free

    def _steps_before(self, until: float) -> int:
        """Steps that begin before ``until``, one at least.

        The step number j begins at now + j × first + growth × j (j - 1) / 2.
        """
        first, growth = self._pace()
        ahead = until - self.now
        if ahead == math.inf:
            return 1 << 40
        half = first - growth / 2
        root = math.sqrt(half * half + 2 * growth * ahead)
        return max(1, math.ceil(2 * ahead / (half + root)))

    def _pace(self) -> tuple[float, float]:
        """Seconds of the next decode step, and how much longer each further one takes."""
        count = len(self.running)
        cached = sum(job.computed for job in self.running)
        growth = self.model.speed.decode.per_cached_token * count
        return self.model.step_seconds(count, cached, 0), growth

    def _decode(self, steps: int) -> None:
        first, growth = self._pace()
        self.now += steps * first + growth * steps * (steps - 1) / 2
        self.gaps.add_growing(first, growth, steps, len(self.running))
        for job in self.running:
            self.free += blocks_of(job.computed) - blocks_of(job.computed + steps)
            job.computed += steps
            job.emitted += steps
            job.last_at = self.now
        self._end()

    def _step(self) -> None:
        batch = self._schedule()
        decoding = [job for job, _ in batch.shares if job.decodes]
        cached = sum(job.computed for job in decoding)
        total = sum(tokens for _, tokens in batch.shares)
        # Blocks were taken for what is computed now; the time is that of what was there before.
        self.now += self.model.step_seconds(len(decoding), cached, total - len(decoding))
        for job, tokens in batch.shares:
            whole = tokens == job.remaining
            job.computed += tokens
            if whole:
                self._emit(job)
        self._end()

    def _emit(self, job: Job) -> None:
        if job.emitted:
            self.gaps.add(self.now - job.last_at)
        else:
            job.first_at = self.now
        job.emitted += 1
        job.last_at = self.now

    def _end(self) -> None:
        for job in self.running:
            if job.emitted == job.request.answer:
                self.ended.append(job)
                self.free += blocks_of(job.computed)
        self.running = [job for job in self.running if job.emitted < job.request.answer]

    def _schedule(self) -> _Batch:
        batch = _Batch()
        left = self.model.max_num_batched_tokens
        for job in self._still_running():
            tokens = min(job.remaining, left)
            if not tokens or not self._make_room(batch, job, tokens):
                break
            batch.shares.append((job, tokens))
            left -= tokens
        if not batch.preempted:
            self._admit(batch, left)
        return batch

    def _still_running(self) -> Iterator[Job]:
        """Those that run, while the last of them may be preempted."""
        place = 0
        while place < len(self.running):
            yield self.running[place]
            place += 1

    def _make_room(self, batch: _Batch, job: Job, tokens: int) -> bool:
        """Takes blocks for the request, from the last ones if need be; False when it was itself."""
        needed = blocks_of(job.computed + tokens) - blocks_of(job.computed)
        while needed > self.free:
            last = self.running.pop()
            self.free += blocks_of(last.computed)
            last.computed = 0
            self.waiting.appendleft(last)
            self.preemptions += 1
            batch.preempted = True
            if last is job:
                return False
        self.free -= needed
        return True

    def _admit(self, batch: _Batch, left: int) -> None:
        while self.waiting and self._admits(self.waiting[0], left):
            job = self.waiting.popleft()
            tokens = min(job.remaining, left)
            self.free -= blocks_of(tokens)
            self.running.append(job)
            batch.shares.append((job, tokens))
            left -= tokens
