"""Replicas and targets of rollouts, for the tests of core/replicas/rollout.py."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from escadre.core.replicas.drain import Drain
from escadre.core.replicas.rollout import (
    Hold,
    ReplicaView,
    RolloutPlan,
    Target,
    Terms,
    plan_rollout,
)
from escadre.reasons.said import NOTHING, plain

__all__ = [
    "FLEETS",
    "LIMIT",
    "NOW",
    "ROLLED",
    "SCALED",
    "old",
    "plan",
    "ready",
    "target",
    "verbs",
]

NOW = 10_000.0
LIMIT = 300.0
SCALED = Drain("ScaleDown", NOW - 10)
ROLLED = Drain("Rollout", NOW - 10)


def ready(slot: int, **more: Any) -> ReplicaView:
    return replace(ReplicaView(slot, "Ready", current=True, in_flight=0), **more)


def old(slot: int, **more: Any) -> ReplicaView:
    return ready(slot, **{"current": False, **more})


def target(slot: int, node: str | None = "gpu-0", *, verified: bool = True) -> Target:
    return Target(slot, node, verified, NOTHING if node else plain("no node has 2 free GPUs"))


def plan(
    replicas: Sequence[ReplicaView],
    *targets: Target,
    approved: bool = True,
    now: float = NOW,
    hold: Hold | None = None,
) -> RolloutPlan:
    return plan_rollout(replicas, targets, Terms(approved, now, LIMIT, hold))


def verbs(found: RolloutPlan) -> dict[int, str]:
    return {action.slot: action.verb for action in found.actions}


VIEWS = st.builds(
    ReplicaView,
    slot=st.just(0),
    state=st.sampled_from(("Pending", "Loading", "Ready", "Failing")),
    current=st.booleans(),
    drain=st.sampled_from((None, SCALED, ROLLED)),
    idle=st.booleans(),
    in_flight=st.none() | st.integers(0, 5),
)
FLEETS = st.lists(VIEWS, max_size=6).map(
    lambda views: [replace(view, slot=slot) for slot, view in enumerate(views)]
)
