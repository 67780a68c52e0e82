"""Requests that decode together come out to the last bit as if each were looked at by itself."""

import math
import random
from dataclasses import astuple, replace
from typing import Any

import pytest
from tests.core.simulation.plain import PlainEngine
from tests.core.simulation.reference import model, traffic
from tests.core.simulation.test_engine import CASES
from tests.core.simulation.test_fleet import setting
from tests.core.simulation.test_play import Script

from escadre.core.simulation import fleet
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.play import simulate
from escadre.core.simulation.replica import ReplicaModel, Request

MORE = {
    f"{blocks} blocks, {seats} seats, {tokens} tokens a step": (
        model(cache_blocks=blocks, max_num_seqs=seats, max_num_batched_tokens=tokens),
        (blocks + seats, 90, 3.0, 900, 150),
    )
    for blocks in (300, 700, 4000)
    for seats in (7, 64)
    for tokens in (48, 512, 8192)
}
ALL = CASES | MORE


def told(engine: Engine | PlainEngine) -> tuple[Any, ...]:
    return engine.now, engine.free, engine.demand(engine.now)


def ends(engine: Engine | PlainEngine) -> list[tuple[Any, ...]]:
    return [
        (astuple(job.request), job.begun_at, job.first_at, job.last_at, job.computed, job.left)
        for job in engine.ended
    ]


def asked_at_odd_moments(engine: Engine | PlainEngine, requests: list[Request]) -> list[Any]:
    """Everything that it tells, at moments between and at the arrivals, to the end."""
    rng = random.Random(7)  # noqa: S311 - draws, not secrets
    found: list[Any] = []
    for request in requests:
        if rng.random() < 0.5:
            found.append(engine.load_at(engine.now + rng.random()))
        if rng.random() < 0.3:
            engine.advance(request.at - rng.random() / 10)
            found.append(told(engine))
        engine.advance(request.at)
        engine.submit(request)
        found.append(told(engine))
    for _ in range(20):
        engine.advance(engine.now + rng.random())
        found.append(told(engine))
    engine.advance(math.inf)
    return [*found, told(engine), ends(engine), engine.gaps, engine.preemptions]


@pytest.mark.parametrize("case", ALL)
def test_every_number_is_the_same(case: str) -> None:
    replica, numbers = ALL[case]
    requests = traffic(*numbers)
    found = asked_at_odd_moments(Engine(replica), requests)
    assert found == asked_at_odd_moments(PlainEngine(replica), requests)


def test_the_cases_meet_all_ways_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of prompts beside those that decode, and steps in which some get no token."""
    met: dict[str, int] = {"each": 0, "part": 0}
    each, together = Engine._step_each, Engine._step_together

    def step_each(engine: Engine) -> None:
        met["each"] += bool(engine.running)
        each(engine)

    def step_together(engine: Engine) -> None:
        met["part"] += engine._part is not None and engine._decoding.count > 0
        together(engine)

    monkeypatch.setattr(Engine, "_step_each", step_each)
    monkeypatch.setattr(Engine, "_step_together", step_together)
    for replica, numbers in ALL.values():
        asked_at_odd_moments(Engine(replica), traffic(*numbers))
    assert min(met.values()) > 100, met


@pytest.mark.parametrize("replica", [model(), model(cache_blocks=900, max_num_seqs=20)])
def test_a_deployment_is_the_same(monkeypatch: pytest.MonkeyPatch, replica: ReplicaModel) -> None:
    requests = traffic(21, 900, 6.0, 2500, 150)
    slow = model(max_num_batched_tokens=1024)
    given = replace(setting(load=30), model=replica, routing="least-loaded", odd={1: slow})
    says = {0.0: 2, 40.0: 4, 90.0: 1, 120.0: 3}
    found = simulate(requests, given, Script(says))
    monkeypatch.setattr(fleet, "Engine", PlainEngine)
    assert found == simulate(requests, given, Script(says))
