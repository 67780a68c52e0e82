"""The fleet pass: who gets which GPUs, and what never moves."""

from dataclasses import replace

import pytest
from tests.core.fleets import (
    SILENT,
    TWO_GPUS,
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
from tests.core.shapes import A100, H100, H200, L40S, MISTRAL_7B

from escadre import reasons
from escadre.core.facts.model import Wish
from escadre.core.facts.node import NodeFacts, WeightState
from escadre.core.fleet.plan import plan_fleet
from escadre.core.layouts.decisions import products_of
from escadre.core.profile import profile_for

SMALL = digest("small")


def test_a_first_deployment_gets_layout_node_and_pull() -> None:
    plan = plan_fleet(snapshot((deployment("a"),), (node("n1"), node("n2"))))
    one = plan_of(plan, "a")
    assert (one.reason, one.layout and one.layout.summary) == (
        reasons.PLANNED,
        "1×H100 tp1",
    )
    assert [(slot.slot, slot.node, slot.reason) for slot in one.slots] == [
        (0, "n1", reasons.PLANNED)
    ]
    assert [entry.manifest_digest for entry in plan.nodes["n1"]] == [SMALL]
    assert plan.nodes["n2"] == ()
    assert [(state.node, state.state, state.mirror) for state in one.weights] == [
        ("n1", "Wanted", "internal")
    ]


def test_replicas_fill_a_node_before_they_open_another() -> None:
    nodes = (node("n1", 8), node("n2", 2))
    plan = plan_fleet(snapshot((deployment("a", wish=TWO_GPUS),), nodes))
    assert nodes_of(plan, "a") == ["n2"]


def test_verified_weights_come_before_a_tighter_fit() -> None:
    nodes = (replace(node("n1", 8), verified=frozenset({SMALL})), node("n2", 1))
    assert nodes_of(plan_fleet(snapshot((deployment("a"),), nodes)), "a") == ["n1"]


def test_wanted_weights_come_before_none_and_failed_ones_last() -> None:
    failed = {SMALL: WeightState("Failed", mirror="internal", reason=reasons.STORE_FULL)}
    nodes = (
        replace(node("n1", 1), weights=failed, wanted=(wanted(model()),)),
        node("n2", 1),
        replace(node("n3", 8), wanted=(wanted(model()),)),
    )
    plan = plan_fleet(snapshot((deployment("a", desired=3),), (nodes[0], nodes[1], nodes[2])))
    assert nodes_of(plan, "a") == ["n3", "n2", "n3"]
    plan = plan_fleet(snapshot((deployment("a", desired=2),), nodes[:2]))
    assert nodes_of(plan, "a") == ["n2", "n1"]


def test_a_ready_agent_comes_before_a_tighter_fit() -> None:
    nodes = (replace(node("n1", 1), unbelieved=SILENT), node("n2", 8))
    assert nodes_of(plan_fleet(snapshot((deployment("a"),), nodes)), "a") == ["n2"]


def test_minimum_of_all_before_more_of_any() -> None:
    old = deployment("old", desired=4, minimum=1, created=1)
    new = deployment("new", desired=4, minimum=2, created=2)
    plan = plan_fleet(snapshot((new, old), (node("n1", 5),)))
    assert sum(name is not None for name in nodes_of(plan, "old")) == 2
    assert sum(name is not None for name in nodes_of(plan, "new")) == 3


def test_extras_go_by_turns() -> None:
    deployments = tuple(deployment(name, desired=4) for name in ("a", "b", "c"))
    plan = plan_fleet(snapshot(deployments, (node("n1", 8),)))
    given_out = [
        sum(name is not None for name in nodes_of(plan, one.key.name)) for one in deployments
    ]
    assert given_out == [3, 3, 2]


def test_too_few_gpus_says_what_is_free_where() -> None:
    nodes = (node("n1", 1), node("n2", 4), replace(node("n3", 8), blocked="cordoned"))
    taken = replace(nodes[1], gpus_foreign=3)
    plan = plan_fleet(snapshot((deployment("a", wish=TWO_GPUS),), (nodes[0], taken, nodes[2])))
    one = plan_of(plan, "a")
    assert one.reason == one.slots[0].reason == reasons.INSUFFICIENT_GPUS
    assert one.slots[0].node is None
    assert one.layout is not None
    assert str(one.message) == (
        "1 of 1 replicas have no node: needs 2 free GPUs of NVIDIA-H100-80GB-HBM3 on one node; "
        "free: n1: 1, n2: 1; closed: n3 (cordoned); n2: 3 of 4 held by other pods (3)"
    )


def test_another_product_serves_when_the_best_has_no_room() -> None:
    nodes = (replace(node("n1", 8, L40S), gpus_foreign=8), node("n2", 8, H200))
    plan = plan_fleet(snapshot((deployment("a", approved=model("m", MISTRAL_7B)),), nodes))
    assert nodes_of(plan, "a") == ["n2"]
    assert plan_of(plan, "a").slots[0].layout == plan_of(plan, "a").layout


def test_a_running_replica_keeps_node_and_layout_when_better_nodes_come() -> None:
    one = deployment("a", desired=2, replicas=(running("n1"),))
    nodes = (node("n1"), node("n0", 1), node("n2", 1, H200))
    plan = plan_fleet(snapshot((one,), nodes))
    assert nodes_of(plan, "a") == ["n1", "n0"]
    assert {slot.layout.summary for slot in plan_of(plan, "a").slots if slot.layout} == {
        "1×H100 tp1"
    }


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(replace(node("n1"), blocked="cordoned"), id="closed"),
        pytest.param(replace(node("n1"), gpus_foreign=8), id="taken by others"),
        pytest.param(replace(node("n1"), product="NVIDIA-B200"), id="another product"),
    ],
)
def test_a_replica_that_is_not_bound_leaves_a_node_it_cannot_get(now: NodeFacts) -> None:
    one = deployment("a", replicas=(running("n1", bound=False),))
    nodes = (now, node("n2"))
    assert nodes_of(plan_fleet(snapshot((one,), nodes)), "a") == ["n2"]
    bound = deployment("a", replicas=(running("n1", bound=True),))
    assert nodes_of(plan_fleet(snapshot((bound,), nodes)), "a") == ["n1"]


