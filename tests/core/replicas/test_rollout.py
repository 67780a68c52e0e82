"""Rollouts: victims, one at a time, weights first, nothing made without an approval."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.rollouts import FLEETS, LIMIT, NOW, ROLLED, SCALED, old, plan, ready, target, verbs

from escadre import reasons
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.relief import Relief
from escadre.core.replicas.rollout import Action, ReplicaView, Target
from escadre.core.replicas.victims import choose_leaving

# -- who leaves --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicas", "desired", "leaving"),
    [
        pytest.param([ready(0), ready(1)], 2, set(), id="enough"),
        pytest.param([ready(0)], 3, set(), id="too-few"),
        pytest.param([], 0, set(), id="none"),
        pytest.param([ready(0), ready(1), ready(2)], 0, {0, 1, 2}, id="all"),
        pytest.param(
            [ready(0, state="Loading"), ready(1, in_flight=9)], 1, {0}, id="not-ready-first"
        ),
        pytest.param(
            [ready(0, in_flight=1), ready(1, in_flight=7), ready(2, in_flight=3)],
            2,
            {0},
            id="then-fewest-in-flight",
        ),
        pytest.param(
            [ready(0, in_flight=1), ready(1, in_flight=7), ready(2, in_flight=3)],
            1,
            {0, 2},
            id="two-with-fewest-in-flight",
        ),
        pytest.param(
            [ready(0, state="Failing", in_flight=None), ready(1, drain=SCALED, in_flight=5)],
            1,
            {1},
            id="a-choice-once-made-stands",
        ),
        pytest.param(
            [ready(0, drain=ROLLED, in_flight=0), ready(1, in_flight=5)],
            1,
            {0},
            id="drained-for-rollout-has-fewest-in-flight",
        ),
        pytest.param([old(0, in_flight=9), ready(1)], 1, {0}, id="outdated-before-current"),
        pytest.param(
            [ready(0, state="Loading", since=90.0), ready(1, state="Loading", since=10.0)],
            1,
            {0},
            id="of-those-that-load-the-last-begun",
        ),
        pytest.param(
            [ready(0, state="Failing", since=1.0), ready(1, state="Loading", since=90.0)],
            1,
            {0},
            id="one-that-fails-before-one-that-loads",
        ),
        pytest.param([ready(0), ready(1), ready(2)], 1, {1, 2}, id="ties-keep-the-lowest-slot"),
        pytest.param(
            [ready(0, terminating=True), ready(1)], 1, set(), id="what-is-going-is-not-chosen-again"
        ),
    ],
)
def test_choose_leaving(replicas: list[ReplicaView], desired: int, leaving: set[int]) -> None:
    assert choose_leaving(replicas, desired) == leaving
    assert choose_leaving(replicas[::-1], desired) == leaving


@pytest.mark.parametrize(
    ("replicas", "relief", "leaving"),
    [
        pytest.param([ready(0), ready(1)], {0: Relief(gpus=2)}, {0}, id="room-for-one-that-waits"),
        pytest.param(
            [ready(0), ready(1)], {0: Relief(gpus=2), 1: Relief(gpus=4)}, {1}, id="the-larger"
        ),
        pytest.param(
            [ready(0), ready(1)],
            {0: Relief(closed=True), 1: Relief(gpus=8)},
            {0},
            id="closed-first",
        ),
        pytest.param(
            [ready(0, in_flight=1), ready(1)], {0: Relief(closed=True)}, {1}, id="idle-before-all"
        ),
        pytest.param(
            [ready(0, in_flight=3), ready(1, in_flight=3), ready(2, in_flight=4)],
            {0: Relief(gpus=2), 2: Relief(gpus=8)},
            {0},
            id="only-among-those-as-loaded",
        ),
        pytest.param(
            [ready(0, drain=SCALED), ready(1)], {1: Relief(closed=True)}, {0}, id="a-choice-stands"
        ),
    ],
)
def test_of_those_alike_the_one_whose_leaving_helps_most(
    replicas: list[ReplicaView], relief: dict[int, Relief], leaving: set[int]
) -> None:
    desired = len(replicas) - 1
    assert choose_leaving(replicas, desired, relief) == leaving
    assert choose_leaving(replicas[::-1], desired, relief) == leaving


RELIEFS = st.dictionaries(
    st.integers(0, 6), st.builds(Relief, st.booleans(), st.integers(0, 8)), max_size=7
)


@given(FLEETS, st.integers(0, 6), RELIEFS)
def test_a_chosen_victim_stays_chosen_whatever_its_load_becomes(
    replicas: list[ReplicaView], desired: int, relief: dict[int, Relief]
) -> None:
    leaving = choose_leaving(replicas, desired, relief)
    assert len(leaving) == max(0, len(replicas) - desired)
    drained = [
        replace(one, drain=SCALED, in_flight=99)
        if one.slot in leaving
        else replace(one, drain=None, in_flight=0, state="Loading")
        for one in replicas
    ]
    assert choose_leaving(drained, desired) == leaving


# -- leaving -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replica", "verb", "drain", "words"),
    [
        pytest.param(ready(1), "Drain", Drain("ScaleDown", NOW), "scaled down", id="drain-first"),
        pytest.param(
            ready(1, drain=ROLLED), "Drain", Drain("ScaleDown", NOW), "", id="was-rolling-out"
        ),
        pytest.param(
            ready(1, drain=SCALED, in_flight=3), "Keep", SCALED, "finishing 3", id="finishing"
        ),
        pytest.param(
            ready(1, drain=SCALED, in_flight=None), "Keep", SCALED, "unknown", id="unknown-load"
        ),
        pytest.param(
            ready(1, drain=SCALED, idle=True), "Delete", SCALED, "drained in 10 s", id="idle"
        ),
        pytest.param(
            ready(1, drain=Drain("ScaleDown", NOW - LIMIT), in_flight=2),
            "Delete",
            Drain("ScaleDown", NOW - LIMIT),
            "limit of 300 s reached with 2",
            id="deadline",
        ),
        pytest.param(
            ready(1, state="Loading"), "Delete", Drain("ScaleDown", NOW), "", id="not-ready"
        ),
        pytest.param(
            ready(1, state="Failing", drain=SCALED), "Delete", SCALED, "", id="died-draining"
        ),
        pytest.param(ready(1, terminating=True), "Keep", None, "being deleted", id="going"),
    ],
)
@pytest.mark.parametrize("approved", [True, False])
def test_what_leaves_drains_then_goes_with_or_without_an_approval(
    replica: ReplicaView, verb: str, drain: Drain | None, words: str, approved: bool
) -> None:
    (action,) = plan([replica], approved=approved).actions
    assert (action.verb, action.slot, action.drain) == (verb, 1, drain)
    assert words in action.message


# -- staying and coming ------------------------------------------------------------------------


@pytest.mark.parametrize("drain", [SCALED, ROLLED])
def test_a_replica_wanted_again_goes_back_into_the_service(drain: Drain) -> None:
    found = plan([ready(0, drain=drain, idle=True)], target(0))
    assert verbs(found) == {0: "Undrain"}


def test_new_slots_are_made_where_they_are_planned() -> None:
    found = plan([ready(0)], target(0), target(1), target(2, None))
    assert verbs(found) == {0: "Keep", 1: "Create"}


def test_a_slot_is_not_made_while_its_old_object_is_going() -> None:
    assert verbs(plan([ready(0, terminating=True)], target(0))) == {0: "Keep"}


def test_without_an_approval_nothing_is_made_or_replaced_and_leaving_still_leaves() -> None:
    replicas = [old(0), old(1, drain=ROLLED, idle=True), old(2, state="Failing"), ready(3)]
    found = plan(replicas, target(0), target(1), target(2), target(4), approved=False)
    assert verbs(found) == {0: "Keep", 1: "Undrain", 2: "Keep", 3: "Drain"}
    assert found.outdated == 0


# -- replacing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicas", "targets", "expected", "waiting"),
    [
        pytest.param(
            [old(0), old(1)], [target(0), target(1)], {0: "Drain", 1: "Keep"}, "replica 0", id="one"
        ),
        pytest.param(
            [old(0), old(1, drain=ROLLED, in_flight=2)],
            [target(0), target(1)],
            {0: "Keep", 1: "Keep"},
            "replica 1",
            id="the-one-draining-goes-first",
        ),
        pytest.param(
            [old(0), old(1, drain=ROLLED, idle=True)],
            [target(0), target(1)],
            {0: "Keep", 1: "Replace"},
            "replica 1",
            id="idle-is-replaced",
        ),
        pytest.param(
            [old(0, drain=Drain("Rollout", NOW - LIMIT), in_flight=4)],
            [target(0)],
            {0: "Replace"},
            "",
            id="deadline",
        ),
        pytest.param(
            [ready(0, state="Loading"), old(1)],
            [target(0), target(1)],
            {0: "Keep", 1: "Keep"},
            "replica 0",
            id="the-replaced-one-is-loading",
        ),
        pytest.param(
            [ready(0, state="Failing"), old(1), old(2)],
            [target(0), target(1), target(2)],
            {0: "Keep", 1: "Keep", 2: "Keep"},
            "replica 0",
            id="failing-new-inputs-hold-the-others",
        ),
        pytest.param(
            [ready(0), old(1), old(2)],
            [target(0), target(1), target(2)],
            {0: "Keep", 1: "Drain", 2: "Keep"},
            "replica 1",
            id="the-next-one",
        ),
        pytest.param(
            [old(0), old(1)],
            [target(0, verified=False), target(1)],
            {0: "Keep", 1: "Drain"},
            "weights are not verified on node gpu-0",
            id="unverified-waits-and-holds-nobody",
        ),
        pytest.param(
            [old(0), old(1)],
            [target(0, None), target(1)],
            {0: "Keep", 1: "Drain"},
            "no node has 2 free GPUs",
            id="no-node-waits-and-holds-nobody",
        ),
        pytest.param(
            [old(0, state="Failing"), old(1, state="Pending"), old(2)],
            [target(0), target(1), target(2)],
            {0: "Replace", 1: "Replace", 2: "Drain"},
            "",
            id="what-serves-nothing-goes-at-once",
        ),
        pytest.param(
            [old(0, state="Failing")],
            [target(0, verified=False)],
            {0: "Keep"},
            "weights are not verified on node gpu-0",
            id="also-a-failing-one-waits-for-weights",
        ),
        pytest.param(
            [old(0, terminating=True), old(1)],
            [target(0), target(1)],
            {0: "Keep", 1: "Drain"},
            "",
            id="going-is-left-alone",
        ),
        pytest.param(
            [ready(0, drain=SCALED), old(1)],
            [target(0), target(1)],
            {0: "Undrain", 1: "Drain"},
            "",
            id="current-and-wanted-again",
        ),
        # A drained replica that cannot be replaced now would be idle with its GPUs for hours.
        pytest.param(
            [old(0, drain=ROLLED, idle=True)],
            [target(0, verified=False)],
            {0: "Undrain"},
            "weights are not verified on node gpu-0",
            id="drained-but-the-weights-went-away",
        ),
        pytest.param(
            [old(0, drain=ROLLED, idle=True)],
            [target(0, None)],
            {0: "Undrain"},
            "no node has 2 free GPUs",
            id="drained-but-the-node-went-away",
        ),
        pytest.param(
            [old(0, drain=ROLLED), old(1)],
            [target(0, None), target(1)],
            {0: "Undrain", 1: "Drain"},
            "no node has 2 free GPUs",
            id="and-the-next-one-takes-its-turn",
        ),
        # Two drained by a scale-down that was taken back: the rollout takes one of them.
        pytest.param(
            [old(0, drain=SCALED), old(1, drain=SCALED, idle=True)],
            [target(0), target(1)],
            {0: "Keep", 1: "Undrain"},
            "replica 0",
            id="of-two-drained-one-goes-on",
        ),
        pytest.param(
            [ready(0, state="Failing"), old(1, drain=ROLLED, idle=True)],
            [target(0), target(1)],
            {0: "Keep", 1: "Undrain"},
            "replica 0",
            id="new-inputs-turn-bad-while-the-next-one-drains",
        ),
    ],
)
def test_replacing(
    replicas: list[ReplicaView], targets: list[Target], expected: dict[int, str], waiting: str
) -> None:
    found = plan(replicas, *targets)
    assert verbs(found) == expected
    assert waiting in str(found.waiting)
    assert found.outdated == sum(not one.current for one in replicas)


def test_from_outdated_to_replaced_in_three_steps() -> None:
    first = plan([old(0)], target(0)).action(0)
    assert first == Action(
        "Drain", 0, reasons.REPLICA_DRAINING, "new inputs", Drain("Rollout", NOW)
    )
    assert first is not None
    drained = old(0, drain=first.drain, in_flight=1)
    assert verbs(plan([drained], target(0), now=NOW + 5)) == {0: "Keep"}
    assert verbs(plan([replace(drained, idle=True)], target(0), now=NOW + 6)) == {0: "Replace"}


def test_actions_come_in_the_order_of_slots_and_no_slot_twice() -> None:
    found = plan([ready(5), old(3), ready(1)], target(3), target(0), target(5))
    assert [action.slot for action in found.actions] == [0, 1, 3, 5]
    assert found.action(9) is None
