"""core/fleet/freshness.py: what asks for a new plan, and that what a plan brings about does not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.core.fleet.test_properties import histories
from tests.core.fleets import (
    SILENT,
    TWO_GPUS,
    carry_out,
    deployment,
    digest,
    mirror,
    model,
    node,
    plan_of,
    running,
    snapshot,
    wanted,
)

from escadre.api.progress import Progress
from escadre.core.facts.deployment import DeploymentFacts, ReplicaFacts
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.node import NodeFacts, WeightState
from escadre.core.fleet.freshness import node_stands, stands
from escadre.core.fleet.plan import DeploymentPlan, FleetPlan, plan_fleet

STANDING = running("n1")
CHAT = deployment("chat", desired=2, replicas=(STANDING,))
SEEN = snapshot((CHAT,), (node("n1"), node("n2")))
FLEET = plan_fleet(SEEN)
PLAN = plan_of(FLEET, "chat")
(AS_PLANNED,) = (one for one in carry_out(SEEN, FLEET).deployments[0].replicas if one.slot == 1)


def with_replicas(*replicas: ReplicaFacts) -> DeploymentFacts:
    return replace(CHAT, replicas=replicas)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(CHAT, id="nothing changed"),
        pytest.param(replace(CHAT), id="made anew, and equal"),
        pytest.param(
            with_replicas(STANDING, replace(AS_PLANNED, bound=False)), id="a replica was made"
        ),
        pytest.param(with_replicas(STANDING, AS_PLANNED), id="and its pod bound where planned"),
    ],
)
def test_a_plan_stands(now: DeploymentFacts) -> None:
    assert stands(PLAN, now)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(replace(CHAT, uid="another"), id="another object of that name"),
        pytest.param(replace(CHAT, wish=TWO_GPUS), id="the wish"),
        pytest.param(replace(CHAT, model=None), id="the approval holds no more"),
        pytest.param(replace(CHAT, model=model("other")), id="other weights"),
        pytest.param(replace(CHAT, desired=3), id="more replicas"),
        pytest.param(replace(CHAT, min_replicas=2), id="a higher precedence"),
        pytest.param(with_replicas(), id="a replica is gone whose weights nobody vouches for"),
        pytest.param(with_replicas(replace(STANDING, bound=False)), id="its pod is lost"),
        pytest.param(with_replicas(replace(STANDING, node="n2")), id="it is elsewhere"),
        pytest.param(with_replicas(replace(STANDING, leaving=True)), id="it is to leave"),
        pytest.param(with_replicas(replace(STANDING, wish_matches=False)), id="it is outdated"),
        pytest.param(with_replicas(replace(STANDING, layout=None)), id="its record is damaged"),
        pytest.param(
            with_replicas(STANDING, replace(AS_PLANNED, node="elsewhere")), id="bound elsewhere"
        ),
        pytest.param(
            with_replicas(STANDING, replace(AS_PLANNED, gpus=7)), id="made, and otherwise"
        ),
        pytest.param(with_replicas(STANDING, replace(AS_PLANNED, slot=9)), id="nobody planned it"),
    ],
)
def test_a_plan_does_not_stand(now: DeploymentFacts) -> None:
    assert not stands(PLAN, now)


VERIFIED = frozenset({digest("small")})
HOME = replace(node("n1"), verified=VERIFIED)
ALONE = deployment("chat", replicas=(STANDING,))
WAITS = deployment("waits", created=1.0, desired=8, minimum=8)


@pytest.mark.parametrize(
    ("seen", "again"),
    [
        pytest.param(snapshot((ALONE,), (HOME, node("n2"))), True, id="its weights are there"),
        pytest.param(snapshot((ALONE,), (node("n1"),)), False, id="they are not"),
        pytest.param(
            snapshot((ALONE,), (replace(HOME, blocked="cordoned"),)), False, id="it is cordoned"
        ),
        pytest.param(
            snapshot((ALONE,), (replace(HOME, unbelieved=SILENT),)), False, id="its agent is silent"
        ),
        pytest.param(snapshot((ALONE,), (node("n2"),)), False, id="its node is gone too"),
        pytest.param(snapshot((ALONE, WAITS), (HOME,)), False, id="another waits for its GPU"),
        pytest.param(
            snapshot((replace(ALONE, model=None),), (HOME,)), False, id="nothing is approved"
        ),
        pytest.param(
            snapshot((replace(ALONE, replicas=(replace(STANDING, bound=False),)),), (HOME,)),
            True,
            id="it was made and not bound yet",
        ),
    ],
)
def test_a_replica_that_is_gone_is_made_again_where_it_was(
    seen: FleetSnapshot, again: bool
) -> None:
    plan = plan_of(plan_fleet(seen), "chat")
    assert stands(plan, replace(seen.deployments[0], replicas=())) is again


def test_one_of_two_on_a_node_is_planned_anew() -> None:
    """Whoever deletes it may want them apart."""
    both = (STANDING, replace(STANDING, slot=1))
    chat = deployment("chat", desired=2, replicas=both)
    plan = plan_of(plan_fleet(snapshot((chat,), (HOME, node("n2")))), "chat")
    assert plan.together
    assert not stands(plan, replace(chat, replicas=both[:1]))


def test_a_replica_that_was_given_no_gpus_is_not_foreseen_where_it_was_recorded() -> None:
    gone = deployment("chat", replicas=(running("gone", bound=False),))
    plan = plan_of(plan_fleet(snapshot((gone,), ())), "chat")
    assert stands(plan, gone)
    assert not stands(plan, replace(gone, replicas=(running("gone"),)))


PULLING = {digest("small"): WeightState("Pulling", Progress(bytes_done=1, eta_seconds=99))}
N1 = replace(node("n1"), weights=PULLING)
ONE_NODE = plan_fleet(snapshot((deployment("chat"),), (N1,)))


@pytest.mark.parametrize(
    ("now", "standing"),
    [
        pytest.param(N1, True, id="nothing changed"),
        pytest.param(
            replace(N1, weights={digest("small"): WeightState("Pulling", Progress(bytes_done=2))}),
            True,
            id="the numbers of a pull",
        ),
        pytest.param(
            replace(N1, wanted=(wanted(model()),)), True, id="it was told to pull as planned"
        ),
        pytest.param(replace(N1, wanted=(wanted(model("other")),)), False, id="told otherwise"),
        pytest.param(
            replace(N1, weights={digest("small"): WeightState("Verified")}), False, id="verified"
        ),
        pytest.param(replace(N1, blocked="is cordoned"), False, id="cordoned"),
        pytest.param(replace(N1, gpus_foreign=1), False, id="a foreign pod took a GPU"),
        pytest.param(replace(N1, unbelieved=SILENT), False, id="its agent is gone"),
        pytest.param(None, False, id="it has no GPUs any more"),
    ],
)
def test_what_becomes_of_a_node(now: NodeFacts | None, standing: bool) -> None:
    assert node_stands(ONE_NODE, "n1", now) is standing


def test_a_node_that_the_plan_does_not_know() -> None:
    assert not node_stands(ONE_NODE, "n2", node("n2"))
    assert node_stands(ONE_NODE, "n2", None)


def _half(draw: st.DrawFn, seen: FleetSnapshot, plan: FleetPlan) -> FleetSnapshot:
    """Some of what the plan asks for has come about."""
    done = carry_out(seen, plan)
    return replace(
        seen,
        deployments=tuple(
            replace(then, replicas=_some(draw, then, now))
            for then, now in zip(seen.deployments, done.deployments, strict=True)
        ),
        nodes=tuple(
            draw(st.sampled_from([then, now]))
            for then, now in zip(seen.nodes, done.nodes, strict=True)
        ),
    )


def _some(draw: st.DrawFn, then: DeploymentFacts, now: DeploymentFacts) -> tuple[ReplicaFacts, ...]:
    """Replicas as they were, or as planned, bound or not yet, or gone; new ones in their order."""
    before = {one.slot: one for one in then.replicas}
    found = []
    for made in sorted(now.replicas, key=lambda one: one.slot):
        old = before.get(made.slot)
        if old is None and not draw(st.booleans()):
            break
        bound = draw(st.booleans()) or (old is not None and old.bound)
        found.append(draw(st.sampled_from([old or made, replace(made, bound=bound)])))
    slots = {one.slot for one in found}
    there = (*found, *(one for one in then.replicas if one.slot not in slots))
    return tuple(one for one in there if draw(st.integers(0, 5)))  # somebody deletes one


@st.composite
def carried_out_in_part(draw: st.DrawFn) -> tuple[FleetPlan, FleetSnapshot]:
    seen = draw(histories())
    settled = carry_out(seen, plan_fleet(seen), bound=draw(st.booleans()))
    plan = plan_fleet(settled)
    return plan, _half(draw, settled, plan)


def _moved_off_a_pull() -> tuple[FleetPlan, FleetSnapshot]:
    """A replica that was not bound goes elsewhere, and the pull it waited for is in others' way."""
    here = running("n1", bound=False, name="other")
    waits = deployment("waits", approved=model(), replicas=(running("n2", bound=False),))
    moves = deployment("moves", approved=model("other"), replicas=(here,))
    nodes = (
        replace(node("n1"), blocked="cordoned", wanted=(wanted(model("other"), mirror(pulls=1)),)),
        node("n2"),
    )
    seen = snapshot((waits, moves), nodes, mirror(pulls=1))
    plan = plan_fleet(seen)
    return plan, carry_out(seen, plan, bound=False)


