"""What a preempted request finds in the cache, against blocks that are looked at one by one."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.simulation.reference import Cache, One, model

from escadre.core.simulation.blocks import Blocks
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.replica import Job, Request, blocks_of

CACHE = 40


@dataclass
class Both:
    """The same requests with both: those that run, and those that were preempted."""

    blocks: Blocks = field(default_factory=lambda: Blocks(CACHE))
    cache: Cache = field(default_factory=lambda: Cache(CACHE))
    running: list[tuple[Job, One]] = field(default_factory=list)
    waiting: list[tuple[Job, One]] = field(default_factory=list)

    def compute(self, place: int, tokens: int) -> None:
        job, one = self.running[place % len(self.running)]
        tokens = min(tokens, job.remaining - 1)
        needed = job.blocks_for(tokens)
        if needed <= self.blocks.free:
            self.blocks.take(needed)
            job.computed += tokens
            self.cache.take(one, one.done + tokens)
            one.done += tokens

    def preempt(self) -> None:
        job, one = self.running.pop()
        self.blocks.give_up(job)
        self.cache.give(one)
        one.done = 0
        self.waiting.append((job, one))

    def end(self, place: int) -> None:
        job, one = self.running.pop(place % len(self.running))
        self.blocks.give(job)
        self.cache.give(one)

    def resume(self) -> None:
        job, one = self.waiting[-1]
        if blocks_of(job.remaining) <= self.blocks.free:
            self.running.append(self.waiting.pop())
            self.blocks.find(job)
            self.cache.find(one)

    def told(self) -> tuple[int, list[int]]:
        return self.blocks.free, [job.computed for job, _ in self.running]

    def counted(self) -> tuple[int, list[int]]:
        return len(self.cache.free), [one.done for _, one in self.running]


STEP = st.one_of(
    st.tuples(st.just("begin"), st.integers(1, 400), st.just(0)),
    st.tuples(st.just("compute"), st.integers(0, 9), st.integers(1, 200)),
    st.tuples(st.just("preempt"), st.just(0), st.just(0)),
    st.tuples(st.just("resume"), st.just(0), st.just(0)),
    st.tuples(st.just("end"), st.integers(0, 9), st.just(0)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_what_is_found_is_what_single_blocks_hold(steps: list[tuple[str, int, int]]) -> None:
    both = Both()
    for name, first, second in steps:
        if name == "begin":
            request = Request(0.0, first, 10)
            both.running.append((Job(request, 10), One(request)))
        elif name == "compute" and both.running:
            both.compute(first, second)
        elif name == "preempt" and both.running:
            both.preempt()
        elif name == "resume" and both.waiting:
            both.resume()
        elif name == "end" and both.running:
            both.end(first)
        assert both.told() == both.counted()


def test_who_was_preempted_computes_only_what_was_taken() -> None:
    """Two prompts of 20 blocks, and one free: soon the second gives way for the first one's answer.

    The first takes the free one then, and two of the tail of what the second had.
    """
    engine = Engine(model(cache_blocks=41))
    for _ in range(2):
        engine.submit(Request(0.0, 320, 40))
    found = list[tuple[int, int]]()
    while not engine.preemptions or engine.waiting:
        found += [
            (engine._blocks.kept(job), job.computed) for job in engine.waiting if engine.preemptions
        ]
        engine.advance(engine.now + 1e-6)
    assert found[0] == (20, 0)
    assert found[-1] == (18, 0)
    (again,) = engine.running
    assert again.begun_at == 0.0
    engine.advance(math.inf)
    assert [one.request.answer for one in engine.ended] == [40, 40]
    assert (engine.preemptions, engine.free) == (1, 41)


@pytest.mark.parametrize(("blocks", "alone"), [(60, True), (64, False)])
def test_a_prompt_begins_where_all_of_it_fits(blocks: int, alone: bool) -> None:
    """64 tokens a step would fit sooner; vLLM asks for the whole (scheduler_reserve_full_isl)."""
    engine = Engine(model(cache_blocks=blocks, max_num_batched_tokens=64))
    engine.submit(Request(0.0, 480, 16))
    engine.submit(Request(0.0, 512, 16))
    engine.advance(0.2)
    assert (len(engine.running) == 1) is alone
