"""One engine in virtual time: continuous batching, chunked prefill, cache blocks, preemption.

It schedules as vLLM does (vllm-project/vllm:vllm/v1/core/sched/scheduler.py): first the requests
that run, in order of their admission, then those that wait, within the tokens of a step. Who waits
is let in where all of it fits the cache, however little of it a step takes. Where that is full the
one admitted last gives its blocks up; what they do not hold any more when it goes on is computed
anew (blocks.py). No prefix is shared. A step with prompts in it is taken alone; steps that only
decode are taken together up to the next event, for their time grows evenly with the cache. Those
that decode are looked at one by one (`_step_each`) only where not all of them get a token. Pure,
though it keeps a state: the clock is the caller's. core/simulation/fleet.py has one for each
replica.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.scaling.demand import Demand, Work
from escadre.core.simulation.blocks import Blocks
from escadre.core.simulation.counted import Counted
from escadre.core.simulation.decoding import Decoding, steps_within
from escadre.core.simulation.gaps import Gaps
from escadre.core.simulation.replica import Job, ReplicaModel, Request, blocks_of

__all__ = ["Engine"]

_MANY: Final = 64  # that wait: more are not looked through to know when one could be answered

_Shares: TypeAlias = list[tuple[Job, int]]  # what a step computes: of each request so many tokens


@dataclass(slots=True)
class Engine:
    """An engine; ``now`` is the end of its last step, in seconds. ``ended`` are answered requests.

    A step that began goes to its end, so ``now`` may lie a step beyond what was asked for.

    While ``_gathered`` all that run had a token in the last step and are in ``_decoding``, but the
    last one where its prompt is read in part: ``_part``.
    """

    model: ReplicaModel
    now: float = 0.0
    running: list[Job] = field(default_factory=list)
    waiting: deque[Job] = field(default_factory=deque)
    ended: list[Job] = field(default_factory=list)
    _blocks: Blocks = field(init=False)
    _counted: Counted = field(default_factory=Counted)
    _cached: int = 0  # tokens of those that run
    _decoding: Decoding = field(default_factory=Decoding)
    _part: Job | None = None
    _gathered: bool = True
    _same_until: float = 0.0  # no request ends before

    def __post_init__(self) -> None:
        self._blocks = Blocks(self.model.cache_blocks)

    @property
    def free(self) -> int:
        """Blocks of the cache."""
        return self._blocks.free

    @property
    def load(self) -> int:
        """Requests that run and wait."""
        return len(self.running) + len(self.waiting)

    @property
    def work(self) -> Work:
        """What it has counted."""
        return self._counted.work

    @property
    def gaps(self) -> Gaps:
        """The times between its tokens."""
        return self._counted.gaps

    @property
    def preemptions(self) -> int:
        """How often a request gave its blocks up."""
        return self._counted.preemptions

    def demand(self, at: float) -> Demand:
        """What a scrape tells."""
        usage = 1 - self._blocks.free / self.model.cache_blocks
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
        found = [job.left for job in self.waiting]
        if not self._gathered:
            found += [job.left for job in self.running]
        elif self._decoding.count:
            found.append(self._decoding.least)
        if self._part is not None:
            found.append(self._part.left)
        return min(found, default=0)

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
            if not self._decode(until):
                self._step()

    def _decode(self, until: float) -> bool:
        """Takes steps in which nothing happens but decoding; False when the next is another one."""
        decoding = self._decoding
        count = decoding.count
        room = BLOCK_TOKENS * (self._blocks.free // count) if count else 0
        if not room or not self._only_decodes(count):
            return False
        first, growth = self.model.pace(count, self._cached)
        # A request of t tokens needs ceil(k / 16) further blocks at most for k more.
        steps = min(decoding.least, room, steps_within(until - self.now, first, growth))
        self.now += steps * first + growth * steps * (steps - 1) / 2
        self._counted.decode(first, growth, steps, count)
        self._blocks.take(decoding.take(steps))
        self._cached += count * steps
        self._end(decoding.ended(self.now))
        return True

    def _only_decodes(self, count: int) -> bool:
        """Whether in the next step no prompt is read."""
        left = self.model.max_num_batched_tokens - count
        if self._part is not None or left < 0:
            return False
        return not self.waiting or not self._admits(self.waiting[0], left)

    def _step(self) -> None:
        if self._goes_together():
            self._step_together()
        else:
            self._step_each()

    def _goes_together(self) -> bool:
        """Whether in the next step all that decode get a token, and none gives way."""
        count, part = self._decoding.count, self._part
        left = self.model.max_num_batched_tokens - count
        if not self._gathered or left <= 0:
            return False
        if part is None:
            return count <= self._blocks.free
        more = part.blocks_for(min(part.remaining, left))
        return self._decoding.blocks(1) + more <= self._blocks.free

    def _step_together(self) -> None:
        """One step of those that decode, of a prompt that is read in part, and of who begins."""
        count, before, part = self._decoding.count, self.now, self._part
        left = self.model.max_num_batched_tokens - count
        shares: _Shares = []
        self._blocks.take(self._decoding.take(1))
        if part is not None:
            tokens = min(part.remaining, left)
            self._blocks.take(part.blocks_for(tokens))
            shares.append((part, tokens))
            left -= tokens
        self._admit(shares, left)
        decoding, cached, read = count, self._cached, 0
        for job, tokens in shares:
            if job.decodes:
                decoding += 1
            else:
                read += tokens
                cached -= job.computed
        self.now = now = before + self.model.step_seconds(decoding, cached, read)
        if count:
            self._counted.emit_together(now - before, count, summed=part is not None)
        self._cached += count
        ended = self._decoding.ended(now)
        self._compute(shares)
        self._end(ended + [job for job, _ in shares if not job.left])

    def _step_each(self) -> None:
        """A step in which some may get no token, looked at request by request."""
        if self._gathered:
            self._decoding.part(self.now)
            self._gathered, self._part = False, None
        shares = self._schedule()
        decoding = cached = total = 0
        for job, tokens in shares:
            total += tokens
            if job.decodes:
                decoding += 1
                cached += job.computed
        # Blocks were taken for what is computed now; the time is that of what was there before.
        self.now += self.model.step_seconds(decoding, cached, total - decoding)
        self._gathered = len(shares) == len(self.running)
        self._compute(shares)
        self._end([job for job in self.running if not job.left])

    def _compute(self, shares: _Shares) -> None:
        """What was scheduled is in the cache; a request that is whole gives a token."""
        self._part = None
        for job, tokens in shares:
            whole = tokens == job.remaining
            job.computed += tokens
            self._cached += tokens
            if whole:
                self._emit(job)
            elif self._gathered:  # the last, for it took all that was left of the step
                self._part = job

    def _emit(self, job: Job) -> None:
        """Its next token."""
        self._counted.emit(job, self.now)
        if job.left == job.request.answer:
            job.first_at = self.now
        job.left -= 1
        job.last_at = self.now
        if job.left and self._gathered:
            self._decoding.join(job)

    def _end(self, ended: list[Job]) -> None:
        """Of those that have their last token, in the order of their admission."""
        if not ended:
            return
        for job in ended:
            self.ended.append(job)
            self._blocks.give(job)
            self._cached -= job.computed
            self._counted.end(job)
        self.running = [job for job in self.running if job.left]

    def _schedule(self) -> _Shares:
        shares: _Shares = []
        before = self.preemptions
        left = self.model.max_num_batched_tokens
        for job in self._still_running():
            tokens = min(job.remaining, left)
            if not tokens or not self._make_room(job, tokens):
                break
            shares.append((job, tokens))
            left -= tokens
        if self.preemptions == before:
            self._admit(shares, left)
        return shares

    def _still_running(self) -> Iterator[Job]:
        """Those that run, while the last of them may be preempted."""
        place = 0
        while place < len(self.running):
            yield self.running[place]
            place += 1

    def _make_room(self, job: Job, tokens: int) -> bool:
        """Takes blocks for the request, from the last ones if need be; False when it was itself."""
        needed = job.blocks_for(tokens)
        while needed > self._blocks.free:
            last = self.running.pop()
            self._cached -= last.computed
            self._blocks.give_up(last)
            self.waiting.appendleft(last)
            self._counted.preemptions += 1
            if last is job:
                return False
        self._blocks.take(needed)
        return True

    def _admits(self, job: Job, left: int) -> bool:
        """Whether a request that waits may run, with ``left`` tokens of the step for it."""
        if not left or len(self.running) >= self.model.max_num_seqs:
            return False
        return blocks_of(job.remaining) <= self._blocks.free

    def _admit(self, shares: _Shares, left: int) -> None:
        while self.waiting and self._admits(self.waiting[0], left):
            job = self.waiting.popleft()
            if job.begun_at < 0:
                job.begun_at = self.now
            else:
                self._blocks.find(job)
                self._cached += job.computed
            tokens = min(job.remaining, left)
            self._blocks.take(job.blocks_for(tokens))
            self.running.append(job)
            shares.append((job, tokens))
            left -= tokens
