"""Which pulls the fleet pass admits, from which mirror, and what stays wanted."""

from dataclasses import replace

import pytest
from tests.core.fleets import (
    SILENT,
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

from escadre import reasons
from escadre.api.gpunode import EarlierSource, MirrorReference, WantedWeights
from escadre.core.facts.model import ApprovedModel
from escadre.core.facts.node import NodeFacts, Unbelieved, WeightState
from escadre.core.fleet.plan import FleetPlan, plan_fleet
from escadre.core.fleet.retelling import retold
from escadre.core.fleet.wants import MAX_MIRRORS

SMALL = digest("small")


def spread(count: int) -> tuple[NodeFacts, ...]:
    """Nodes with room for one replica each."""
    return tuple(node(f"n{index}", 1) for index in range(count))


def states_of(plan: FleetPlan, name: str) -> dict[str, str]:
    return {state.node: state.state for state in plan_of(plan, name).weights}


def test_no_more_nodes_pull_than_the_mirror_allows() -> None:
    plan = plan_fleet(snapshot((deployment("a", desired=4),), spread(4), mirror(pulls=2)))
    assert states_of(plan, "a") == {"n0": "Wanted", "n1": "Wanted", "n2": "Queued", "n3": "Queued"}
    queued = plan_of(plan, "a").weights[2]
    assert queued.reason == reasons.PULL_QUEUED
    name = f"{SMALL[:19]}… of ModelApproval small for ModelDeployment team/a"
    assert queued.message == (
        "waits for a free pull of ModelMirror internal, whose maxConcurrentPulls is 2: "
        f"node n0 pulls {name}, node n1 pulls {name}"
    )
    assert plan.nodes["n2"] == ()


def test_a_queued_pull_names_the_deployments_whose_pull_goes_first() -> None:
    both = (deployment("a", created=1.0), deployment("c", created=2.0))
    late = deployment("b", approved=model("other"), created=3.0)
    source = mirror(pulls=1)
    n0 = replace(node("n0", 2), wanted=(wanted(model(), source),))
    seen = snapshot((*both, late), (n0, node("n1", 1)), source)
    (queued,) = plan_of(plan_fleet(seen), "b").weights
    assert queued.message.endswith(
        f"node n0 pulls {SMALL[:19]}… of ModelApproval small for ModelDeployment team/a, team/c"
    )


def test_so_does_one_whose_deployment_lost_its_approval() -> None:
    seen = snapshot((deployment("a", desired=1),), spread(2), mirror(pulls=1))
    done = carry_out(seen, plan_fleet(seen), bound=False)
    revoked = replace(done.deployments[0], model=None)
    late = deployment("b", approved=model("other"), created=3.0)
    seen = replace(done, deployments=(revoked, late))
    (queued,) = plan_of(plan_fleet(seen), "b").weights
    assert queued.message.endswith("of ModelApproval small for ModelDeployment team/a")


def test_a_pull_that_waits_on_its_node_names_the_deployment_it_waits_for() -> None:
    other = model("other")
    behind = f"waits for another pull on this node: {SMALL[:19]}… of ModelApproval small"
    states = {
        SMALL: WeightState("Pulling", mirror="internal"),
        other.manifest_digest: WeightState("Pulling", message=behind, behind=SMALL),
    }
    n0 = replace(node("n0"), weights=states, wanted=(wanted(model()), wanted(other)))
    both = (deployment("a", created=1.0), deployment("b", approved=other, created=2.0))
    (waits,) = plan_of(plan_fleet(snapshot(both, (n0,))), "b").weights
    assert waits.message == f"{behind} for ModelDeployment team/a"
    (told,) = retold((waits,), {"n0": n0})
    assert told.message == waits.message, "the plan knows more than the agent"
    goes_on = {**states, other.manifest_digest: WeightState("Pulling", message="")}
    (told,) = retold((waits,), {"n0": replace(n0, weights=goes_on)})
    assert told.message == ""


def test_one_node_pulls_several_models_in_one_place() -> None:
    both = (deployment("a"), deployment("b", approved=model("other")))
    plan = plan_fleet(snapshot(both, (node("n1"),), mirror(pulls=1)))
    assert len(plan.nodes["n1"]) == 2


def test_an_admitted_pull_stays_and_a_verified_one_frees_its_place() -> None:
    nodes = spread(3)
    late = replace(nodes[2], wanted=(wanted(model(), mirror(pulls=1)),))
    seen = snapshot((deployment("a", desired=3),), (*nodes[:2], late), mirror(pulls=1))
    assert states_of(plan_fleet(seen), "a") == {"n0": "Queued", "n1": "Queued", "n2": "Wanted"}
    done = replace(late, verified=frozenset({SMALL}))
    seen = replace(seen, nodes=(*nodes[:2], done))
    assert states_of(plan_fleet(seen), "a") == {"n0": "Wanted", "n1": "Queued", "n2": "Verified"}


@pytest.mark.parametrize("reason", ["StoreFull", "DigestMismatch"])
def test_a_failed_pull_frees_its_place_but_stays_wanted(reason: str) -> None:
    failed = {SMALL: WeightState("Failed", mirror="internal", reason=reasons.of(reason))}
    source = mirror(pulls=1)
    nodes = (replace(node("n0", 1), weights=failed, wanted=(wanted(model(), source),)), *spread(2))
    replicas = (running("n0", bound=False),)
    one = deployment("a", desired=2, replicas=replicas)
    plan = plan_fleet(snapshot((one,), (nodes[0], nodes[2]), source))
    assert states_of(plan, "a") == {"n0": "Failed", "n1": "Wanted"}
    assert plan.nodes["n0"] == nodes[0].wanted


def test_an_agent_that_is_not_ready_neither_pulls_nor_counts() -> None:
    nodes = (replace(node("n0", 1), unbelieved=SILENT, wanted=(wanted(model()),)), node("n1", 1))
    plan = plan_fleet(snapshot((deployment("a", desired=2),), nodes, mirror(pulls=1)))
    assert states_of(plan, "a") == {"n0": "Wanted", "n1": "Wanted"}
    fresh = (replace(nodes[0], wanted=()), nodes[1])
    one = plan_of(plan_fleet(snapshot((deployment("a", desired=2),), fresh)), "a")
    assert [(state.state, state.reason) for state in one.weights] == [
        ("Queued", reasons.AGENT_NOT_READY),
        ("Wanted", None),
    ]


def test_why_an_agent_is_not_believed_is_what_its_reader_is_told() -> None:
    other = Unbelieved(reasons.NODE_IDENTITY_MISMATCH, "the agent of node n0 reports boot x")
    nodes = (replace(node("n0", 1), unbelieved=other),)
    (state,) = plan_of(plan_fleet(snapshot((deployment("a"),), nodes)), "a").weights
    assert (state.state, state.reason) == ("Queued", reasons.NODE_IDENTITY_MISMATCH)
    assert state.message == other.message


def test_a_missing_mirror_is_named_and_the_next_one_used() -> None:
    one = deployment("a", approved=model(mirrors=("gone", "internal")))
    plan = plan_fleet(snapshot((one,), (node("n1"),)))
    assert plan.nodes["n1"][0].mirror_name == "internal"
    one = deployment("a", approved=model(mirrors=("gone", "lost")))
    (state,) = plan_of(plan_fleet(snapshot((one,), (node("n1"),))), "a").weights
    assert (state.state, state.reason) == ("Queued", reasons.MIRROR_NOT_FOUND)
    assert "gone, lost" in state.message


@pytest.mark.parametrize(
    ("reason", "failed_on", "after"),
    [
        ("MirrorUnavailable", "first", "second"),
        ("DigestMismatch", "first", "second"),
        ("StoreFull", "first", "first"),
        ("MirrorUnavailable", "second", "first"),
    ],
)
def test_a_failure_moves_to_the_next_mirror(reason: str, failed_on: str, after: str) -> None:
    approved = model(mirrors=("first", "gone", "second"))
    mirrors = (mirror("first"), mirror("second"))
    entry = wanted(approved, next(one for one in mirrors if one.name == failed_on))
    failed = {SMALL: WeightState("Failed", mirror=failed_on, reason=reasons.of(reason))}
    seen = replace(node("n1"), wanted=(entry,), weights=failed)
    one = deployment("a", approved=approved)
    plan = plan_fleet(snapshot((one,), (seen,), *mirrors))
    assert plan.nodes["n1"][0].mirror_name == after
    moved = replace(seen, wanted=plan.nodes["n1"])
    again = plan_fleet(snapshot((one,), (moved,), *mirrors))
    assert again.nodes == plan.nodes


def test_the_only_mirror_is_kept_after_a_failure() -> None:
    failed = {SMALL: WeightState("Failed", mirror="internal", reason=reasons.MIRROR_UNAVAILABLE)}
    seen = replace(node("n1"), wanted=(wanted(model()),), weights=failed)
    plan = plan_fleet(snapshot((deployment("a"),), (seen,)))
    assert plan.nodes["n1"] == seen.wanted
    (state,) = plan_of(plan, "a").weights
    assert (state.state, state.reason) == ("Failed", reasons.MIRROR_UNAVAILABLE)


def test_entries_nothing_needs_are_dropped_and_changed_mirrors_refreshed() -> None:
    old = replace(node("n1"), wanted=(wanted(model("old")), wanted(model())), mirrors=(mirror(),))
    changed = mirror(generation=2).model_copy(update={"url": "http://elsewhere.example"})
    plan = plan_fleet(snapshot((deployment("a"),), (old,), changed))
    assert plan.nodes["n1"] == (wanted(model(), changed),)
    assert plan.mirrors["n1"] == (changed,)


def test_a_mirror_stands_once_for_all_weights_of_a_node() -> None:
    others = tuple(deployment(f"d{n}", approved=model(f"m{n}")) for n in range(4))
    plan = plan_fleet(snapshot((*others, deployment("a")), (node("n1"),), mirror(), mirror("b")))
    assert len(plan.nodes["n1"]) == 5
    assert plan.mirrors["n1"] == (mirror(),)


def test_a_mirror_that_is_gone_stays_as_the_node_was_told_of_it() -> None:
    gone = mirror("gone", generation=7)
    approved = model(mirrors=("gone",))
    held = replace(node("n1"), wanted=(wanted(approved, gone),), mirrors=(gone,))
    plan = plan_fleet(snapshot((deployment("a", approved=approved),), (held,)))
    assert plan.nodes["n1"] == held.wanted
    assert plan.mirrors["n1"] == (gone,)


def test_weights_that_nobody_speaks_for_any_more_follow_their_mirror() -> None:
    one = replace(deployment("a"), model=None, replicas=(running("n1"),))
    held = replace(node("n1"), wanted=(wanted(model()),), mirrors=(mirror(),))
    moved = mirror(generation=2)
    plan = plan_fleet(snapshot((one,), (held,), moved))
    assert [(entry.approval, entry.mirror) for entry in plan.nodes["n1"]] == [
        ("small", MirrorReference(name="internal", generation=2))
    ]
    assert plan.mirrors["n1"] == (moved,)


def earlier(approved: ApprovedModel) -> WantedWeights:
    """As 0.1.0 wrote it: all of the mirror in the entry."""
    source = EarlierSource.model_validate(
        {"name": "internal", "type": "http", "url": "http://internal.example/weights"}
    )
    return wanted(approved).model_copy(update={"mirror": None, "source": source})


def test_what_0_1_0_wrote_stays_while_the_weights_are_there() -> None:
    there = replace(node("n1"), wanted=(earlier(model()),), verified=frozenset({SMALL}))
    plan = plan_fleet(snapshot((deployment("a"),), (there,)))
    assert plan.nodes["n1"] == there.wanted
    assert plan.mirrors["n1"] == ()


def test_what_0_1_0_wrote_is_written_anew_when_it_has_to_be_pulled() -> None:
    pulling = replace(node("n1"), wanted=(earlier(model()),))
    plan = plan_fleet(snapshot((deployment("a"),), (pulling,)))
    assert plan.nodes["n1"] == (wanted(model()),)
    assert plan.mirrors["n1"] == (mirror(),)


def test_a_node_is_told_of_no_more_mirrors_than_its_object_holds() -> None:
    names = [f"m{n:02}" for n in range(MAX_MIRRORS + 1)]
    all_of_them = tuple(
        deployment(name, approved=model(name, mirrors=(name,)), created=float(n))
        for n, name in enumerate(names)
    )
    mirrors = tuple(mirror(name) for name in names)
    plan = plan_fleet(snapshot(all_of_them, (node("n1", MAX_MIRRORS + 1),), *mirrors))
    assert len(plan.mirrors["n1"]) == len(plan.nodes["n1"]) == MAX_MIRRORS
    (last,) = plan_of(plan, names[-1]).weights
    assert (last.state, last.reason) == ("Queued", reasons.PULL_QUEUED)
    assert last.message == (
        f"waits to be told of ModelMirror {names[-1]}: the weights of node n1 name 16 mirrors "
        "already, the most that a GPUNode holds"
    )


def test_two_approvals_of_the_same_bytes_share_one_entry() -> None:
    other = replace(model(), approval="another")
    both = (deployment("a"), deployment("b", approved=other))
    plan = plan_fleet(snapshot(both, (node("n1"),)))
    assert [entry.approval for entry in plan.nodes["n1"]] == ["another"]
    held = replace(node("n1"), wanted=(wanted(model()),))
    plan = plan_fleet(snapshot(both, (held,)))
    assert plan.nodes["n1"] == held.wanted
