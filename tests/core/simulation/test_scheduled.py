"""Each step is planned as by vLLM's own scheduler (`make oracle`, without a GPU).

The reference is held to it here, and test_engine.py holds the engine to the reference.
"""

import gzip
import json
from functools import cache
from typing import Any

import pytest
from e2e.engine.oracle.__main__ import SCHEDULED
from e2e.engine.oracle.scheduled import Scheduled, scheduled
from tests.core.simulation.reference import Planned, model, planned

from escadre.core.simulation.replica import Request


@cache
def told() -> dict[int, Any]:
    """By the number of the case."""
    lines = gzip.decompress(SCHEDULED.read_bytes()).splitlines()
    return {one["number"]: one["steps"] for one in map(json.loads, lines)}


def steps_of(case: Scheduled) -> Planned:
    replica = model(
        cache_blocks=case.blocks,
        max_num_seqs=case.max_num_seqs,
        max_num_batched_tokens=case.max_num_batched_tokens,
    )
    return planned(replica, [Request(float(at), *tokens) for at, *tokens in case.requests])


@pytest.mark.parametrize("case", list(scheduled()), ids=lambda case: f"{case.number}")
def test_every_step_is_the_same(case: Scheduled) -> None:
    assert steps_of(case).steps == told()[case.number]


def test_the_cases_meet_full_caches_and_what_is_left_in_them() -> None:
    """Half of them preempt, and of what was preempted little is computed anew."""
    found = [steps_of(case) for case in scheduled()]
    assert sum(one.preemptions > 0 for one in found) > len(found) / 3
    computed = sum(tokens for one in found for step in one.steps for _, tokens in step)
    asked = sum(prompt + answer - 1 for case in scheduled() for _, prompt, answer in case.requests)
    assert asked < computed < 1.1 * asked
