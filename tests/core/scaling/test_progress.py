"""core/scaling/progress.py: read or not, and whether it gets on with its work."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.scaling.demand import UNKNOWN, Demand, Reading, Sums, Work, read
from escadre.core.scaling.progress import (
    Hung,
    Patience,
    Phase,
    most_at_once,
    phase_read,
    prompt_seconds,
    stands_still,
    told_hung,
)

NOW = 10_000.0
PATIENCE = Patience(stale_seconds=30.0, still_seconds=90.0)
BUSY = Demand(4, 2, NOW, 0.5, Work(generation_tokens=100))


@pytest.mark.parametrize(
    ("reading", "phase"),
    [
        pytest.param(None, "unread", id="nobody tried to read it"),
        pytest.param(Reading(BUSY, moved=NOW), "ready", id="it works"),
        pytest.param(Reading(BUSY, moved=NOW - 89), "ready", id="it stands for less than that"),
        pytest.param(Reading(BUSY, moved=NOW - 90), "stuck", id="it stands for as long"),
        pytest.param(
            Reading(replace(BUSY, at=NOW - 31), moved=NOW - 200), "unscrapable", id="old, and stood"
        ),
        pytest.param(Reading(UNKNOWN, failure="no answer"), "unscrapable", id="never answered"),
        pytest.param(
            Reading(replace(BUSY, waiting=None), moved=NOW), "unscrapable", id="a number is missing"
        ),
        pytest.param(
            Reading(BUSY, failure="no answer", moved=NOW), "ready", id="one scrape that failed"
        ),
        pytest.param(
            Reading(Demand(0, 0, NOW, 0.0, Work(generation_tokens=0), taken=3), moved=NOW - 200),
            "ready",
            id="what was let in and it has not told of is to be tried first",
        ),
    ],
)
def test_what_a_replica_is_by_its_last_reading(reading: Reading | None, phase: Phase) -> None:
    assert phase_read(reading, PATIENCE, NOW) == phase


@pytest.mark.parametrize(
    ("context", "speed", "seconds"),
    [
        pytest.param(4096, 10_000.0, 60.0, id="never less than a minute"),
        pytest.param(131_072, 4096.0, 96.0, id="three times the longest prompt"),
        pytest.param(32_768, None, 3 * 32_768 / 500, id="slow where nobody knows"),
    ],
)
def test_how_long_an_engine_may_stand(context: int, speed: float | None, seconds: float) -> None:
    assert Patience.of(30.0, prompt_seconds(context, speed)).still_seconds == seconds


def test_an_engine_of_which_nobody_knows_the_prompts_is_never_stuck() -> None:
    reading = Reading(BUSY, moved=0.0)
    assert phase_read(reading, Patience.of(30.0, math.inf), NOW) == "ready"


NUMBERS = st.none() | st.integers(0, 3)
WORKS = st.none() | st.builds(
    Work,
    prompt_tokens=NUMBERS,
    generation_tokens=NUMBERS,
    gaps=st.none() | st.builds(Sums, st.just(1.0), st.integers(0, 2)),
)
DEMANDS = st.builds(
    Demand, NUMBERS, NUMBERS, cache_usage=st.none() | st.sampled_from((0.0, 0.5)), work=WORKS
)


@given(st.lists(st.tuples(DEMANDS, st.floats(1, 40)), min_size=1, max_size=12))
def test_stuck_is_only_what_had_work_and_told_the_same_all_the_time(
    scrapes: list[tuple[Demand, float]],
) -> None:
    reading, now, seen = None, NOW, []
    for demand, pause in scrapes:
        now += pause
        reading = read(reading, replace(demand, at=now), leaving=False)
        seen.append((now, demand))
    assert reading is not None
    if stands_still(reading, PATIENCE.still_seconds):
        within = [demand for at, demand in seen if at >= now - PATIENCE.still_seconds]
        assert len(set(within)) == 1
        assert within[-1].requests
        assert within[-1].work is not None


FIRST = Work(prompt_tokens=0, generation_tokens=0, answered=0, gaps=Sums(0.0, 0))


@pytest.mark.parametrize(
    ("told", "stands"),
    [
        pytest.param([Demand(1, 0, work=FIRST)] * 4, True, id="at its first request"),
        pytest.param(
            [Demand(0, 0, work=FIRST, taken=count) for count in (1, 3, 2, 3)],
            True,
            id="before it has told of it, while some give up and others come",
        ),
        pytest.param(
            [Demand(0, 0, work=replace(FIRST, answered=7), taken=1)] * 4, True, id="after it idled"
        ),
        pytest.param(
            [Demand(0, 0, work=FIRST, taken=count) for count in (1, 1, 0, 1)],
            False,
            id="all of them gave up",
        ),
        pytest.param([Demand(0, 0, work=FIRST, taken=0)] * 4, False, id="it has nothing to do"),
        pytest.param([Demand(0, 0, work=FIRST)] * 4, False, id="nobody tells what was let in"),
        pytest.param(
            [Demand(running, 0, work=FIRST) for running in (4, 3, 2, 1)],
            False,
            id="its clients give up one by one",
        ),
        pytest.param([Demand(1, 0, taken=1)] * 4, False, id="without counters nobody knows"),
    ],
)
def test_who_stands_still(told: list[Demand], stands: bool) -> None:
    reading = read(None, Demand(0, 0, NOW, work=FIRST, taken=0), leaving=False)
    for number, one in enumerate(told, 1):
        reading = read(reading, replace(one, at=NOW + 30 * number), leaving=False)
    assert stands_still(reading, PATIENCE.still_seconds) == stands


@pytest.mark.parametrize(
    ("demand", "waiting"),
    [
        pytest.param(Demand(0, 0, taken=5), 5, id="whom it has not told of"),
        pytest.param(Demand(4, 20, taken=24), 20, id="all of whom it has told"),
        pytest.param(Demand(4, 20), 20, id="nobody else tells"),
        pytest.param(Demand(None, None), 0, id="nothing is known"),
    ],
)
def test_who_waits_on_one_that_hangs(demand: Demand, waiting: int) -> None:
    assert demand.awaited == replace(demand, waiting=waiting)


def test_of_many_engines_few_are_made_anew_at_once() -> None:
    assert [most_at_once(number) for number in (0, 1, 19, 20, 500)] == [1, 1, 1, 2, 50]


def test_since_when_it_hangs_is_told() -> None:
    said = told_hung(Hung(0.0, "gave no token in 30 s"))
    assert said == (
        "has work and does none since 00:00:00 UTC, and gave no token in 30 s; it is made anew"
    )