def test_a_replica_that_is_not_bound_leaves_a_node_that_vanished() -> None:
    one = deployment("a", replicas=(running("gone", bound=False),))
    assert nodes_of(plan_fleet(snapshot((one,), (node("n2"),))), "a") == ["n2"]


def test_an_unbound_replica_changes_product_when_its_own_is_gone() -> None:
    one = deployment("a", replicas=(running("gone", bound=False),))
    plan = plan_fleet(snapshot((one,), (node("n2", 8, H200),)))
    assert nodes_of(plan, "a") == ["n2"]
    layout, slot = plan_of(plan, "a").layout, plan_of(plan, "a").slots[0]
    assert layout is not None
    assert slot.layout is not None
    assert layout.summary == slot.layout.summary


def test_a_rollout_on_a_full_node_takes_the_gpus_its_replicas_leave() -> None:
    replicas = tuple(running("n1", TWO_GPUS, slot=slot, matches=False) for slot in range(2))
    one = deployment("a", wish=TWO_GPUS, desired=2, approved=model("next"), replicas=replicas)
    plan = plan_fleet(snapshot((one,), (node("n1", 4), node("n2", 1))))
    assert nodes_of(plan, "a") == ["n1", "n1"]
    assert {slot.manifest_digest for slot in plan_of(plan, "a").slots} == {digest("next")}
    assert [entry.manifest_digest for entry in plan.nodes["n1"]] == [digest("next")]


def test_a_rollout_that_needs_more_gpus_waits_without_them() -> None:
    replicas = tuple(running("n1", slot=slot, matches=False) for slot in range(2))
    one = deployment("a", wish=TWO_GPUS, desired=2, replicas=replicas)
    plan = plan_fleet(snapshot((one,), (node("n1", 3),)))
    assert nodes_of(plan, "a") == ["n1", None]
    assert plan_of(plan, "a").reason == reasons.INSUFFICIENT_GPUS


def test_slot_numbers_are_kept_and_the_lowest_free_ones_follow() -> None:
    replicas = (running("n1", slot=1), running("n1", slot=2, leaving=True), running("n1", slot=5))
    plan = plan_fleet(snapshot((deployment("a", desired=4, replicas=replicas),), (node("n1"),)))
    assert [slot.slot for slot in plan_of(plan, "a").slots] == [1, 5, 0, 3]


def test_a_leaving_replica_still_takes_its_gpus() -> None:
    replicas = (running("n1", slot=0, leaving=True),)
    plan = plan_fleet(snapshot((deployment("a", replicas=replicas),), (node("n1", 1),)))
    assert nodes_of(plan, "a") == [None]


def test_without_an_approval_what_runs_stays_and_nothing_is_new() -> None:
    held = replace(node("n1"), wanted=(wanted(model()),), verified=frozenset({SMALL}))
    one = replace(deployment("a", desired=3, replicas=(running("n1"),)), model=None)
    plan = plan_fleet(snapshot((one,), (held, node("n2"))))
    assert nodes_of(plan, "a") == ["n1"]
    assert plan_of(plan, "a").reason is None
    assert plan.nodes["n1"] == held.wanted
    assert [state.state for state in plan_of(plan, "a").weights] == ["Verified"]


def test_a_refused_layout_leaves_what_runs_alone() -> None:
    one = deployment("a", wish=Wish(10**6), replicas=(running("n1", matches=False),))
    plan = plan_fleet(snapshot((one,), (node("n1"),)))
    slot = plan_of(plan, "a").slots[0]
    assert (slot.node, slot.reason, slot.manifest_digest) == ("n1", reasons.CONTEXT_TOO_LONG, SMALL)
    assert plan_of(plan, "a").layout is None


def test_a_recorded_layout_shows_why_smaller_ones_were_not_taken() -> None:
    plan = plan_fleet(snapshot((deployment("a", wish=TWO_GPUS),), (node("n1"),)))
    first = plan_of(plan, "a")
    assert [one.reason for one in first.rejected] == [reasons.CACHE_TOO_SMALL]
    one = deployment("a", wish=TWO_GPUS, replicas=(running("n1", TWO_GPUS),))
    again = plan_of(plan_fleet(snapshot((one,), (node("n1"),))), "a")
    assert (again.layout, again.rejected) == (first.layout, first.rejected)


