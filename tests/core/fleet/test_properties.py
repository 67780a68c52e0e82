"""Properties of the fleet pass over random fleets and histories, and its time."""

import time
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fleets import (
    ONE_GPU,
    SILENT,
    TWO_GPUS,
    carry_out,
    deployment,
    digest,
    mirror,
    model,
    node,
    snapshot,
)
from tests.core.shapes import (
    A100,
    EVERY_GPU,
    H100,
    H200,
    L40S,
    LARGE_2,
    MEDIUM_3,
    MISTRAL_7B,
    SMALL_3,
)

from escadre import reasons
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.model import Wish
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.plan import DeploymentPlan, FleetPlan, plan_fleet

SMALL = digest("small")


MODELS = (
    model("small", SMALL_3, ("internal", "second")),
    model("seven", MISTRAL_7B),
    model("large", LARGE_2, ("second",)),
    model("medium", MEDIUM_3),
)
WISHES = (ONE_GPU, TWO_GPUS, Wish(8192), Wish(32768, 128), Wish(10**6))


@st.composite
def fleets(draw: st.DrawFn) -> FleetSnapshot:
    nodes = tuple(
        replace(
            node(
                f"n{index}",
                draw(st.sampled_from([1, 2, 4, 8])),
                draw(st.sampled_from([H100, H100, A100, H200, L40S])),
            ),
            gpus_foreign=draw(st.sampled_from([0, 0, 1])),
            blocked=draw(st.sampled_from(["", "", "", "cordoned"])),
            unbelieved=draw(st.sampled_from([None, None, None, SILENT])),
            verified=draw(st.frozensets(st.sampled_from([one.manifest_digest for one in MODELS]))),
        )
        for index in range(draw(st.integers(0, 6)))
    )
    deployments = []
    for index in range(draw(st.integers(0, 6))):
        minimum = draw(st.integers(1, 2))
        one = deployment(
            f"d{index}",
            wish=draw(st.sampled_from(WISHES)),
            approved=draw(st.sampled_from(MODELS)),
            minimum=minimum,
            desired=minimum + draw(st.integers(0, 3)),
            created=float(draw(st.integers(0, 2))),
        )
        deployments.append(one)
    mirrors = (mirror(pulls=draw(st.integers(1, 3))), mirror("second", draw(st.integers(1, 2))))
    return snapshot(tuple(deployments), nodes, *mirrors)


def disturb(draw: st.DrawFn, seen: FleetSnapshot) -> FleetSnapshot:
    """What may happen between two passes."""
    deployments = []
    for one in seen.deployments:
        replicas = tuple(
            replace(
                replica,
                wish_matches=draw(st.sampled_from([True, True, False])),
                leaving=draw(st.sampled_from([False, False, False, True])),
            )
            for replica in one.replicas
        )
        approved = draw(st.sampled_from([one.model, one.model, None, MODELS[1]]))
        deployments.append(replace(one, replicas=replicas, model=approved))
    nodes = [
        replace(one, blocked=draw(st.sampled_from(["", "", "cordoned"])))
        for one in seen.nodes
        if draw(st.integers(0, 5)) > 0
    ]
    return replace(seen, deployments=tuple(deployments), nodes=tuple(nodes))


@st.composite
def histories(draw: st.DrawFn) -> FleetSnapshot:
    """A fleet some passes and disturbances later."""
    seen = draw(fleets())
    for _ in range(draw(st.integers(0, 2))):
        plan = plan_fleet(seen)
        seen = disturb(draw, carry_out(seen, plan, bound=draw(st.booleans())))
    return seen


def gpus_in_use(seen: FleetSnapshot, plan: FleetPlan) -> dict[str, int]:
    """GPUs per node once the plan is carried out: leaving replicas not yet gone."""
    after = carry_out(seen, plan)
    used = {one.name: one.gpus_foreign for one in seen.nodes}
    for one in after.deployments:
        for replica in one.replicas:
            if replica.node in used:
                used[replica.node] += replica.gpus
    return used


@given(histories())
@settings(max_examples=60, deadline=None)
def test_no_node_gives_more_gpus_than_it_has(seen: FleetSnapshot) -> None:
    before = {
        one.name: one.gpus_foreign
        + sum(
            replica.gpus
            for owner in seen.deployments
            for replica in owner.replicas
            if replica.node == one.name
        )
        for one in seen.nodes
    }
    used = gpus_in_use(seen, plan_fleet(seen))
    for one in seen.nodes:
        assert used[one.name] <= max(one.gpus, before[one.name])


