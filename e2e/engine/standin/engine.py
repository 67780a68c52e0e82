"""Lets time pass over the scheduler and tells the waiting requests of their tokens.

``server.py`` submits and waits; one task runs ``Engine.run``. A step takes the time that decoding
one token takes, plus the time of the prompt tokens in it. It must not know HTTP.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from e2e.engine.standin.metrics import EngineMetrics, Finished
from e2e.engine.standin.scheduler import Scheduler, Sequence, Step

__all__ = ["Engine", "Generation", "Speed"]

_FILES: Final = ("hold", "hang")


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast the imagined GPU is; fast by default, so that tests are."""

    tokens_per_second: float = 200.0  # of one sequence, whatever the batch
    prefill_tokens_per_second: float = 100_000.0
    startup_seconds: float = 0.0
    linger_seconds: float = 10.0  # from the last answer of a drain to the end
    dying_seconds: float = 0.2  # from the death of its core to the end; /health is 503
    hold: str = ""  # while this file is there no token comes: a test decides how long that is
    hang: str = ""  # the same of a core that hangs: its numbers stand still too, whatever comes

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Speed":
        """``STANDIN_TOKENS_PER_SECOND`` and so on, where they are set."""
        numbers = {
            field.name: float(environment[f"STANDIN_{field.name.upper()}"])
            for field in fields(cls)
            if field.name not in _FILES and f"STANDIN_{field.name.upper()}" in environment
        }
        hold, hang = (environment.get(f"STANDIN_{name.upper()}", "") for name in _FILES)
        return cls(**numbers, hold=hold, hang=hang)

    def seconds(self, step: Step) -> float:
        """The time that a step takes."""
        return 1 / self.tokens_per_second + step.prefilled_tokens / self.prefill_tokens_per_second

    async def pass_by(self, step: Step) -> None:
        """Let the time of a step pass, and that of a hold."""
        await asyncio.sleep(self.seconds(step))
        while _there(self.hold) or self.hangs:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.01)

    @property
    def hangs(self) -> bool:
        """Whether nobody computes, and what is asked reaches nobody who counts."""
        return _there(self.hang)


def _there(path: str) -> bool:
    return bool(path) and Path(path).exists()


class Generation:
    """One request as its HTTP handler sees it."""

    def __init__(self, sequence: Sequence, end: str, arrived: float) -> None:
        self.sequence = sequence
        self.end = end  # finish_reason when max_tokens are there
        self.finish_reason: str | None = None
        self.dead = False  # aborted since nobody computes it any more
        self.tokens = 0
        self.arrived = arrived
        self.scheduled = arrived
        self.first = arrived
        self.last = arrived
        self._news = asyncio.Event()
        self._finished = asyncio.Event()

    async def finished(self) -> str:
        """Wait for the end; its reason."""
        await self._finished.wait()
        return self.finish_reason or "abort"

    async def more_than(self, known: int) -> int:
        """Wait for more tokens than ``known``, or the end; how many there are."""
        while self.tokens <= known and self.finish_reason is None:
            self._news.clear()
            await self._news.wait()
        return self.tokens

    def tell(self, *, finish_reason: str | None = None) -> None:
        """Wake who waits."""
        if finish_reason is not None:
            self.finish_reason = finish_reason
            self._finished.set()
        self._news.set()


class Engine:
    """The scheduler with a clock."""

    def __init__(self, scheduler: Scheduler, metrics: EngineMetrics, speed: Speed) -> None:
        self.metrics = metrics
        self._scheduler = scheduler
        self._speed = speed
        self._generations: dict[Sequence, Generation] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_flight(self) -> int:
        """Requests running or waiting."""
        return len(self._generations)

    async def idle(self) -> None:
        """Wait until nothing is in flight."""
        await self._idle.wait()

    def submit(self, *, prompt_tokens: int, max_tokens: int, end: str) -> Generation:
        """Put a request in the queue."""
        sequence = Sequence(prompt_tokens=prompt_tokens, max_tokens=max_tokens)
        generation = Generation(sequence, end, asyncio.get_running_loop().time())
        self._generations[sequence] = generation
        self._scheduler.add(sequence)
        self._idle.clear()
        self._wake.set()
        self._publish()
        return generation

    def abort(self, generation: Generation, *, dead: bool = False) -> None:
        """Drop a request: its client left, or the engine ends, or its core is ``dead``."""
        if generation.finish_reason is None:
            generation.dead = dead
            self._scheduler.remove(generation.sequence)
            self._end(generation, "abort", asyncio.get_running_loop().time())
            self._publish()

    def abort_all(self, *, dead: bool) -> None:
        """Drop everything in flight."""
        for generation in list(self._generations.values()):
            self.abort(generation, dead=dead)

    async def run(self) -> None:
        """Step while there is work; for ever."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._generations:
                self._wake.clear()
                await self._wake.wait()
            queued = len(self._scheduler.waiting)
            step = self._scheduler.step()
            self._admitted(step, queued, loop.time())
            await self._speed.pass_by(step)
            self._deliver(step, loop.time())

    def _admitted(self, step: Step, queued: int, now: float) -> None:
        back = len(self._scheduler.waiting) + len(step.admitted) - queued
        if back > 0:
            self.metrics.preempted(back)
        for sequence in step.admitted:
            if sequence.preemptions == 0 and sequence in self._generations:
                self._generations[sequence].scheduled = now
                self.metrics.queried(sequence.prompt_tokens)
        self._publish()

    def _deliver(self, step: Step, now: float) -> None:
        prompts = 0
        for sequence in step.decoded:
            generation = self._generations.get(sequence)
            if generation is None:
                continue
            generation.tokens += 1
            if generation.tokens == 1:
                prompts += sequence.prompt_tokens
                generation.first = now
                self.metrics.first_token(now - generation.arrived)
            else:
                self.metrics.next_token(now - generation.last)
            generation.last = now
            generation.tell()
        self.metrics.step(prompt=prompts, generated=len(step.decoded))
        for sequence in step.finished:
            generation = self._generations.get(sequence)
            if generation is not None:
                self._end(generation, generation.end, now)
        self._publish()

    def _end(self, generation: Generation, reason: str, now: float) -> None:
        """One that its client gave up vLLM counts nowhere: not as an abort, not its times."""
        del self._generations[generation.sequence]
        if reason != "abort":
            self._count(generation, reason, now)
        generation.tell(finish_reason=reason)
        if not self._generations:
            self._idle.set()

    def _count(self, generation: Generation, reason: str, now: float) -> None:
        sequence = generation.sequence
        first = generation.first if generation.tokens else now
        self.metrics.finished(
            Finished(
                reason=reason,
                prompt_tokens=sequence.prompt_tokens,
                generated=generation.tokens,
                max_tokens=sequence.max_tokens,
                preemptions=sequence.preemptions,
                queued=generation.scheduled - generation.arrived,
                prefill=max(0.0, first - generation.scheduled),
                decode=max(0.0, now - first),
            )
        )

    def _publish(self) -> None:
        if self._speed.hangs:
            return  # the numbers come from the core
        self.metrics.load(
            running=len(self._scheduler.running),
            waiting=len(self._scheduler.waiting),
            kv_usage=self._scheduler.usage,
        )
