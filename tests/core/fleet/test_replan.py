"""A pass that begins with what the last one left comes to the plan of one that begins anew."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fleet.test_properties import MODELS, WISHES, all_verified, fleets
from tests.core.fleets import (
    SILENT,
    carry_out,
    deployment,
    mirror,
    node,
    snapshot,
)
from tests.core.shapes import A100, H100, H200

from escadre.core.facts.deployment import DeploymentFacts
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.model import Wish
from escadre.core.fleet.plan import FleetPlan, plan_fleet, replan

Change = Callable[[st.DataObject, FleetSnapshot], FleetSnapshot]

EDITS = st.sampled_from(
    (*WISHES, Wish(32768, 16, objective="Latency"), Wish(32768, tensor_parallel_size=2))
)


def put(seen: FleetSnapshot, number: int, *facts: DeploymentFacts) -> FleetSnapshot:
    """Other deployments, or none, instead of one."""
    before, after = seen.deployments[:number], seen.deployments[number + 1 :]
    return replace(seen, deployments=(*before, *facts, *after))


def edited(data: st.DataObject, seen: FleetSnapshot) -> FleetSnapshot:
    """A wish, an approval, a number of replicas, or what becomes of a replica."""
    if not seen.deployments:
        return seen
    number = data.draw(st.integers(0, len(seen.deployments) - 1))
    one = seen.deployments[number]
    wish, minimum = data.draw(EDITS), data.draw(st.integers(0, 2))
    edits = (
        replace(
            one,
            wish=wish,
            replicas=tuple(replace(each, wish_matches=False) for each in one.replicas),
        ),
        replace(one, min_replicas=minimum, desired=minimum + data.draw(st.integers(0, 3))),
        replace(one, model=data.draw(st.sampled_from((None, *MODELS)))),
        replace(one, replicas=one.replicas[1:]),
        replace(one, replicas=tuple(replace(each, leaving=True) for each in one.replicas[-1:])),
        replace(one, replicas=tuple(replace(each, bound=False) for each in one.replicas)),
    )
    return put(seen, number, data.draw(st.sampled_from(edits)))


def created(data: st.DataObject, seen: FleetSnapshot) -> FleetSnapshot:
    name = f"new{data.draw(st.integers(0, 3))}"
    kept = tuple(one for one in seen.deployments if one.key.name != name)
    one = deployment(
        name,
        wish=data.draw(EDITS),
        approved=data.draw(st.sampled_from(MODELS)),
        desired=data.draw(st.integers(1, 3)),
        created=float(data.draw(st.integers(0, 2))),
    )
    return replace(seen, deployments=(*kept, one))


def deleted(data: st.DataObject, seen: FleetSnapshot) -> FleetSnapshot:
    if not seen.deployments:
        return seen
    return put(seen, data.draw(st.integers(0, len(seen.deployments) - 1)))


def carried_out(data: st.DataObject, seen: FleetSnapshot) -> FleetSnapshot:
    """Some of what the plan says has come to be, on the nodes too or not yet."""
    done = carry_out(seen, plan_fleet(seen), bound=data.draw(st.booleans()))
    if data.draw(st.booleans()):
        return all_verified(done) if data.draw(st.booleans()) else done
    pairs = zip(seen.deployments, done.deployments, strict=True)
    return replace(seen, deployments=tuple(data.draw(st.sampled_from(pair)) for pair in pairs))


def other_nodes(data: st.DataObject, seen: FleetSnapshot) -> FleetSnapshot:
    """One node comes, goes, or is another one."""
    nodes = [one for one in seen.nodes if one.name != "new"]
    if not nodes or data.draw(st.booleans()):
        product = data.draw(st.sampled_from([H100, A100, H200]))
        return replace(
            seen, nodes=(*nodes, node("new", data.draw(st.sampled_from([1, 8])), product))
        )
    number = data.draw(st.integers(0, len(nodes) - 1))
    one = nodes.pop(number)
    others = (
        (),
        (replace(one, blocked="" if one.blocked else "cordoned"),),
        (replace(one, unbelieved=None if one.unbelieved else SILENT),),
        (replace(one, gpus_foreign=data.draw(st.integers(0, one.gpus))),),
        (replace(one, verified=frozenset(MODELS[n].manifest_digest for n in (0, 2))),),
        (replace(one, wanted=()),),
    )
    return replace(
        seen, nodes=(*nodes[:number], *data.draw(st.sampled_from(others)), *nodes[number:])
    )


def other_mirrors(data: st.DataObject, seen: FleetSnapshot) -> FleetSnapshot:
    one = mirror(pulls=data.draw(st.integers(1, 3)))
    return replace(seen, mirrors={**seen.mirrors, one.name: one})


CHANGES: Sequence[Change] = (
    *(edited, edited, edited),
    *(created, deleted),
    *(carried_out, carried_out),
    *(other_nodes, other_mirrors),
)


def whole(plan: FleetPlan) -> object:
    """All of a plan, also what two equal plans may differ in."""
    return (
        plan,
        [(key, one.facts, one.remade, str(one.message)) for key, one in plan.deployments.items()],
        list(plan.nodes),
        list(plan.node_facts.items()),
        plan.made_for,
    )


@given(fleets(), st.data())
@settings(max_examples=300, deadline=None)
def test_a_pass_with_a_memory_plans_as_one_without(
    seen: FleetSnapshot, data: st.DataObject
) -> None:
    last = replan(seen, None)
    for _ in range(data.draw(st.integers(1, 6))):
        seen = data.draw(st.sampled_from(CHANGES))(data, seen)
        once, again = replan(seen, last), replan(seen, last)
        assert whole(once.plan) == whole(plan_fleet(seen))
        assert whole(again.plan) == whole(once.plan), "the memory was changed by a pass"
        last = once


def test_what_no_change_concerns_is_not_looked_at_again() -> None:
    """Counted by identity: a plan that is made anew is another object."""
    nodes = tuple(node(f"n{index}", 1) for index in range(5))
    wishes = tuple(deployment(f"d{index}", created=float(index)) for index in range(4))
    seen = snapshot(wishes, nodes)
    for _ in range(2):
        seen = all_verified(carry_out(seen, plan_fleet(seen)))
    last = replan(seen, None)
    one = seen.deployments[1]
    after = put(seen, 1, replace(one, min_replicas=2, desired=2))
    after = replace(after, nodes=(*after.nodes[:3], replace(nodes[3], unbelieved=SILENT), nodes[4]))
    plan = replan(after, last).plan
    assert plan == plan_fleet(after)
    before = last.plan.deployments
    anew = {key.name for key, each in plan.deployments.items() if each is not before[key]}
    assert anew == {"d1", "d3"}
