"""core/rollout.py: victims, one at a time, weights first, nothing made without an approval."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.rollout import (
    Action,
    Drain,
    ReplicaView,
    RolloutPlan,
    Target,
    choose_leaving,
    plan_rollout,
)

NOW = 10_000.0
LIMIT = 300.0
SCALED = Drain("ScaleDown", NOW - 10)
ROLLED = Drain("Rollout", NOW - 10)


def ready(slot: int, **more: Any) -> ReplicaView:
    return replace(ReplicaView(slot, "Ready", current=True, in_flight=0), **more)


def old(slot: int, **more: Any) -> ReplicaView:
    return ready(slot, **{"current": False, **more})


def target(slot: int, node: str | None = "gpu-0", *, verified: bool = True) -> Target:
    return Target(slot, node, verified, "" if node else "no node has 2 free GPUs")


def plan(
    replicas: Sequence[ReplicaView], *targets: Target, approved: bool = True, now: float = NOW
) -> RolloutPlan:
    return plan_rollout(replicas, targets, approved=approved, now=now, drain_seconds=LIMIT)


def verbs(found: RolloutPlan) -> dict[int, str]:
    return {action.slot: action.verb for action in found.actions}


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
        pytest.param([ready(0), ready(1), ready(2)], 1, {1, 2}, id="ties-keep-the-lowest-slot"),
        pytest.param(
            [ready(0, terminating=True), ready(1)], 1, set(), id="what-is-going-is-not-chosen-again"
        ),
    ],
)
def test_choose_leaving(replicas: list[ReplicaView], desired: int, leaving: set[int]) -> None:
    assert choose_leaving(replicas, desired) == leaving
    assert choose_leaving(replicas[::-1], desired) == leaving


VIEWS = st.builds(
    ReplicaView,
    slot=st.just(0),
    state=st.sampled_from(("Pending", "Loading", "Ready", "Failing")),
    current=st.booleans(),
    drain=st.sampled_from((None, SCALED, ROLLED)),
    idle=st.booleans(),
    in_flight=st.none() | st.integers(0, 5),
)
FLEETS = st.lists(VIEWS, max_size=6).map(
    lambda views: [replace(view, slot=slot) for slot, view in enumerate(views)]
)


@given(FLEETS, st.integers(0, 6))
def test_a_chosen_victim_stays_chosen_whatever_its_load_becomes(
    replicas: list[ReplicaView], desired: int
) -> None:
    leaving = choose_leaving(replicas, desired)
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
    assert waiting in found.waiting
    assert found.outdated == sum(not one.current for one in replicas)


def test_from_outdated_to_replaced_in_three_steps() -> None:
    first = plan([old(0)], target(0)).action(0)
    assert first == Action("Drain", 0, "ReplicaDraining", "new inputs", Drain("Rollout", NOW))
    assert first is not None
    drained = old(0, drain=first.drain, in_flight=1)
    assert verbs(plan([drained], target(0), now=NOW + 5)) == {0: "Keep"}
    assert verbs(plan([replace(drained, idle=True)], target(0), now=NOW + 6)) == {0: "Replace"}


def test_actions_come_in_the_order_of_slots_and_no_slot_twice() -> None:
    found = plan([ready(5), old(3), ready(1)], target(3), target(0), target(5))
    assert [action.slot for action in found.actions] == [0, 1, 3, 5]
    assert found.action(9) is None


# -- the whole way -----------------------------------------------------------------------------


@dataclass
class Simulation:
    """Carries the plans out, with engines that load, finish their requests and stumble."""

    random: Random
    replicas: dict[int, ReplicaView]
    desired: int
    stumbles: int
    now: float = NOW
    taken: set[int] = field(default_factory=set)  # were ready until the rollout took them
    due: dict[int, int] = field(default_factory=dict)

    def targets(self) -> list[Target]:
        views = list(self.replicas.values())
        leaving = choose_leaving(views, self.desired) | {v.slot for v in views if v.terminating}
        staying = [view.slot for view in views if view.slot not in leaving]
        free = (slot for slot in range(100) if slot not in self.replicas)
        new = [next(free) for _ in range(self.desired - len(staying))]
        return [target(slot, verified=self.random.random() < 0.7) for slot in (*staying, *new)]

    def step(self) -> bool:
        """One pass and some time; whether there was nothing left to do."""
        found = plan(list(self.replicas.values()), *self.targets(), now=self.now)
        assert len({action.slot for action in found.actions}) == len(found.actions)
        for action in found.actions:
            self._do(action)
        assert len(self.taken) <= 1, "the rollout took two ready replicas at once"
        self.now += self.random.choice((1, 30))
        for slot in list(self.replicas):
            self._live(slot)
        return all(action.verb == "Keep" for action in found.actions)

    def settled(self) -> bool:
        """Whether what is wanted is there, ready, current, and nothing else."""
        views = self.replicas.values()
        return len(views) == self.desired and all(
            view.current and view.state == "Ready" and view.drain is None and not view.terminating
            for view in views
        )

    def _do(self, action: Action) -> None:
        before = self.replicas.get(action.slot)
        if action.verb == "Create":
            assert before is None
            self.replicas[action.slot] = ReplicaView(action.slot, "Pending", current=True)
            return
        if action.verb == "Keep":
            return
        assert before is not None
        if action.verb == "Drain":
            assert before.state == "Ready"
            self.replicas[action.slot] = replace(before, drain=action.drain, idle=False)
            if action.drain is not None and action.drain.cause == "Rollout":
                self.taken.add(action.slot)
        elif action.verb == "Undrain":
            self.replicas[action.slot] = replace(before, drain=None, idle=False)
            self.taken.discard(action.slot)
        elif action.verb == "Replace":
            if before.state == "Ready":
                assert before.drain is not None, "replaced with requests in flight"
                self.taken.add(action.slot)
            self.replicas[action.slot] = ReplicaView(action.slot, "Pending", current=True)
        else:
            assert before.state != "Ready" or before.drain is not None
            self.replicas[action.slot] = replace(before, terminating=True)
            self.taken.discard(action.slot)

    def _live(self, slot: int) -> None:
        view = self.replicas[slot]
        if view.terminating:
            if self.random.random() < 0.5:
                del self.replicas[slot]
            return
        if view.state != "Ready":
            if self.due.setdefault(slot, self.random.randrange(4)) <= 0:
                view = replace(view, state="Ready")
                del self.due[slot]
                if view.current:
                    self.taken.discard(slot)
            else:
                self.due[slot] -= 1
        elif view.drain is not None:
            view = replace(view, idle=view.idle or self.random.random() < 0.4)
        elif self.stumbles and self.random.random() < 0.2:
            self.stumbles -= 1
            view = replace(view, state="Loading")
        self.replicas[slot] = replace(view, in_flight=self.random.randrange(5))


@given(FLEETS, st.integers(1, 6), st.integers(0, 3), st.integers(0, 1 << 30))
def test_any_start_ends_current_and_in_number_one_ready_replica_at_a_time(
    replicas: list[ReplicaView], desired: int, stumbles: int, seed: int
) -> None:
    views = {view.slot: view for view in replicas}
    world = Simulation(Random(seed), views, desired, stumbles)  # noqa: S311 - a game, no secret
    quiet = 0
    for _ in range(1000):
        quiet = quiet + 1 if world.step() and world.settled() else 0
        if quiet > 3:
            return
    raise AssertionError(f"not settled: {world.replicas}")


STATES: tuple[Literal["Pending", "Loading", "Ready", "Failing"], ...] = (
    "Pending",
    "Loading",
    "Failing",
)


@given(FLEETS, st.sampled_from(STATES))
def test_new_inputs_that_never_get_ready_cost_no_more_than_one_ready_replica(
    replicas: list[ReplicaView], stuck: Literal["Pending", "Loading", "Ready", "Failing"]
) -> None:
    views = {one.slot: replace(one, current=False, drain=None) for one in replicas}
    targets = [target(slot) for slot in views]
    before = sum(one.state == "Ready" for one in views.values())
    for step in range(40):
        for action in plan(list(views.values()), *targets, now=NOW + 100 * step).actions:
            if action.verb == "Drain":
                views[action.slot] = replace(views[action.slot], drain=action.drain)
            elif action.verb == "Undrain":
                views[action.slot] = replace(views[action.slot], drain=None)
            elif action.verb == "Replace":
                views[action.slot] = ReplicaView(action.slot, stuck, current=True)
    serving = sum(one.state == "Ready" and one.drain is None for one in views.values())
    assert serving >= before - 1
