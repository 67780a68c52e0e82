"""core/replicas/children.py: every child with its step, in their order, and when to look again."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from tests.core.fleets import deployment, digest, model, node, plan_of, running, snapshot

from escadre import reasons
from escadre.core.facts.deployment import DeploymentFacts
from escadre.core.fleet.plan import DeploymentPlan, plan_fleet
from escadre.core.replicas.children import plan_deployment, plan_orphans
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.existing import (
    ChildrenFacts,
    ClaimFacts,
    Pace,
    ReplicaState,
    VolumeFacts,
)
from escadre.core.replicas.rollout import ReplicaView
from escadre.core.replicas.steps import (
    Child,
    Claim,
    Damaged,
    Existing,
    Front,
    Kept,
    Made,
    Pod,
    Released,
    Step,
    Volume,
)
from escadre.names import claim_name, volume_name

NOW = 1000.0
SMALL, OTHER = digest("small"), digest("other")
NODES = (replace(node("n1"), verified=frozenset({SMALL})),)
FRONTS = [Front("Service"), Front("NetworkPolicy"), Front("PodDisruptionBudget")]
VOLUME, CLAIM = volume_name("team", "chat", "uid-chat", SMALL), claim_name("chat", SMALL)
OTHER_VOLUME = volume_name("team", "chat", "uid-chat", OTHER)


def planned(one: DeploymentFacts) -> DeploymentPlan:
    return plan_of(plan_fleet(snapshot((one,), NODES)), "chat")


NEW = planned(deployment("chat"))
STANDING = planned(deployment("chat", replicas=(running("n1"),)))


def replica(slot: int = 0, **more: Any) -> ReplicaState:
    """A replica that serves on n1, as its object was written."""
    seen = {
        name: more.pop(name)
        for name in ("state", "current", "drain", "idle", "terminating", "digest")
        if name in more
    }
    view = ReplicaView(slot, **{"state": "Ready", "current": True, "digest": SMALL, **seen})
    known: dict[str, Any] = {
        "name": f"chat-{slot}",
        "uid": f"uid-chat-{slot}",
        "node": "n1",
        "noted": "n1",
        "bound": True,
        "recorded": True,
        "readable": True,
        "layout_readable": True,
        "serving": True,
    }
    return ReplicaState(view, **{**known, **more})


def claim(name: str = CLAIM, **more: Any) -> ClaimFacts:
    known = {"uid": f"uid-{name}", "ours": True, "settled": False, "terminating": False}
    return ClaimFacts(name, **{**known, **more})


def volume(name: str = VOLUME, **more: Any) -> VolumeFacts:
    known = {"uid": "u", "named": True, "ours": True, "tied": False, "terminating": False}
    return VolumeFacts(name, **{**known, **more})


def facts(plan: DeploymentPlan, *replicas: ReplicaState, **more: Any) -> ChildrenFacts:
    known: dict[str, Any] = {
        "readable": True,
        "housed": True,
        "approved": True,
        "expires": None,
        "model": model(),
        "claims": (),
        "volumes": (),
        "pace": Pace(drain_seconds=300.0, status_seconds=30.0),
    }
    given = {**known, **more}
    for kind in ("claims", "volumes"):
        given[kind] = {one.name: one for one in given[kind]}
    return ChildrenFacts(plan=plan, replicas=replicas, **given)


def steps(seen: ChildrenFacts) -> tuple[Step, ...]:
    return plan_deployment(seen, NOW).steps


def children(found: Iterable[Step]) -> list[Child]:
    return [step.child for step in found]


def test_a_new_deployment_gets_all_its_children_in_their_order_and_each_with_a_reason() -> None:
    found = steps(facts(NEW))
    (slot,) = NEW.slots
    assert slot.layout is not None
    assert children(found) == [
        *FRONTS,
        Volume(SMALL),
        Claim(SMALL),
        Made(0, "n1", slot.layout, SMALL),
    ]
    assert {step.verb for step in found} == {"Apply"}
    assert all(step.why for step in found)


def test_at_rest_every_child_is_kept_as_it_is() -> None:
    seen = facts(STANDING, replica(), claims=[claim(settled=True)], volumes=[volume(tied=True)])
    assert children(steps(seen)) == [
        *FRONTS,
        Volume(SMALL, f"uid-{CLAIM}"),
        Claim(SMALL),
        Kept(0, "n1", None, "recorded"),
    ]


@pytest.mark.parametrize(
    ("live_claim", "live_volume", "tied_to"),
    [
        pytest.param(None, None, None, id="nothing is there"),
        pytest.param(claim(), volume(), None, id="the binder has not tied them yet"),
        pytest.param(claim(), volume(tied=True), f"uid-{CLAIM}", id="tied, perhaps to another"),
        pytest.param(claim(settled=True), None, f"uid-{CLAIM}", id="its volume was lost"),
        pytest.param(claim(), None, None, id="a claim that waits for its first volume"),
        pytest.param(claim(terminating=True), volume(tied=True), None, id="the claim goes"),
    ],
)
def test_a_volume_is_tied_to_the_claim_that_lives(
    live_claim: ClaimFacts | None, live_volume: VolumeFacts | None, tied_to: str | None
) -> None:
    seen = facts(
        NEW,
        claims=[live_claim] if live_claim else [],
        volumes=[live_volume] if live_volume else [],
    )
    assert Volume(SMALL, tied_to) in children(steps(seen))


def test_a_claim_that_was_deleted_in_use_is_let_go_to_be_made_anew() -> None:
    leaving = claim(settled=True, terminating=True, protected=True)
    found = children(steps(facts(STANDING, replica(), claims=[leaving], volumes=[volume()])))
    assert Released(CLAIM, f"uid-{CLAIM}") in found
    assert Claim(SMALL) not in found


@pytest.mark.parametrize(
    "left_alone",
    [
        pytest.param(claim(terminating=True, protected=True, ours=False), id="not ours"),
        pytest.param(claim(terminating=True), id="held by somebody else, or by nobody"),
        pytest.param(claim(protected=True), id="not deleted"),
        pytest.param(claim("old", terminating=True, protected=True), id="not needed any more"),
    ],
)
def test_no_other_claim_is_let_go(left_alone: ClaimFacts) -> None:
    found = steps(facts(STANDING, replica(), claims=[left_alone], volumes=[volume()]))
    assert not [step for step in found if step.verb == "Release"]


def test_weights_that_only_an_annotation_names_are_kept_and_never_made() -> None:
    outdated = replica(digest=OTHER, current=False)
    assert Volume(OTHER) not in children(steps(facts(STANDING, outdated)))
    kept = facts(STANDING, outdated, volumes=[volume(OTHER_VOLUME)])
    assert Volume(OTHER) in children(steps(kept))
    unapproved = facts(STANDING, replica(), approved=False)
    assert Volume(SMALL) not in children(steps(unapproved))


def test_what_nothing_runs_on_goes_and_what_is_foreign_stays() -> None:
    seen = facts(
        STANDING,
        replica(),
        claims=[
            claim("old"),
            claim("foreign", ours=False),
            claim("leaving", terminating=True),
            claim(),
        ],
        volumes=[
            volume("old"),
            volume("of-yesterday", ours=False),
            volume("foreign", named=False),
            volume("leaving", terminating=True),
            volume(),
        ],
    )
    gone = [step for step in steps(seen) if step.verb == "Delete"]
    assert children(gone) == [
        Existing("PersistentVolumeClaim", "team", "old", "uid-old"),
        Existing("PersistentVolume", "", "old", "u"),
        Existing("PersistentVolume", "", "of-yesterday", "u"),
    ]


def test_volumes_of_an_owner_that_is_gone_go() -> None:
    found = plan_orphans([volume("a"), volume("b", terminating=True)])
    assert found == (Existing("PersistentVolume", "", "a", "u"),)


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        pytest.param(replica(recorded=False), Kept(0, "n1", None, "rendered"), id="rendered again"),
        pytest.param(replica(noted=""), Kept(0, "n1", None, "recorded"), id="no node was noted"),
        pytest.param(
            replica(noted="n9", bound=True), Kept(0, "n9", None, "recorded"), id="bound elsewhere"
        ),
        pytest.param(
            replica(noted="n9", node="n9", bound=False),
            Kept(0, "n1", None, "recorded"),
            id="not bound: where the plan wants it",
        ),
    ],
)
def test_how_a_replica_is_kept(seen: ReplicaState, kept: Kept) -> None:
    assert kept in children(steps(facts(STANDING, seen)))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"readable": False}, id="its record is lost"),
        pytest.param({"recorded": False, "layout_readable": False}, id="template and layout are"),
        pytest.param({"recorded": False, "digest": OTHER}, id="of weights that nobody describes"),
    ],
)
def test_a_replica_that_cannot_be_told_is_left_alone_but_for_its_drain(
    damage: dict[str, Any],
) -> None:
    gone = planned(deployment("chat", desired=0, minimum=0))
    untouched = replica(**damage, terminating=True)
    assert not [step for step in steps(facts(gone, untouched)) if step.slot is not None]
    found = [step for step in steps(facts(gone, replica(**damage))) if step.slot is not None]
    assert children(found) == [Damaged(0, Drain("ScaleDown", NOW)), Pod(0, serving=False)]
    assert [step.verb for step in found] == ["Note", "Label"]
    assert found[1].follows


def test_a_replica_that_drains_leaves_the_service_once_its_object_says_so() -> None:
    gone = planned(deployment("chat", desired=0, minimum=0))
    found = [step for step in steps(facts(gone, replica())) if step.slot is not None]
    assert children(found) == [
        Kept(0, "n1", Drain("ScaleDown", NOW), "recorded"),
        Pod(0, serving=False),
    ]
    assert [step.follows for step in found] == [False, True]
    assert found[0].why == "scaled down"
    drained = replica(drain=Drain("ScaleDown", NOW - 9), idle=True, serving=False)
    (last,) = [step for step in steps(facts(gone, drained)) if step.slot is not None]
    assert last.child == Existing("Deployment", "team", "chat-0", "uid-chat-0", slot=0)
    assert last.why == "drained in 9 s"


def test_without_a_pod_there_is_no_label_to_set() -> None:
    seen = facts(STANDING, replica(serving=None, state="Pending"))
    assert not [step for step in steps(seen) if step.verb == "Label"]


def test_nothing_is_touched_while_the_spec_cannot_be_read() -> None:
    found = plan_deployment(facts(STANDING, replica(), readable=False), NOW)
    assert (found.steps, found.problem) == ((), None)


def test_nothing_is_made_in_a_namespace_that_goes() -> None:
    found = plan_deployment(facts(NEW, housed=False), NOW)
    assert found.steps == ()
    assert found.problem is not None
    assert found.problem.reason == reasons.NAMESPACE_TERMINATING
    assert "namespace team is being deleted" in found.problem.message


@pytest.mark.parametrize(
    ("seen", "again"),
    [
        pytest.param(facts(STANDING, replica()), None, id="time changes nothing"),
        pytest.param(facts(STANDING, replica(), expires=NOW + 70), 70.0, id="the approval ends"),
        pytest.param(facts(STANDING, replica(), expires=NOW - 1), 0.1, id="it ended just now"),
        pytest.param(
            facts(STANDING, replica(), approved=False, expires=NOW + 70), None, id="it holds not"
        ),
        pytest.param(
            facts(
                planned(deployment("chat", desired=0, minimum=0)),
                replica(drain=Drain("ScaleDown", NOW - 100), serving=False),
                expires=NOW + 900,
            ),
            200.0,
            id="a drain reaches its limit",
        ),
    ],
)
def test_when_to_look_again(seen: ChildrenFacts, again: float | None) -> None:
    assert plan_deployment(seen, NOW).again == again


def test_the_numbers_of_a_pull_are_looked_at_as_often_as_they_may_be_told() -> None:
    pulling = replace(
        STANDING,
        weights=tuple(one.model_copy(update={"state": "Pulling"}) for one in STANDING.weights),
    )
    assert pulling.weights
    assert plan_deployment(facts(pulling, replica()), NOW).again == 30.0