@given(histories(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_input_does_not_matter(seen: FleetSnapshot, random: Random) -> None:
    deployments, nodes = list(seen.deployments), list(seen.nodes)
    random.shuffle(deployments)
    random.shuffle(nodes)
    shuffled = replace(
        seen,
        deployments=tuple(
            replace(one, replicas=tuple(reversed(one.replicas))) for one in deployments
        ),
        nodes=tuple(nodes),
    )
    assert plan_fleet(shuffled) == plan_fleet(seen)


@given(histories())
@settings(max_examples=50, deadline=None)
def test_bound_replicas_with_todays_wish_never_move(seen: FleetSnapshot) -> None:
    plan = plan_fleet(seen)
    for one in seen.deployments:
        slots = {slot.slot: slot for slot in plan.deployments[one.key].slots}
        for replica in one.replicas:
            if replica.leaving:
                assert replica.slot not in slots
            elif one.model is None or (
                replica.bound
                and replica.wish_matches
                and replica.manifest_digest == one.model.manifest_digest
            ):
                slot = slots[replica.slot]
                assert slot.node == replica.node
                assert slot.layout is not None
                assert slot.layout == replica.layout


@given(histories(), st.sampled_from([1, 8]), st.sampled_from([H100, H200, L40S]))
@settings(max_examples=50, deadline=None)
def test_a_new_node_moves_nothing_that_exists(
    seen: FleetSnapshot, gpus: int, product: object
) -> None:
    assert isinstance(product, type(H100))
    settled = carry_out(seen, plan_fleet(seen))
    before = plan_fleet(settled)
    more = replace(settled, nodes=(*settled.nodes, node("a-new-one", gpus, product)))
    after = plan_fleet(more)
    there = {one.name for one in settled.nodes}  # a record may name a node that is gone
    for one in settled.deployments:
        grown = {slot.slot: slot for slot in after.deployments[one.key].slots}
        # Others may find a better place now; so may a replica that cannot stay where it was: that
        # node is gone, or was closed to new pods before the replica's was bound.
        stay = {(replica.slot, replica.node) for replica in one.replicas if replica.node in there}
        for slot in before.deployments[one.key].slots:
            if (slot.slot, slot.node) in stay:
                assert grown[slot.slot] == slot


@given(histories())
@settings(max_examples=50, deadline=None)
def test_a_plan_carried_out_is_at_rest(seen: FleetSnapshot) -> None:
    once = carry_out(seen, plan_fleet(seen))
    second = plan_fleet(once)
    third = plan_fleet(carry_out(once, second))
    placed = {
        (key, slot.slot): slot.node
        for key, one in second.deployments.items()
        for slot in one.slots
        if slot.node is not None
    }
    for key, one in third.deployments.items():
        for slot in one.slots:
            if (key, slot.slot) in placed:
                assert slot.node == placed[key, slot.slot]


def all_verified(seen: FleetSnapshot) -> FleetSnapshot:
    """Every pull has come to its end."""
    return replace(
        seen,
        nodes=tuple(
            replace(
                one,
                unbelieved=None,
                verified=one.verified | {entry.manifest_digest for entry in one.wanted},
            )
            for one in seen.nodes
        ),
    )


@given(histories())
@settings(max_examples=50, deadline=None)
def test_a_healthy_placement_is_a_fixed_point(seen: FleetSnapshot) -> None:
    """Whatever is planned, pulled and carried out a few times, and then nothing any more."""
    for _ in range(6):
        seen = all_verified(carry_out(seen, plan_fleet(seen)))
    plan = plan_fleet(seen)
    assert all_verified(carry_out(seen, plan)) == seen
    assert plan_fleet(all_verified(carry_out(seen, plan))) == plan


NEWCOMERS = st.builds(
    lambda gpus, product, blocked, unfit, silent, foreign: replace(
        node("a-new-one", gpus, product),
        blocked=blocked,
        unfit=unfit,
        unbelieved=silent,
        gpus_foreign=min(gpus, foreign),
    ),
    st.integers(1, 16),
    st.sampled_from(EVERY_GPU),
    st.sampled_from(["", "", "cordoned"]),
    st.booleans(),
    st.sampled_from([None, SILENT]),
    st.sampled_from([0, 0, 3]),
)


def placed(plan: DeploymentPlan) -> set[int]:
    """Slots that were given GPUs; others are only as they are recorded."""
    return {
        one.slot for one in plan.slots if one.node is not None and one.reason == reasons.PLANNED
    }


@given(histories(), NEWCOMERS)
@settings(max_examples=100, deadline=None)
def test_a_new_node_takes_no_layout_away(seen: FleetSnapshot, newcomer: NodeFacts) -> None:
    """Neither of what runs nor of what waits; also one that nothing can be placed on."""
    before = plan_fleet(seen).deployments
    after = plan_fleet(replace(seen, nodes=(*seen.nodes, newcomer))).deployments
    for key, one in before.items():
        assert (after[key].layout is None) <= (one.layout is None)


@given(histories(), NEWCOMERS, st.sampled_from([1, 2]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_runs_keeps_its_layout_beside_a_weaker_card_of_its_product(
    seen: FleetSnapshot, newcomer: NodeFacts, part: int, apart: bool
) -> None:
    settled = carry_out(seen, plan_fleet(seen))
    before = plan_fleet(settled).deployments
    weaker = replace(newcomer, memory_bytes=newcomer.memory_bytes // part, apart=apart)
    after = plan_fleet(replace(settled, nodes=(*settled.nodes, weaker))).deployments
    for one in settled.deployments:
        # One that is not bound does not run: it may be made anew on the newcomer as well.
        if any(replica.bound for replica in one.replicas) and placed(before[one.key]):
            assert after[one.key].layout == before[one.key].layout


@given(histories())
@settings(max_examples=50, deadline=None)
def test_admission_keeps_the_mirrors_limit(seen: FleetSnapshot) -> None:
    plan = plan_fleet(seen)
    for name, source in seen.mirrors.items():
        pulling, admitted = set(), set()
        for one in seen.nodes:
            before = {entry.manifest_digest for entry in one.wanted}
            for entry in plan.nodes[one.name]:
                if entry.mirror_name == name and entry.manifest_digest not in one.verified:
                    pulling.add(one.name)
                    if entry.manifest_digest not in before:
                        admitted.add(one.name)
        if admitted:
            ready = {one.name for one in seen.nodes if one.agent_ready}
            assert admitted <= ready
            assert len(pulling & ready) <= source.max_concurrent_pulls


@given(histories())
@settings(max_examples=50, deadline=None)
def test_every_mirror_that_weights_name_stands_once_for_its_node(seen: FleetSnapshot) -> None:
    plan = plan_fleet(seen)
    for name, entries in plan.nodes.items():
        named = {(one.mirror.name, one.mirror.generation) for one in entries if one.mirror}
        told = [(one.name, one.generation) for one in plan.mirrors[name]]
        assert told == sorted(named)


@given(histories())
@settings(max_examples=50, deadline=None)
def test_every_plan_explains_itself(seen: FleetSnapshot) -> None:
    plan = plan_fleet(seen)
    assert set(plan.nodes) == {one.name for one in seen.nodes}
    assert set(plan.deployments) == {one.key for one in seen.deployments}
    for one in seen.deployments:
        made = plan.deployments[one.key]
        if one.model is None:
            assert made.reason is None
            continue
        assert made.reason is not None
        assert made.reason.listed
        assert made.message
        assert len(made.slots) == len({slot.slot for slot in made.slots})
        if made.layout is not None:
            staying = sum(not replica.leaving for replica in one.replicas)
            assert len(made.slots) == max(one.desired, staying)
        for slot in made.slots:
            assert slot.reason is not None
            assert slot.reason.listed
            if slot.node is not None and slot.reason == reasons.PLANNED:
                assert slot.layout is not None
        for entries in plan.nodes.values():
            digests = [entry.manifest_digest for entry in entries]
            assert digests == sorted(set(digests))


def test_a_thousand_deployments_on_two_hundred_nodes_take_a_third_of_a_second() -> None:
    nodes = tuple(
        node(f"n{index:03}", 8, (H100, A100, H200, L40S)[index % 4]) for index in range(200)
    )
    deployments = tuple(
        deployment(
            f"d{index:04}",
            approved=MODELS[index % 4],
            wish=WISHES[index % 4],
            desired=2,
            created=float(index),
        )
        for index in range(1000)
    )
    seen = snapshot(deployments, nodes)
    for _ in range(2):
        began = time.process_time()
        plan = plan_fleet(seen)
        seconds = time.process_time() - began
        seen = carry_out(seen, plan)
    assert seconds < 1.0  # 0.1 on the machine it was written on; the margin is for busy ones
