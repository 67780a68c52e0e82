"""An engine that takes each step alone, written for its reader and not for speed."""

import random
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.simulation.replica import ReplicaModel, Request

BLOCK = 16


def model(**given: int) -> ReplicaModel:
    """A replica near a 24 B model on one H100: 20 ms a step, 17,000 tokens of a prompt a second."""
    speed = Speed(17_000.0, DecodeStep(0.0195, 20e-6, 6.4e-8))
    facts = {
        "cache_blocks": 4000,
        "max_num_seqs": 64,
        "max_num_batched_tokens": 8192,
        "max_model_len": 32768,
        "gpus": 1,
    }
    return ReplicaModel(speed, **(facts | given))


def traffic(seed: int, count: int, rate: float, prompt: int, answer: int) -> list[Request]:
    """Requests at random moments, with tokens of exponential spread about their means."""
    rng = random.Random(seed)  # noqa: S311 - draws, not secrets
    at, found = 0.0, []
    for _ in range(count):
        at += rng.expovariate(rate)
        tokens = [
            min(4 * mean, max(1, round(rng.expovariate(1 / mean)))) for mean in (prompt, answer)
        ]
        found.append(Request(at, *tokens))
    return found


@dataclass(eq=False)
class One:
    """``blocks`` are the numbers of those that it has; ``left`` those that it had to give up."""

    request: Request
    done: int = 0
    given: list[float] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    @property
    def todo(self) -> int:
        return self.request.prompt + len(self.given) - self.done

    @property
    def decodes(self) -> bool:
        return bool(self.given) and self.todo == 1


@dataclass
class Played:
    """Seconds to the first token of each request, in their order, and all gaps between tokens."""

    first: list[float]
    gaps: list[float]
    preemptions: int


class Cache:
    """Blocks by number: ``free`` in the order in which they are taken, ``holds`` what is in them.

    What is in one is whose and which block of it; it stays until another takes the block.
    """

    def __init__(self, blocks: int) -> None:
        self.free = deque(range(blocks))
        self.holds: dict[int, tuple[One, int]] = {}

    def take(self, one: One, tokens: int) -> None:
        """Blocks for so many tokens of it in all."""
        while len(one.blocks) < blocks(tokens):
            block = self.free.popleft()
            self.holds.pop(block, None)
            one.blocks.append(block)

    def give(self, one: One) -> None:
        """The tail is taken before the head, and one that is not full before all others."""
        full = one.done // BLOCK
        self.free.extendleft(one.blocks[full:])
        self.free.extend(reversed(one.blocks[:full]))
        self.holds |= {block: (one, place) for place, block in enumerate(one.blocks[:full])}
        one.blocks, one.left = [], one.blocks[:full]

    def find(self, one: One) -> None:
        """Its first blocks, up to one that is another's; the last token is computed anew."""
        most = (one.todo + one.done - 1) // BLOCK
        for place, block in enumerate(one.left[:most]):
            if self.holds.get(block) != (one, place):
                break
            self.free.remove(block)
            one.blocks.append(block)
        one.done = BLOCK * len(one.blocks)


def blocks(tokens: int) -> int:
    return -(-tokens // BLOCK)


@dataclass
class Steps:
    """The queues between two steps; ``plan`` is what the step now made computes of each request."""

    model: ReplicaModel
    waiting: list[One] = field(default_factory=list)
    running: list[One] = field(default_factory=list)
    plan: list[tuple[One, int]] = field(default_factory=list)
    preemptions: int = 0
    cache: Cache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = Cache(self.model.cache_blocks)

    @property
    def budget(self) -> int:
        return self.model.max_num_batched_tokens - sum(tokens for _, tokens in self.plan)

    def make(self) -> None:
        """Who runs goes on, the last giving way; then, if none did, who waits begins."""
        self.plan = []
        before, place = self.preemptions, 0
        while place < len(self.running) and self.budget:
            one = self.running[place]
            tokens = min(one.todo, self.budget)
            while one in self.running and self._lacks(one, tokens):
                self._preempt()
            if one in self.running:
                self.cache.take(one, one.done + tokens)
                self.plan.append((one, tokens))
            place += 1
        while self.preemptions == before and self.waiting and self.budget:
            one = self.waiting[0]
            if len(self.running) == self.model.max_num_seqs or self._lacks(one, one.todo):
                break
            self.cache.find(one)
            tokens = min(one.todo, self.budget)
            self.cache.take(one, one.done + tokens)
            self.running.append(self.waiting.pop(0))
            self.plan.append((one, tokens))

    def _lacks(self, one: One, tokens: int) -> bool:
        return blocks(one.done + tokens) - len(one.blocks) > len(self.cache.free)

    def _preempt(self) -> None:
        last = self.running.pop()
        self.cache.give(last)
        last.done = 0
        self.waiting.insert(0, last)
        self.preemptions += 1

    @property
    def seconds(self) -> float:
        """Of the step, by the formula of docs/use/simulate.md."""
        decode = self.model.speed.decode
        decoding = [one for one, _ in self.plan if one.decodes]
        prompts = sum(tokens for one, tokens in self.plan if not one.decodes)
        seconds = prompts / self.model.speed.prefill_tokens_per_second
        if not decoding:
            return max(seconds, decode.fixed)
        cached = decode.per_cached_token * sum(one.done for one in decoding)
        return seconds + decode.fixed + decode.per_running * len(decoding) + cached

    def end(self, now: float) -> None:
        """What the plan computed is there, and whoever is whole gives a token."""
        for one, tokens in self.plan:
            whole = tokens == one.todo
            one.done += tokens
            if whole:
                one.given.append(now)
        for one in self.running:
            if len(one.given) == one.request.answer:
                self.cache.give(one)
        self.running = [one for one in self.running if len(one.given) < one.request.answer]


@dataclass
class Planned:
    """Of each step the tokens of each request, by its place among them.

    ``given`` are of each request the steps in which it had its tokens.
    """

    steps: list[list[list[int]]]
    given: list[list[float]]
    preemptions: int


def planned(steps: Steps, requests: list[Request]) -> Planned:
    """Every request to its end; the times of their arrival count as numbers of steps."""
    ones = [One(request) for request in requests]
    coming = list(ones)
    found: list[list[list[int]]] = []
    while coming or steps.waiting or steps.running:
        while coming and coming[0].request.at <= len(found):
            steps.waiting.append(coming.pop(0))
        steps.make()
        steps.end(float(len(found)))
        found.append([[ones.index(one), tokens] for one, tokens in steps.plan])
    return Planned(found, [one.given for one in ones], steps.preemptions)


def play(model: ReplicaModel, requests: list[Request]) -> Played:
    """Every request to its end, step after step."""
    ones = [One(request) for request in requests]
    coming, steps, now = list(ones), Steps(model), 0.0
    while coming or steps.waiting or steps.running:
        if not steps.waiting and not steps.running:
            now = max(now, coming[0].request.at)
        while coming and coming[0].request.at <= now:
            steps.waiting.append(coming.pop(0))
        steps.make()
        now += steps.seconds
        steps.end(now)
    gaps = [after - before for one in ones for before, after in pairwise(one.given)]
    return Played([one.given[0] - one.request.at for one in ones], gaps, steps.preemptions)
