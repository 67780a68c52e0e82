"""What `make bench-live` makes of its runs."""

import json
from dataclasses import replace

import pytest
from e2e.bench.live.compare import Measured, judge
from e2e.bench.live.setting import Engine
from e2e.bench.live.sides import played_virtually
from e2e.bench.live.trace import LONGEST, cut, prompt_of
from e2e.engine.load.request import Ask
from e2e.engine.standin.openai import parse_wish

RUN = Measured(
    requests=100,
    lost=0,
    replica_seconds=1000.0,
    first_p50=0.5,
    first_p95=10.0,
    most_replicas=4,
    changes=5,
)


def held(live: list[Measured], simulated: list[Measured]) -> dict[str, bool]:
    return {one.name: one.holds for one in judge(live, simulated)}


@pytest.mark.parametrize(
    ("simulated", "missed"),
    [
        (RUN, set()),
        (replace(RUN, replica_seconds=1190, first_p50=1.49, first_p95=11.9), set()),
        (replace(RUN, replica_seconds=1210), {"replicaSeconds"}),
        (replace(RUN, replica_seconds=790), {"replicaSeconds"}),
        (replace(RUN, first_p50=1.6), {"firstTokenP50"}),
        (replace(RUN, first_p95=7.9), {"firstTokenP95"}),
    ],
)
def test_a_fifth_or_a_second_may_lie_between(simulated: Measured, missed: set[str]) -> None:
    found = held([RUN], [simulated])
    assert {name for name, holds in found.items() if not holds} == missed


def test_medians_are_compared_and_void_runs_left_out() -> None:
    odd = replace(RUN, replica_seconds=9000)
    assert all(held([RUN, odd, RUN], [RUN]).values())
    assert all(held([RUN, replace(odd, idle=0.02), replace(odd, idle=0.0)], [RUN]).values())
    assert judge([replace(RUN, idle=0.02)], [RUN]) == []


def test_a_prompt_has_the_tokens_that_the_stand_in_counts() -> None:
    ask = Ask("http://x", "m", prompt=prompt_of(7, 1234), max_tokens=3)
    raw = json.dumps(ask.body(7)).encode()
    assert parse_wish(raw, chat=True, names=("m",), max_model_len=8192).prompt_tokens == 1234


def test_the_simulated_side_is_the_same_each_time_and_answers_all() -> None:
    requests, engine = cut(90.0), Engine(16, 8192, 8192)
    once = played_virtually(requests, engine, 20.0, seed=1)
    assert once == played_virtually(requests, engine, 20.0, seed=1)
    assert (once.requests, once.lost) == (len(requests), 0)
    assert once.most_replicas > 1
    assert 0 < once.first_p50 <= once.first_p95
    assert len(cut(LONGEST)) > 1500
