"""core/replicas/hung.py: a replica that hangs is made anew, one at a time."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.rollouts import FLEETS, LIMIT, NOW, old, ready, target, verbs

from escadre import reasons
from escadre.core.replicas.hung import made_anew
from escadre.core.replicas.rollout import ReplicaView, RolloutPlan, Target, Terms, plan_rollout


def hung(slot: int, **more: object) -> ReplicaView:
    return ready(slot, **{"state": "NotResponding", "hung": True, **more})


def plan(replicas: Sequence[ReplicaView], *targets: Target) -> RolloutPlan:
    terms = Terms(approved=True, now=NOW, drain_seconds=LIMIT, anew=made_anew(replicas, targets))
    return plan_rollout(replicas, targets, terms)


@pytest.mark.parametrize(
    ("replicas", "targets", "expected"),
    [
        pytest.param([hung(0)], [target(0)], {0: "Delete"}, id="the only one"),
        pytest.param(
            [hung(1), hung(0), ready(2)],
            [target(0), target(1), target(2)],
            {0: "Delete", 1: "Keep", 2: "Keep"},
            id="one of two",
        ),
        pytest.param(
            [hung(0), ready(1, state="Loading")],
            [target(0), target(1)],
            {0: "Keep", 1: "Keep"},
            id="not while another is on its way",
        ),
        pytest.param(
            [hung(0), ready(1, terminating=True)],
            [target(0), target(1)],
            {0: "Keep", 1: "Keep"},
            id="not while another leaves",
        ),
        pytest.param([hung(0)], [target(0, node=None)], {0: "Keep"}, id="not without a place"),
        pytest.param(
            [hung(0)], [target(0, verified=False)], {0: "Keep"}, id="not without its weights"
        ),
        pytest.param([hung(0)], [], {0: "Delete"}, id="one that is to leave leaves at once"),
        pytest.param(
            [old(0, state="NotResponding", hung=True), ready(1)],
            [target(0), target(1)],
            {0: "Replace", 1: "Keep"},
            id="an outdated one is replaced without a drain",
        ),
    ],
)
def test_what_becomes_of_a_replica_that_hangs(
    replicas: list[ReplicaView], targets: list[Target], expected: dict[int, str]
) -> None:
    assert verbs(plan(replicas, *targets)) == expected


def test_why_it_goes_is_told() -> None:
    action = plan([hung(0)], target(0)).action(0)
    assert action is not None
    assert action.reason is reasons.ENGINE_HUNG


@given(FLEETS, st.sets(st.integers(0, 5)))
def test_whatever_hangs_one_current_replica_goes_for_it_at_most(
    replicas: list[ReplicaView], hanging: set[int]
) -> None:
    fleet = [hung(one.slot) if one.slot in hanging else one for one in replicas]
    found = plan(fleet, *(target(one.slot) for one in fleet))
    gone = [one for one in found.actions if one.reason is reasons.ENGINE_HUNG]
    assert len(gone) <= 1
    assert {one.slot for one in gone} <= hanging