def test_a_layout_of_another_version_is_planned_anew() -> None:
    unread = replace(running("n1"), layout=None)
    plan = plan_fleet(snapshot((deployment("a", replicas=(unread,)),), (node("n1", 1),)))
    assert nodes_of(plan, "a") == ["n1"]
    assert plan_of(plan, "a").layout is not None


def test_a_node_that_can_never_serve_neither_lowers_a_product_nor_widens_the_search() -> None:
    shared = replace(
        node("n2", 16), memory_bytes=10 << 30, unfit=True, blocked="shares its GPUs (time-slicing)"
    )
    (product,) = products_of((node("n1", 1), shared))
    assert (product.node_gpus, product.memory_bytes) == (1, H100.memory_bytes)
    wide = deployment("a", wish=Wish(32768, 64))
    refused = plan_of(plan_fleet(snapshot((wide,), (node("n1", 1), shared))), "a")
    assert refused.reason == reasons.NO_LAYOUT_FITS
    assert "not counted: n2 (shares its GPUs (time-slicing))" in str(refused.message)
    alone = plan_of(plan_fleet(snapshot((wide,), (shared,))), "a")
    assert alone.reason == reasons.NO_GPU_NODES
    assert "not counted: n2 (shares its GPUs (time-slicing))" in str(alone.message)


def test_virtual_gpus_serve_one_by_one_and_never_together() -> None:
    virtual = replace(node("n1", 4), apart=True)
    (product,) = products_of((virtual,))
    assert product.apart
    one = plan_of(plan_fleet(snapshot((deployment("a"),), (virtual,))), "a")
    assert (one.layout.gpus if one.layout else 0) == 1
    two = plan_of(plan_fleet(snapshot((deployment("a", wish=TWO_GPUS),), (virtual,))), "a")
    assert two.reason == reasons.NO_LAYOUT_FITS
    assert "none has so many" not in str(two.message)


def test_a_replica_stays_where_it_is_when_its_node_turns_out_unfit() -> None:
    one = deployment("a", replicas=(running("n1"),))
    unfit = replace(node("n1"), unfit=True, blocked="has different GPUs")
    plan = plan_fleet(snapshot((one,), (unfit, node("n2", 8, A100))))
    assert nodes_of(plan, "a") == ["n1"]
    assert plan_of(plan, "a").reason == reasons.PLANNED


def test_products_speak_for_their_smallest_card_and_largest_node() -> None:
    odd = replace(node("n2", 2), memory_bytes=H100.memory_bytes - 1, compute_capability=(8, 9))
    (product,) = products_of((node("n1", 8), odd, node("n3", 0, A100)))
    assert (product.node_gpus, product.memory_bytes) == (8, H100.memory_bytes - 1)
    assert product.compute_capability == (8, 9)


def test_a_bound_layout_that_is_refused_moves_nothing_and_says_what_would_be() -> None:
    bound = Wish(32768, tensor_parallel_size=3)
    one = deployment("a", wish=bound, replicas=(running("n1", matches=False),))
    plan = plan_of(plan_fleet(snapshot((one,), (node("n1"),))), "a")
    assert plan.reason == reasons.LAYOUT_OVERRIDE_REFUSED
    assert [slot.node for slot in plan.slots] == ["n1"]
    assert plan.without_override == "1×H100 tp1"


def test_a_bound_layout_is_placed_like_any_other() -> None:
    bound = Wish(32768, product=L40S.name, tensor_parallel_size=2, pipeline_parallel_size=2)
    nodes = (node("n1"), node("n2", 2, L40S), node("n3", 4, L40S))
    plan = plan_of(plan_fleet(snapshot((deployment("a", wish=bound),), nodes)), "a")
    assert plan.layout is not None
    assert (plan.layout.summary, plan.slots[0].node) == ("4×L40S tp2 pp2", "n3")
    assert plan.without_override == "1×H100 tp1"


def test_latency_takes_fewer_gpus_where_more_are_not_free() -> None:
    fast = Wish(32768, 8, objective="Latency")
    nodes = (replace(node("n1"), gpus_foreign=5), replace(node("n2"), gpus_foreign=7))
    one = plan_of(plan_fleet(snapshot((deployment("a", wish=fast),), nodes)), "a")
    assert (one.slots[0].node, one.layout and one.layout.summary) == ("n1", "2×H100 tp2")


def test_a_pass_judges_and_counts_as_the_engine_s_version_does() -> None:
    """What 0.19 takes beside weights and cache is not what 0.32 takes."""
    seen = snapshot((deployment("a"),), (node("n1"),))

    def overhead(version: str) -> int:
        profile = profile_for(version).profile
        layout = plan_of(plan_fleet(replace(seen, profile=profile)), "a").layout
        assert layout is not None
        return layout.memory.overhead_bytes

    assert overhead("0.19") != overhead("0.32") == overhead("0.32.4")
