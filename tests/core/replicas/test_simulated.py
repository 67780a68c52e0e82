"""Rollouts carried out to the end, with engines that load, finish and stumble."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from tests.core.rollouts import FLEETS, NOW, plan, target

from escadre.core.replicas.rollout import Action, ReplicaView, Target
from escadre.core.replicas.victims import choose_leaving


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
