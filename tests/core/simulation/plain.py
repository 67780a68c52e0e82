"""The engine as it was before those that decode were taken as one: each is looked at in every step.

Slower by half and more, with the same arithmetic in the same order: test_decoding.py wants the same
bits of both.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.scaling.demand import Demand, Sums, Work
from escadre.core.simulation.blocks import Blocks
from escadre.core.simulation.gaps import Gaps
from escadre.core.simulation.replica import Job, ReplicaModel, Request, blocks_of

_MANY: Final = 64  # that wait: more are not looked through to know when one could be answered


@dataclass(slots=True)
class _Batch:
    """What one step computes: of each request so many tokens."""

    shares: list[tuple[Job, int]] = field(default_factory=list)
    preempted: bool = False


@dataclass(slots=True)
class PlainEngine:
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
    blocks: Blocks = field(init=False)
    _prompt_tokens: int = 0
    _given: int = 0
    _firsts: int = 0
    _gap_seconds: float = 0.0
    _prefill_seconds: float = 0.0
    _prefilled_tokens: int = 0
    _cached: int = 0  # tokens of those that run
    _even: bool = False  # all that run gave a token in the last step
    _same_until: float = 0.0  # no request ends before

    def __post_init__(self) -> None:
        self.blocks = Blocks(self.model.cache_blocks)

    @property
    def free(self) -> int:
        return self.blocks.free

    @property
    def load(self) -> int:
        """Requests that run and wait."""
        return len(self.running) + len(self.waiting)

    @property
    def work(self) -> Work:
        """As vLLM counts: prompts once they are read, tokens as given, prefill at a request's end.

        vllm-project/vllm:vllm/v1/metrics/stats.py, IterationStats.
        """
        answered = len(self.ended)
        return Work(
            prompt_tokens=self._prompt_tokens,
            generation_tokens=self._given,
            answered=answered,
            preemptions=self.preemptions,
            prefill=Sums(self._prefill_seconds, answered),
            prefilled_tokens=self._prefilled_tokens,
            gaps=Sums(self._gap_seconds, self._given - self._firsts),
        )

    def demand(self, at: float) -> Demand:
        """What a scrape tells."""
        usage = 1 - self.free / self.model.cache_blocks
        return Demand(len(self.running), len(self.waiting), at, usage, self.work)

    def load_at(self, until: float) -> int:
        """The same at another time; takes steps only if a request may end before."""
        if until >= self._same_until:
            self.advance(until)
            self._same_until = self.now + self._fewest_steps() * self.model.least_step
        return len(self.running) + len(self.waiting)

    def _fewest_steps(self) -> int:
        """Steps at least until a request ends: each gives a request one token at most."""
        if len(self.waiting) > _MANY:
            return 0
        return min((job.left for jobs in (self.running, self.waiting) for job in jobs), default=0)

    def submit(self, request: Request) -> None:
        """Takes a request that the model ``takes``, after ``advance`` to the time it arrived."""
        if not self.running and not self.waiting:
            self.now = max(self.now, request.at)
        job = Job(request, request.answer)
        self.waiting.append(job)
        self._same_until = min(self._same_until, self.now + job.left * self.model.least_step)

    def advance(self, until: float) -> None:
        """Takes all steps that begin before ``until``."""
        while self.now < until and (self.running or self.waiting):
            steps = self._steps_together(until)
            if steps:
                self._decode(steps)
            else:
                self._step()

    def _steps_together(self, until: float) -> int:
        """Steps in which nothing happens but decoding; 0 when the next is another one."""
        count = len(self.running)
        left = self.model.max_num_batched_tokens - count
        if not count or not self._even or left < 0:
            return 0
        if self.waiting and self._admits(self.waiting[0], left):
            return 0
        # A request of t tokens needs ceil(k / 16) further blocks at most for k more.
        room = BLOCK_TOKENS * (self.free // count)
        least = min([job.left for job in self.running])
        return min(least, room, self._steps_before(until)) if room else 0

    def _admits(self, job: Job, left: int) -> bool:
        """Whether a request that waits may run, with ``left`` tokens of the step for it."""
        if not left or len(self.running) >= self.model.max_num_seqs:
            return False
        return blocks_of(job.remaining) <= self.free

    def _steps_before(self, until: float) -> int:
        """Steps that begin before ``until``, one at least.

        The step number j begins at now + j × first + growth × j (j - 1) / 2.
        """
        first, growth = self.model.pace(len(self.running), self._cached)
        ahead = until - self.now
        if ahead == math.inf:
            return 1 << 40
        half = first - growth / 2
        root = math.sqrt(half * half + 2 * growth * ahead)
        return max(1, math.ceil(2 * ahead / (half + root)))

    def _decode(self, steps: int) -> None:
        count, taken = len(self.running), 0
        first, growth = self.model.pace(count, self._cached)
        seconds = steps * first + growth * steps * (steps - 1) / 2
        self.now += seconds
        self._gap_seconds += count * seconds
        self.gaps.add_growing(first, growth, steps, count)
        for job in self.running:
            before = job.computed
            job.computed = after = before + steps
            job.left -= steps
            job.last_at = self.now
            taken += blocks_of(after) - blocks_of(before)
        self.blocks.take(taken)
        self._given += count * steps
        self._cached += count * steps
        self._end()

    def _step(self) -> None:
        count = len(self.running)
        if self._even and count <= self.free and count < self.model.max_num_batched_tokens:
            self._step_beside(count)
            return
        batch = self._schedule()
        decoding = cached = total = 0
        for job, tokens in batch.shares:
            total += tokens
            if job.decodes:
                decoding += 1
                cached += job.computed
        # Blocks were taken for what is computed now; the time is that of what was there before.
        self.now += self.model.step_seconds(decoding, cached, total - decoding)
        self._even = len(batch.shares) == len(self.running)
        self._compute(batch)
        self._end()

    def _step_beside(self, count: int) -> None:
        """The same where all that run decode, none gives way, and who waits begins beside them."""
        before, cached, running = self.now, self._cached, self.running
        decoding = running[:]
        self.blocks.take(sum([not job.computed % BLOCK_TOKENS for job in running]))
        batch = _Batch()
        self._admit(batch, self.model.max_num_batched_tokens - count)
        again = [job for job, _ in batch.shares if job.decodes]  # all but its last token was there
        prompts = sum([tokens for job, tokens in batch.shares if not job.decodes])
        cached += sum([job.computed for job in again])
        seconds = self.model.step_seconds(count + len(again), cached, prompts)
        self.now = now = before + seconds
        for job in decoding:
            job.computed += 1
            job.left -= 1
            job.last_at = now
        self._cached += count
        self._given += count
        if count:
            self.gaps.add(now - before, count)
            self._gap_seconds += count * (now - before)
        self._compute(batch)
        self._end()

    def _compute(self, batch: _Batch) -> None:
        """What was scheduled is in the cache; a request that is whole gives a token."""
        for job, tokens in batch.shares:
            whole = tokens == job.remaining
            job.computed += tokens
            self._cached += tokens
            if whole:
                self._emit(job)
            else:
                self._even = False

    def _emit(self, job: Job) -> None:
        """Its next token."""
        if job.left < job.request.answer:
            self.gaps.add(self.now - job.last_at)
            self._gap_seconds += self.now - job.last_at
        else:
            self._firsts += 1
            job.first_at = self.now
            self._prompt_tokens += job.request.prompt
        job.left -= 1
        job.last_at = self.now
        self._given += 1

    def _end(self) -> None:
        running = [job for job in self.running if job.left]
        if len(running) == len(self.running):
            return
        for job in self.running:
            if not job.left:
                self.ended.append(job)
                self.blocks.give(job)
                self._cached -= job.computed
                self._prefill_seconds += job.first_at - job.begun_at
                self._prefilled_tokens += job.request.prompt
        self.running = running

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
            self._cached -= last.computed
            self.blocks.give_up(last)
            self.waiting.appendleft(last)
            self.preemptions += 1
            batch.preempted = True
            if last is job:
                return False
        self.blocks.take(needed)
        return True

    def _admit(self, batch: _Batch, left: int) -> None:
        while self.waiting and self._admits(self.waiting[0], left):
            job = self.waiting.popleft()
            if job.begun_at < 0:
                job.begun_at = self.now
            else:
                self.blocks.find(job)
                self._cached += job.computed
            tokens = min(job.remaining, left)
            self.blocks.take(job.blocks_for(tokens))
            self.running.append(job)
            batch.shares.append((job, tokens))
            left -= tokens
