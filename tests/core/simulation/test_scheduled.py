"""Each step is planned as by vLLM's own scheduler (`make oracle`, without a GPU).

The reference, which takes each step alone, is held to it; then the engine to the reference, where
a step takes a second, so that times are numbers of steps and have to be the same.
"""

import gzip
import json
import math
from functools import cache
from typing import Any

import pytest
from e2e.engine.oracle.__main__ import SCHEDULED
from e2e.engine.oracle.scheduled import BLOCK, Scheduled, scheduled
from tests.core.simulation.reference import Cache, One, Planned, Steps, planned
from typing_extensions import override

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.replica import ReplicaModel, Request

CASES = list(scheduled())
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number}")


@cache
def told() -> dict[int, Any]:
    """By the number of the case."""
    lines = gzip.decompress(SCHEDULED.read_bytes()).splitlines()
    return {one["number"]: one["steps"] for one in map(json.loads, lines)}


def replica(case: Scheduled) -> ReplicaModel:
    """Each step takes a second, whatever it computes."""
    return ReplicaModel(
        speed=Speed(math.inf, DecodeStep(1.0, 0.0, 0.0)),
        cache_blocks=case.blocks,
        max_num_seqs=case.max_num_seqs,
        max_num_batched_tokens=case.max_num_batched_tokens,
        max_model_len=BLOCK * case.blocks,
        gpus=1,
    )


def requests_of(case: Scheduled) -> list[Request]:
    return [Request(float(at), *tokens) for at, *tokens in case.requests]


@cache
def steps_of(case: Scheduled) -> Planned:
    return planned(Steps(replica(case)), requests_of(case))


@each_case
def test_every_step_is_the_same(case: Scheduled) -> None:
    assert steps_of(case).steps == told()[case.number]


@each_case
def test_the_engine_answers_in_the_same_steps(case: Scheduled) -> None:
    engine, requests, wanted = Engine(replica(case)), requests_of(case), steps_of(case)
    for request in requests:
        engine.advance(request.at)
        engine.submit(request)
    engine.advance(math.inf)
    ended = {id(job.request): (job.first_at - 1, job.last_at - 1) for job in engine.ended}
    given = [(steps[0], steps[-1]) for steps in wanted.given]
    assert [ended[id(request)] for request in requests] == given
    assert engine.preemptions == wanted.preemptions


def test_the_cases_meet_full_caches_and_what_is_left_in_them() -> None:
    """Most of them preempt, and of what was preempted little is computed anew."""
    found = [steps_of(case) for case in CASES]
    assert sum(one.preemptions > 0 for one in found) > len(found) / 2
    computed = sum(tokens for one in found for step in one.steps for _, tokens in step)
    asked = sum(prompt + answer - 1 for case in CASES for _, prompt, answer in case.requests)
    assert asked < computed < 1.1 * asked


class _FirstChunk(Steps):
    """Lets in where a step fits beside what may be found: scheduler_reserve_full_isl off."""

    @override
    def _lacks(self, one: One, tokens: int) -> bool:
        return super()._lacks(one, min(tokens, self.budget + BLOCK * len(one.left)))


class _Forgetful(Cache):
    """Finds nothing again: enable_prefix_caching off."""

    @override
    def find(self, one: One) -> None:
        pass


def _forgets(replica: ReplicaModel) -> Steps:
    steps = Steps(replica)
    steps.cache = _Forgetful(replica.cache_blocks)
    return steps


@pytest.mark.parametrize("rule", [_FirstChunk, _forgets])
def test_the_cases_tell_another_rule_apart(rule: Any) -> None:
    other = [planned(rule(replica(case)), requests_of(case)).steps for case in CASES]
    differ = sum(steps != told()[case.number] for steps, case in zip(other, CASES, strict=True))
    assert differ >= 20, differ
