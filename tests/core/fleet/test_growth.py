"""A node more never leaves a replica waiting that had a place before, also where none runs yet."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fleet.test_properties import (
    MODELS,
    NEWCOMERS,
    WISHES,
    all_verified,
    histories,
    placed,
)
from tests.core.fleets import (
    carry_out,
    deployment,
    node,
    nodes_of,
    plan_of,
    running,
    snapshot,
)
from tests.core.shapes import H200

from escadre.core.facts.deployment import DeploymentFacts
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.plan import DeploymentPlan, plan_fleet

WISH = Wish(32768, 64)
H100S = (node("n1", 2), node("n2", 2))


def grown(seen: FleetSnapshot, newcomer: NodeFacts) -> FleetSnapshot:
    return replace(seen, nodes=(*seen.nodes, newcomer))


def stands(one: DeploymentFacts, plan: DeploymentPlan) -> bool:
    """Whether all of its replicas run, and none waits."""
    run = {each.slot for each in one.replicas if each.bound and not each.leaving}
    return 0 < len(run) >= one.desired and placed(plan) == run


@pytest.mark.parametrize("desired", [2, 3])
def test_a_better_card_for_one_replica_does_not_leave_the_others_waiting(desired: int) -> None:
    one = deployment("a", wish=WISH, desired=desired, minimum=2)
    seen = snapshot((one,), (*H100S, node("n3", 2)))
    assert nodes_of(plan_fleet(seen), "a") == ["n1", "n2", "n3"][:desired]
    after = plan_of(plan_fleet(grown(seen, node("better", 1, H200))), "a")
    assert len(placed(after)) == desired


def test_a_better_card_with_room_for_all_replicas_is_taken() -> None:
    one = deployment("a", wish=WISH, desired=2, minimum=2)
    plan = plan_fleet(snapshot((one,), (*H100S, node("better", 2, H200))))
    assert nodes_of(plan, "a") == ["better", "better"]


def test_where_no_layout_has_room_for_all_the_one_with_room_for_most_is_taken() -> None:
    one = deployment("a", wish=WISH, desired=3, minimum=3)
    plan = plan_fleet(snapshot((one,), (*H100S, node("better", 1, H200))))
    assert nodes_of(plan, "a") == ["n1", "n2", None]


def test_outdated_replicas_stay_in_their_own_room_rather_than_one_of_them_elsewhere() -> None:
    replicas = tuple(running(f"n{slot + 1}", slot=slot, matches=False) for slot in range(2))
    one = deployment("a", wish=WISH, desired=2, minimum=2, replicas=replicas)
    plan = plan_fleet(snapshot((one,), (*H100S, node("better", 1, H200))))
    assert nodes_of(plan, "a") == ["n1", "n2"]


@given(
    histories(),
    st.sampled_from(MODELS),
    st.sampled_from((*WISHES, Wish(32768, 16, objective="Latency"))),
    st.integers(1, 4),
    NEWCOMERS,
)
@settings(max_examples=200, deadline=None)
def test_a_node_more_leaves_no_replica_of_a_new_deployment_waiting(
    seen: FleetSnapshot, approved: ApprovedModel, wish: Wish, desired: int, newcomer: NodeFacts
) -> None:
    """All others stand: what waits besides may be given room in between, by turns."""
    for _ in range(4):
        seen = all_verified(carry_out(seen, plan_fleet(seen)))
    plan = plan_fleet(seen)
    stand = (one for one in seen.deployments if stands(one, plan.deployments[one.key]))
    seen = replace(seen, deployments=tuple(stand))
    one = deployment("z", wish=wish, approved=approved, desired=desired, created=9.0)
    seen = replace(seen, deployments=(*seen.deployments, one))
    before = plan_of(plan_fleet(seen), "z")
    after = plan_of(plan_fleet(grown(seen, newcomer)), "z")
    assert len(placed(after)) >= len(placed(before))
    assert (after.layout is None) <= (before.layout is None)
