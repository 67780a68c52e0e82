"""The engine in virtual time against one that takes each step alone."""

import math
from bisect import bisect_right
from dataclasses import replace

import pytest
from tests.core.simulation.reference import model, play, traffic

from escadre.core.simulation.engine import Engine
from escadre.core.simulation.gaps import quantile
from escadre.core.simulation.replica import ReplicaModel, Request

# Name, the replica, and the traffic: seed, requests, per second, tokens of prompt and answer.
CASES = {
    "one at a time": (model(), (1, 20, 0.1, 1000, 50)),
    "a chat, idle": (model(), (2, 100, 1.0, 1155, 211)),
    "a chat, busy": (model(), (3, 150, 5.0, 1155, 211)),
    "a chat, overloaded": (model(), (4, 150, 20.0, 1155, 211)),
    "code: long prompts, short answers": (model(), (5, 150, 2.5, 2048, 28)),
    "code, overloaded": (model(), (6, 150, 12.0, 2048, 28)),
    "short prompts, long answers": (model(), (7, 60, 2.0, 60, 900)),
    "answers of one token": (model(), (8, 100, 5.0, 800, 1)),
    "prompts of one token": (model(), (9, 80, 5.0, 1, 100)),
    "prompts in many chunks": (model(max_num_batched_tokens=256), (10, 60, 1.0, 1500, 60)),
    "few tokens a step, overloaded": (model(max_num_batched_tokens=128), (11, 60, 4.0, 900, 80)),
    "fewer tokens a step than requests": (model(max_num_batched_tokens=16), (12, 60, 9.0, 20, 60)),
    "4 at once": (model(max_num_seqs=4), (13, 100, 2.0, 600, 100)),
    "1 at once": (model(max_num_seqs=1), (14, 50, 0.5, 600, 60)),
    "a small cache": (model(cache_blocks=600), (15, 100, 4.0, 800, 200)),
    "a cache for one": (model(cache_blocks=340), (16, 60, 3.0, 700, 300)),
    "a small cache, long answers": (model(cache_blocks=500), (17, 60, 4.0, 60, 900)),
    "a small cache, small chunks": (
        model(cache_blocks=500, max_num_batched_tokens=200),
        (18, 60, 4.0, 500, 400),
    ),
    "all at the same moment": (model(), (19, 100, 1e6, 900, 120)),
    "a million tokens in the cache": (model(cache_blocks=80_000), (20, 40, 4.0, 7000, 400)),
}


def run(replica: ReplicaModel, requests: list[Request]) -> Engine:
    engine = Engine(replica)
    for request in requests:
        engine.advance(request.at)
        engine.submit(request)
    engine.advance(math.inf)
    return engine


@pytest.mark.parametrize("case", CASES)
def test_quantiles_are_those_of_single_steps(case: str) -> None:
    replica, numbers = CASES[case]
    requests = traffic(*numbers)
    played, engine = play(replica, requests), run(replica, requests)
    first = [job.first_at - job.request.at for job in engine.ended]
    assert len(first) == len(requests)
    assert engine.preemptions == played.preemptions
    assert engine.gaps.counts.total() == len(played.gaps)
    for share in (0.5, 0.95, 0.99):
        assert quantile(first, share) == pytest.approx(quantile(played.first, share), rel=0.02)
        assert engine.gaps.quantile(share) == pytest.approx(quantile(played.gaps, share), rel=0.02)


def test_the_cases_meet_a_full_cache() -> None:
    """Else they would say nothing of preemption."""
    full = [
        name
        for name, (replica, numbers) in CASES.items()
        if play(replica, traffic(*numbers)).preemptions
    ]
    assert len(full) >= 3, full


@pytest.mark.parametrize("case", CASES)
def test_looking_at_it_changes_nothing(case: str) -> None:
    """A step that began goes to its end, whoever asks for a moment within it."""
    replica, numbers = CASES[case]
    requests = traffic(*numbers)
    seen = Engine(replica)
    for request in requests:
        for part in (0.3, 0.7, 1.0):
            seen.advance(seen.now + part * max(0.0, request.at - seen.now))
        seen.advance(request.at)
        seen.submit(request)
    while seen.load:
        seen.advance(seen.now + 0.33)
    whole = run(replica, requests)
    assert seen.now == pytest.approx(whole.now)
    assert seen.gaps.counts.total() == whole.gaps.counts.total()


@pytest.mark.parametrize("case", CASES)
def test_an_empty_engine_holds_no_block(case: str) -> None:
    replica, numbers = CASES[case]
    engine = run(replica, traffic(*numbers))
    assert (engine.free, engine.load) == (replica.cache_blocks, 0)


def test_twice_the_speed_is_never_slower() -> None:
    replica, numbers = CASES["a chat, overloaded"]
    speed = replica.speed
    fast = replace(replica, speed=replace(speed, prefill_tokens_per_second=34_000.0))
    assert run(fast, traffic(*numbers)).now < run(replica, traffic(*numbers)).now


def test_a_request_longer_than_the_context_or_the_cache_is_not_taken() -> None:
    assert model().takes(Request(0, 32_000, 768))
    assert not model().takes(Request(0, 32_000, 769))
    assert model(cache_blocks=10).takes(Request(0, 100, 61))
    assert not model(cache_blocks=10).takes(Request(0, 100, 62))


@pytest.mark.parametrize("case", CASES)
def test_what_it_has_counted_is_what_was_done(case: str) -> None:
    """All prompts, all tokens; the gaps of the reference, and no prefill beyond its first token."""
    replica, numbers = CASES[case]
    requests = traffic(*numbers)
    played, engine = play(replica, requests), run(replica, requests)
    work = engine.work
    assert work.prompt_tokens == sum(one.prompt for one in requests)
    assert work.generation_tokens == sum(one.answer for one in requests)
    assert (work.answered, work.preemptions) == (len(requests), played.preemptions)
    assert work.gaps is not None
    assert work.gaps.count == len(played.gaps)
    assert work.gaps.seconds == pytest.approx(sum(played.gaps))
    assert work.prefill is not None
    assert work.prefill.count == len(requests)
    least = sum(one.prompt for one in requests) / replica.speed.prefill_tokens_per_second
    assert least <= work.prefill.seconds <= sum(played.first) + 1e-9


def test_what_a_scrape_tells_between() -> None:
    """Of two requests one decodes and one waits; a third of the cache is taken."""
    engine = Engine(model(max_num_seqs=1, cache_blocks=192))
    for _ in range(2):
        engine.submit(Request(0.0, 1000, 100))
    engine.advance(0.5)
    told = engine.demand(0.5)
    assert (told.running, told.waiting, told.requests) == (1, 1, 2)
    assert told.cache_usage == pytest.approx(1 / 3, abs=0.02)
    assert told.work is not None
    assert (told.work.prompt_tokens, told.work.answered) == (1000, 0)


@pytest.mark.parametrize("case", CASES)
def test_its_load_is_known_without_its_steps(case: str) -> None:
    """Between what it is once the step under way has ended, and what it is at that moment."""
    replica, numbers = CASES[case]
    requests = traffic(*numbers)
    ends = sorted(job.last_at for job in run(replica, requests).ended)
    asked, stepped = Engine(replica), Engine(replica)
    for came, request in enumerate(requests):
        stepped.advance(request.at)
        there = came - bisect_right(ends, request.at)
        assert stepped.load <= asked.load_at(request.at) <= there
        asked.advance(request.at)
        asked.submit(request)
        stepped.submit(request)
