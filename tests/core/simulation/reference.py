"""An engine that takes each step alone, written for its reader and not for speed."""

import random
from dataclasses import dataclass, field

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
    rng = random.Random(seed)
    at, found = 0.0, []
    for _ in range(count):
        at += rng.expovariate(rate)
        tokens = [min(4 * mean, max(1, round(rng.expovariate(1 / mean)))) for mean in (prompt, answer)]
        found.append(Request(at, *tokens))
    return found


@dataclass
class _One:
    request: Request
    done: int = 0
    given: list[float] = field(default_factory=list)

    @property
    def todo(self) -> int:
        return self.request.prompt + len(self.given) - self.done

    @property
    def blocks(self) -> int:
        return -(-self.done // BLOCK)


@dataclass
class Played:
    """Seconds to the first token of each request, in their order, and all gaps between tokens."""

    first: list[float]
    gaps: list[float]
    preemptions: int


def play(model: ReplicaModel, requests: list[Request]) -> Played:
    """Every request to its end, step after step."""
    ones = [_One(request) for request in requests]
    coming, waiting, running = list(ones), [], []
    now, preemptions = 0.0, 0
    while coming or waiting or running:
        while coming and coming[0].request.at <= now:
            waiting.append(coming.pop(0))
        if not waiting and not running:
            now = coming[0].request.at
            continue
        budget, shares, full = model.max_num_batched_tokens, [], False
        for one in list(running):
            if one not in running:
                continue
            tokens = min(one.todo, budget)
            if tokens == 0:
                break

            def room(one: _One = one, tokens: int = tokens) -> bool:
                planned = {id(each): share for each, share in shares} | {id(one): tokens}
                held = sum(-(-(each.done + planned.get(id(each), 0)) // BLOCK) for each in running)
                return held <= model.cache_blocks

            while one in running and not room():
                last = running.pop()
                last.done = 0
                waiting.insert(0, last)
                preemptions += 1
                full = True
            if one in running:
                shares.append((one, tokens))
                budget -= tokens
            else:
                break
        planned = {id(each): share for each, share in shares}
        while waiting and not full and budget and len(running) < model.max_num_seqs:
            tokens = min(waiting[0].todo, budget)
            held = sum(-(-(each.done + planned.get(id(each), 0)) // BLOCK) for each in running)
            if held + -(-tokens // BLOCK) > model.cache_blocks:
                break
            one = waiting.pop(0)
            running.append(one)
            shares.append((one, tokens))
            planned[id(one)] = tokens
            budget -= tokens
        decoding = [one for one, _ in shares if one.given and one.todo == 1]
        prompt = sum(tokens for one, tokens in shares if one not in decoding)
        cached = sum(one.done for one in decoding)
        decode = model.speed.decode
        step = prompt / model.speed.prefill_tokens_per_second
        if decoding:
            step += decode.fixed + decode.per_running * len(decoding) + decode.per_cached_token * cached
        now += max(step, decode.fixed)
        for one, tokens in shares:
            last = tokens == one.todo
            one.done += tokens
            if last:
                one.given.append(now)
        running = [one for one in running if len(one.given) < one.request.answer]
    gaps = [b - a for one in ones for a, b in zip(one.given, one.given[1:], strict=False)]
    return Played([one.given[0] - one.request.at for one in ones], gaps, preemptions)
