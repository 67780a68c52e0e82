"""What is learned of a replica, from an engine whose speed is known."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.demand import Sums, Work
from escadre.core.scaling.flow import Last
from escadre.core.scaling.learning import Factors, Learned, learn
from escadre.core.scaling.policy import Limits, Sample, Windows, decide, start
from escadre.core.scaling.service import Prior, Service
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.replica import ReplicaModel, Request

SPEED = Speed(16869.0, DecodeStep(0.01848, 7.385e-5, 5.434e-8))
PRIOR = Prior(SPEED, 165_216, 40)
MODEL = ReplicaModel(SPEED, PRIOR.cache_tokens // 16, 200, 8192, 32768, 1)
FRESH = Learned("k")
SLOW = Factors(1.5, 1.5, 1.5, 1.5)


def poisson(
    rate: float, seconds: float, prompt: int, answer: int, begin: float = 0.0
) -> Iterator[Request]:
    rng, at = random.Random(f"{rate} {begin}"), begin  # noqa: S311 - draws, not secrets
    while (at := at + rng.expovariate(rate)) < begin + seconds:
        yield Request(at, prompt, answer)


def learned_from(
    truth: Factors, requests: Sequence[Request], seconds: float = 1200, start: Learned = FRESH
) -> Learned:
    """Of an engine that takes so many times as long as the prior, read each 3 s."""
    engine = Engine(replace(MODEL, speed=truth.of(SPEED)))
    waiting, learned, before = list(requests), start, tuple[Last, ...]()
    for now in range(0, int(seconds), 3):
        while waiting and waiting[0].at <= now:
            engine.advance(waiting[0].at)
            engine.submit(waiting.pop(0))
        engine.advance(now)
        seen = engine.demand(now)
        assert seen.running is not None
        assert seen.waiting is not None
        assert seen.work is not None
        last = Last(0, seen.running, seen.waiting, seen.work, now, 0.0, seen.cache_usage)
        learned = learn(learned, before, (last,), PRIOR, now)
        before = (last,)
    return learned


def test_a_prior_that_is_right_stays() -> None:
    requests = list(poisson(3.0, 1200, 1155, 211))
    found = learned_from(Factors(), requests)
    assert found.told == Factors()
    assert found.factors.prompt == pytest.approx(1.0, abs=0.1)
    assert found.factors.fixed == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("slower", [0.75, 1.3, 1.6])
def test_a_steady_load_finds_the_step_that_it_takes(slower: float) -> None:
    """What it cannot tell apart keeps its share: the step is right, not each of its terms."""
    truth = Factors(1.0, slower, slower, slower)
    found = learned_from(truth, list(poisson(2.0, 1200, 500, 200))).factors.of(SPEED).decode
    real = truth.of(SPEED).decode
    assert found.seconds(12, 7000) == pytest.approx(real.seconds(12, 7000), rel=0.08)


def test_a_steady_load_says_nothing_of_the_cache() -> None:
    """Twelve short requests read little of it: that term keeps the prior."""
    truth = Factors(1.0, 1.5, 1.0, 1.0)
    found = learned_from(truth, list(poisson(2.0, 1200, 100, 200))).factors
    assert found.fixed == pytest.approx(1.5, abs=0.12)
    assert found.per_cached_token == pytest.approx(1.0, abs=0.05)


def test_a_load_in_steps_tells_the_terms_apart() -> None:
    truth = Factors(1.0, 1.0, 1.0, 2.0)
    requests = [
        one
        for turn in range(6)
        for one in (
            *poisson(0.5, 200, 200, 200, turn * 400.0),
            *poisson(2.0, 200, 4000, 300, turn * 400.0 + 200),
        )
    ]
    found = learned_from(truth, requests, 2400).factors
    assert found.per_cached_token > 1.4
    assert found.fixed == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("slower", [0.6, 1.5])
def test_prompts_alone_find_the_prefill_and_leave_the_steps(slower: float) -> None:
    truth = Factors(slower, 1.0, 1.0, 1.0)
    found = learned_from(truth, list(poisson(0.8, 1200, 4000, 2))).factors
    assert found.prompt == pytest.approx(slower, rel=0.12)
    assert (found.fixed, found.per_running, found.per_cached_token) == (1.0, 1.0, 1.0)


def test_what_is_told_moves_seldom_and_not_for_little() -> None:
    told, before = list[tuple[float, Factors]](), Factors()
    learned = Learned("k")
    for number in range(800):
        learned = replace(learned, prompts=100.0, longer=100.0 * (0.3 + number / 1000))
        after = learn(learned, (), (), PRIOR, number * 3.0)
        if after.told != before:
            told.append((number * 3.0, after.told))
            before = after.told
        learned = after
    assert len(told) >= 2
    for (at, one), (later, two) in pairwise(told):
        assert later - at >= 600
        assert two.far_from(one)


COUNTS = st.integers(0, 10**6)


@given(st.lists(st.tuples(COUNTS, COUNTS, st.floats(0, 1e5), COUNTS, st.floats(0, 1)), max_size=20))
@settings(max_examples=50)
def test_whatever_an_engine_tells_the_factors_stay_within_half_and_double(
    numbers: list[tuple[int, int, float, int, float]],
) -> None:
    learned, before = Learned("k"), tuple[Last, ...]()
    for place, (prompt, answered, seconds, given_tokens, usage) in enumerate(numbers):
        work = Work(
            prompt_tokens=prompt,
            generation_tokens=given_tokens,
            answered=answered,
            prefill=Sums(seconds, answered),
            prefilled_tokens=prompt,
            gaps=Sums(seconds, given_tokens),
        )
        last = Last(0, 1, 0, work, 100.0 + place, 0.0, usage)
        learned = learn(learned, before, (last,), PRIOR, 100.0 + place)
        before = (last,)
        one = learned.factors
        for factor in (one.prompt, one.fixed, one.per_running, one.per_cached_token):
            assert 0.5 <= factor <= 2.0


def test_nothing_is_learned_while_requests_wait_or_an_engine_is_new() -> None:
    requests = list(poisson(2.0, 100, 500, 200))
    assert learned_from(SLOW, requests, 60) == Learned("k"), "the first minute"
    crowd = [Request(0.0, 500, 2000) for _ in range(400)]
    assert learned_from(SLOW, crowd, 120).steps == Learned("k").steps, "half of them wait"


@pytest.mark.parametrize("alike", [True, False])
def test_a_replica_of_another_kind_teaches_nothing(alike: bool) -> None:
    """One that waits for its rollout stands beside: what it does is not what the kind does."""
    engine, waiting = (
        Engine(replace(MODEL, speed=SLOW.of(SPEED))),
        list(poisson(2.0, 300, 500, 200)),
    )
    state, limits = start(1, 0.0), Limits(1, 1, 10, service=Service(PRIOR, key="k"))
    for now in range(0, 300, 3):
        while waiting and waiting[0].at <= now:
            engine.advance(waiting[0].at)
            engine.submit(waiting.pop(0))
        engine.advance(now)
        sample = Sample(0, "ready", engine.demand(now), alike=alike)
        state = decide(state, [sample], limits, Windows(60.0, 15.0), now).state
    assert state.learned is not None
    assert (state.learned == FRESH) is not alike
