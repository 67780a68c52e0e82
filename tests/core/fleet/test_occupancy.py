"""Whoever finds no GPU is told who has them."""

from dataclasses import replace

from tests.core.fleets import TWO_GPUS, deployment, node, plan_of, running, snapshot

from escadre.core.fleet.plan import plan_fleet


def test_who_holds_the_gpus_is_named_with_how_many() -> None:
    older = deployment(
        "chat", desired=4, minimum=4, replicas=tuple(running("n1", slot=slot) for slot in range(4))
    )
    other = deployment(
        "code", desired=3, minimum=3, replicas=tuple(running("n1", slot=slot) for slot in range(3))
    )
    late = deployment("late", created=9.0)
    nodes = (replace(node("n1", 8), gpus_foreign=1),)
    message = str(plan_of(plan_fleet(snapshot((older, other, late), nodes)), "late").message)
    assert message.endswith(
        "free: n1: 0; n1: 8 of 8 held by team/chat (4), team/code (3), other pods (1)"
    )


def test_what_this_pass_gave_out_is_held_too() -> None:
    first, late = deployment("a", desired=4, minimum=4), deployment("b", created=9.0, wish=TWO_GPUS)
    message = str(plan_of(plan_fleet(snapshot((first, late), (node("n1", 4),))), "b").message)
    assert message.endswith("n1: 4 of 4 held by team/a (4)")


def test_an_outdated_replica_and_its_replacement_hold_their_gpus_once() -> None:
    old = running("n1", matches=False)
    first, late = deployment("a", replicas=(old,)), deployment("b", created=9.0)
    message = str(plan_of(plan_fleet(snapshot((first, late), (node("n1", 1),))), "b").message)
    assert message.endswith("n1: 1 of 1 held by team/a (1)")


def test_a_long_list_is_cut_with_the_way_to_the_whole() -> None:
    nodes = tuple(node(f"n{number}", 1) for number in range(6))
    first, late = deployment("a", desired=6, minimum=6), deployment("b", created=9.0)
    message = str(plan_of(plan_fleet(snapshot((first, late), nodes)), "b").message)
    assert message.count("held by") == 4
    assert message.endswith("2 more nodes: escadre nodes")
