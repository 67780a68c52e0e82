"""Replicas of one deployment on several nodes: when, when not, and what is said of it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from tests.core.fleet.test_properties import fleets, histories
from tests.core.fleets import (
    SILENT,
    carry_out,
    deployment,
    digest,
    model,
    node,
    nodes_of,
    plan_of,
    running,
    snapshot,
    wanted,
)
from tests.core.shapes import LARGE_2

from escadre import reasons
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.model import Wish
from escadre.core.facts.node import NodeFacts, WeightState
from escadre.core.fleet import packing
from escadre.core.fleet.plan import FleetPlan, plan_fleet
from escadre.core.fleet.spread import Holders

SMALL = digest("small")
TWO = deployment("a", desired=2, minimum=2)
# Its layout takes all eight GPUs of a node.
LARGE = deployment(
    "z", approved=model("large", LARGE_2), wish=Wish(32768, 64), minimum=0, desired=0, created=9.0
)


def verified(one: NodeFacts) -> NodeFacts:
    return replace(one, verified=frozenset({SMALL}))


def test_two_replicas_go_to_two_equal_nodes() -> None:
    plan = plan_fleet(snapshot((TWO,), (node("n1"), node("n2"))))
    assert nodes_of(plan, "a") == ["n1", "n2"]
    assert not plan_of(plan, "a").together


def test_nodes_whose_agents_have_not_reported_yet_are_equal_too() -> None:
    nodes = tuple(replace(node(name), unbelieved=SILENT) for name in ("n1", "n2"))
    assert nodes_of(plan_fleet(snapshot((TWO,), nodes)), "a") == ["n1", "n2"]


def test_one_node_deleted_takes_one_replica() -> None:
    seen = snapshot((TWO,), (node("n1"), node("n2")))
    after = carry_out(seen, plan_fleet(seen))
    lost = replace(after, nodes=tuple(one for one in after.nodes if one.name != "n1"))
    assert sum(one.node == "n2" for one in lost.deployments[0].replicas) == 1


def test_a_further_replica_goes_where_the_others_are_not() -> None:
    nodes = tuple(verified(node(name)) for name in ("n1", "n2"))
    one = replace(TWO, replicas=(running("n1"),))
    assert nodes_of(plan_fleet(snapshot((one,), nodes)), "a") == ["n1", "n2"]


@pytest.mark.parametrize(
    ("nodes", "others", "why"),
    [
        pytest.param((node("n1"),), (), "no other node has 1 free GPU of", id="one node"),
        pytest.param(
            (node("n1"), replace(node("n2"), blocked="cordoned")),
            (),
            "no other node has 1 free GPU of",
            id="the other is closed",
        ),
        pytest.param(
            (verified(node("n1")), node("n2")),
            (),
            "no other node with room has the weights",
            id="no pull where the weights are",
        ),
        pytest.param(
            (node("n1"), node("n2")),
            (LARGE,),
            "the last room for larger layouts is kept free",
            id="the last whole node, and a layout that needs one",
        ),
        pytest.param(
            (node("n1"), replace(node("n2"), unbelieved=SILENT)),
            (),
            "no other node with room is ready to pull the weights",
            id="the other's agent is gone",
        ),
        pytest.param(
            (
                node("n1"),
                replace(node("n2"), weights={SMALL: WeightState("Failed", mirror="internal")}),
            ),
            (),
            "no other node with room is ready to pull the weights",
            id="the pull failed there",
        ),
    ],
)
def test_where_all_are_on_one_node_it_is_said_why(
    nodes: tuple[NodeFacts, ...], others: tuple[DeploymentFacts, ...], why: str
) -> None:
    seen = snapshot((TWO, *others), nodes)
    plan = plan_fleet(seen)
    assert nodes_of(plan, "a") == ["n1", "n1"]
    assert str(plan_of(plan, "a").together).startswith(f"both replicas on node n1: {why}")
    again = plan_fleet(carry_out(seen, plan))
    assert plan_of(again, "a").together == plan_of(plan, "a").together


def test_a_whole_node_is_opened_where_another_one_remains() -> None:
    seen = snapshot((TWO, LARGE), (node("n1"), node("n2"), node("n3")))
    assert nodes_of(plan_fleet(seen), "a") == ["n1", "n2"]


def test_what_runs_together_is_not_moved_and_it_is_said() -> None:
    nodes = tuple(verified(node(name)) for name in ("n1", "n2"))
    one = replace(TWO, replicas=(running("n1"), running("n1", slot=1)))
    plan = plan_fleet(snapshot((one,), nodes))
    assert nodes_of(plan, "a") == ["n1", "n1"]
    assert str(plan_of(plan, "a").together) == (
        "both replicas on node n1: another node has room now, and what runs is not moved"
    )


def test_an_outdated_replica_is_replaced_where_it_is() -> None:
    nodes = tuple(verified(node(name)) for name in ("n1", "n2"))
    old = tuple(running("n1", slot=slot, matches=False) for slot in range(2))
    plan = plan_fleet(snapshot((replace(TWO, replicas=old),), nodes))
    assert nodes_of(plan, "a") == ["n1", "n1"]


def test_together_where_apart_another_replica_would_have_no_place() -> None:
    """One free on n1 and two on n2: whoever needs two gets them, and the pair shares n1."""
    pair = replace(TWO, replicas=(), created=1.0)
    late = deployment("b", wish=Wish(32768, 64), minimum=0, desired=1, created=2.0)
    nodes = (
        replace(node("n1", 8), gpus_foreign=6, wanted=(wanted(model()),)),
        replace(node("n2", 8), gpus_foreign=6),
    )
    plan = plan_fleet(snapshot((pair, late), nodes))
    assert nodes_of(plan, "a") == ["n1", "n1"]
    assert nodes_of(plan, "b") == ["n2"]


def _homes(plan: FleetPlan) -> set[tuple[DeploymentKey, int]]:
    return {
        (key, slot.slot)
        for key, one in plan.deployments.items()
        for slot in one.slots
        if slot.node is not None
    }


def _packed(seen: FleetSnapshot) -> FleetPlan:
    """The plan of a planner that keeps nothing apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "Holders", lambda weights, **_: Holders(weights, spreads=False))
        return plan_fleet(seen)


@given(fleets() | histories())
@settings(max_examples=80, deadline=None)
def test_whoever_has_a_place_packed_has_one_spread(seen: FleetSnapshot) -> None:
    assert _homes(_packed(seen)) <= _homes(plan_fleet(seen))


@given(histories())
@settings(max_examples=50, deadline=None)
def test_it_is_said_of_exactly_those_that_are_together(seen: FleetSnapshot) -> None:
    for one in plan_fleet(seen).deployments.values():
        nodes = [slot.node for slot in one.slots if slot.node is not None]
        planned = one.reason in (reasons.PLANNED, reasons.INSUFFICIENT_GPUS)
        assert bool(one.together) is (planned and len(nodes) > 1 and len(set(nodes)) == 1)