def _lower_one_gone() -> tuple[FleetPlan, FleetSnapshot]:
    """Another plan names the slots in another order: that of their precedence now."""
    both = (STANDING, running("n2", slot=1))
    seen = snapshot((replace(CHAT, replicas=both),), (HOME, replace(node("n2"), verified=VERIFIED)))
    plan = plan_fleet(seen)
    return plan, replace(seen, deployments=(replace(CHAT, replicas=both[1:]),))


def test_a_plan_does_not_stand_for_a_replica_that_left_a_pull_to_others() -> None:
    plan, now = _moved_off_a_pull()
    assert not stands(plan_of(plan, "moves"), now.deployments[1])
    before, again = plan.nodes, plan_fleet(now).nodes
    assert (len(before["n1"]), len(before["n2"])) == (1, 0)
    assert (len(again["n1"]), len(again["n2"])) == (0, 2)


@pytest.mark.parametrize(
    "old",
    [
        pytest.param({"gpus": 2}, id="fewer GPUs"),
        pytest.param({"manifest_digest": digest("old")}, id="other weights"),
    ],
)
def test_a_plan_does_not_stand_for_what_a_replaced_replica_leaves(
    old: dict[str, Any],
) -> None:
    outdated = replace(running("n1", matches=False), **old)
    seen = snapshot((deployment("chat", replicas=(outdated,)),), (node("n1"),))
    plan = plan_fleet(seen)
    assert not stands(plan_of(plan, "chat"), carry_out(seen, plan).deployments[0])


