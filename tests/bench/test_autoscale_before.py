"""The policy of 0.1.0 in the benchmark decides as the file of its commit does."""

import random
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from e2e.bench.autoscale.before import Before
from e2e.cluster.config import REPOSITORY
from e2e.upgrade.earlier import COMMIT_0_1_0

from escadre.core.scaling.demand import Demand
from escadre.core.scaling.policy import Windows
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Observation, Phase, Sight, Watched
from escadre.core.simulation.setting import Scaled

SCALED = Scaled(Bounds(1, 9), 10, Windows(60.0, 15.0), 3.0)
PHASES: tuple[Phase, ...] = ("ready", "ready", "ready", "loading", "draining")


@pytest.fixture(scope="module")
def earlier() -> Iterator[ModuleType]:
    """Its core/autoscale.py, which imports nothing of the rest."""
    path = f"{COMMIT_0_1_0}:operator/escadre/core/autoscale.py"
    shown = subprocess.run(
        ["git", "-C", str(REPOSITORY), "show", path], capture_output=True, text=True, check=False
    )
    if shown.returncode != 0:
        pytest.skip(f"commit {COMMIT_0_1_0[:9]} is not in this clone: git fetch --unshallow")
    module = ModuleType("earlier_autoscale")
    sys.modules[module.__name__] = module  # for its dataclasses
    exec(compile(shown.stdout, path, "exec"), module.__dict__)  # noqa: S102 - our own, of then
    yield module
    del sys.modules[module.__name__]


def drawn(rng: random.Random, slot: int, now: float) -> Watched:
    """A replica in any state; its numbers may be old, or never read."""
    phase = rng.choice(PHASES)
    demand = Demand(rng.randrange(30), rng.randrange(9), now - rng.choice([0.0, 0.0, 3.0, 40.0]))
    never = phase == "loading" or rng.random() < 0.1
    return Watched(slot, phase, 0.0, 0.0, None if never else demand)


@pytest.mark.parametrize("seed", range(20))
def test_it_decides_as_then(earlier: Any, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - draws, not secrets
    policy, state, told = Before(SCALED, Sight(3.0)), None, None
    now = 0.0
    for _ in range(200):
        now += rng.choice([3.0, 3.0, 3.0, 20.0])
        replicas = tuple(drawn(rng, slot, now) for slot in range(rng.randint(1, 6)))
        seen = Observation(replicas, told)
        if state is None:
            state = earlier.start(max(len(seen.staying), SCALED.bounds.minimum), now)
        decision = earlier.decide(
            state,
            [_sample(earlier, one) for one in replicas],
            minimum=SCALED.bounds.minimum,
            maximum=SCALED.bounds.maximum,
            target=SCALED.target,
            now=now,
            stabilization_seconds=SCALED.windows.stabilization_seconds,
            stale_seconds=SCALED.windows.stale_seconds,
        )
        state = decision.state
        told = policy.look(seen, now)
        assert told == decision.desired


def _sample(earlier: Any, one: Watched) -> Any:
    demand = one.demand or Demand(None, None)
    return earlier.Sample(one.slot, one.phase, demand.running, demand.waiting, demand.at)