@given(carried_out_in_part())
@example(_moved_off_a_pull())
@example(_lower_one_gone())
@settings(max_examples=80, deadline=None)
def test_where_a_plan_stands_another_one_would_place_the_same(
    both: tuple[FleetPlan, FleetSnapshot],
) -> None:
    plan, now = both
    if not all(stands(plan.deployments[one.key], one) for one in now.deployments):
        return
    if not all(node_stands(plan, one.name, one) for one in now.nodes):
        return
    again = plan_fleet(now)
    made = {(one.key, each.slot): each for one in now.deployments for each in one.replicas}
    rest = False
    for key, one in plan.deployments.items():
        others = {other.slot: other for other in again.deployments[key].slots}
        for slot in one.slots:  # in another order once a lower one is gone
            there, other = made.get((key, slot.slot)), others.pop(slot.slot)
            if there is not None and (there.node, there.layout) == (slot.node, slot.layout):
                assert (other.node, other.layout) == (slot.node, slot.layout)
            else:
                rest = rest or slot.node is not None
        assert not others
    if rest:
        return  # what is not made yet may as well go elsewhere: others are there meanwhile
    assert {key: _placed(one) for key, one in again.deployments.items()} == {
        key: _placed(one) for key, one in plan.deployments.items()
    }
    assert again.nodes == plan.nodes


def _placed(plan: DeploymentPlan) -> tuple[object, ...]:
    return plan.layout, plan.reason, plan.slots
