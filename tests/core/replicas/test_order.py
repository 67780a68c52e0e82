"""core/replicas/order.py: whose turn it is when the platform changed."""

from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.rollouts import NOW, ROLLED, plan, target

from escadre import reasons
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.replicas.order import Member, Order, Standing, plan_order, standing_of
from escadre.core.replicas.rollout import Hold, ReplicaView
from escadre.reasons.said import plain


def key(name: str) -> DeploymentKey:
    return DeploymentKey("team", name)


def today(slot: int = 0, state: str = "Ready") -> ReplicaView:
    return ReplicaView(slot, state, current=True, in_flight=0)  # type: ignore[arg-type]  # a literal, parametrized


def behind(slot: int = 0, state: str = "Ready") -> ReplicaView:
    return replace(today(slot, state), current=False, behind=True)


def standing(name: str, *views: ReplicaView, needed: int = 1, node: str = "gpu-0") -> Standing:
    members = [
        Member(f"{name}-{one.slot}", one, target(one.slot, node or None), NOW) for one in views
    ]
    return standing_of(key(name), needed, members)


def order(*standings: Standing, now: float = NOW) -> Order:
    return plan_order(standings, now)


@pytest.mark.parametrize(
    ("standings", "first"),
    [
        pytest.param([standing("a", behind()), standing("b", behind())], "a", id="by-name"),
        pytest.param(
            [standing("a", behind()), standing("b", behind(0), behind(1))],
            "b",
            id="who-has-two-still-serves",
        ),
        pytest.param(
            [
                standing("a", behind(0), behind(1), behind(2)),
                standing("b", behind(0), behind(1)),
            ],
            "b",
            id="then-the-fewest",
        ),
        pytest.param(
            [standing("a", behind(0), behind(1)), standing("z", behind(0, "Loading"))],
            "z",
            id="who-serves-nothing-loses-nothing",
        ),
        pytest.param(
            [standing("a", behind()), standing("z", replace(behind(), drain=ROLLED))],
            "z",
            id="who-has-begun-goes-on",
        ),
        pytest.param(
            [standing("a", behind()), standing("z", today(0), behind(1))],
            "z",
            id="who-is-half-done-goes-on",
        ),
        pytest.param(
            [standing("a", behind(), node=""), standing("b", behind())],
            "b",
            id="who-cannot-go-holds-nobody",
        ),
        pytest.param(
            [standing("a", behind()), standing("z", today(0, "Loading"))],
            "z",
            id="the-next-when-the-one-before-serves",
        ),
        pytest.param(
            [standing("a", behind()), standing("z", today(0), today(1, "Loading"))],
            "a",
            id="one-that-scales-up-holds-nobody",
        ),
        pytest.param(
            [standing("a", behind()), standing("z", today(0, "Pending"), node="")],
            "a",
            id="one-that-waits-for-gpus-holds-nobody",
        ),
    ],
)
def test_whose_turn_it_is(standings: list[Standing], first: str) -> None:
    found = order(*standings)
    assert found == order(*standings[::-1])
    assert found.first == key(first)
    assert found.hold(key(first)) is None
    for one in standings:
        hold = found.hold(one.key)
        if one.key != key(first):
            assert hold is not None
            assert hold.reason is reasons.PLATFORM_CHANGE_QUEUED
            assert f"team/{first}" in str(hold.message)


def test_a_failure_holds_the_rest_and_is_named() -> None:
    found = order(standing("a", behind()), standing("z", today(0, "Failing")))
    hold = found.hold(key("a"))
    assert hold is not None
    assert hold.reason is reasons.PLATFORM_CHANGE_HELD
    assert str(hold.message) == (
        "the platform's change does not work for team/z: replica z-0 exits; "
        "escadre why z -n team says more"
    )


def test_a_pod_that_no_node_takes_is_a_failure_after_ten_minutes() -> None:
    waits = [standing("a", behind()), standing("z", today(0, "Pending"))]
    assert (order(*waits).reason, order(*waits).again) == (reasons.PLATFORM_CHANGE_QUEUED, 600.0)
    late = order(*waits, now=NOW + 600)
    assert (late.reason, late.again) == (reasons.PLATFORM_CHANGE_HELD, None)
    assert "z-0 has no node after 600 s" in str(late.message)


def test_a_pod_before_it_may_drain_first() -> None:
    views = [today(0, "Pending")]
    members = [Member(f"z-{one.slot}", one, target(one.slot, "gpu-0"), NOW) for one in views]
    waits = [standing("a", behind()), standing_of(key("z"), 1, members, 1800.0)]
    assert order(*waits, now=NOW + 2399).reason is reasons.PLATFORM_CHANGE_QUEUED
    late = order(*waits, now=NOW + 2400)
    assert late.reason is reasons.PLATFORM_CHANGE_HELD
    assert "z-0 has no node after 2400 s" in str(late.message)


def test_where_nobody_is_behind_nothing_is_held_up_by_how_replicas_do() -> None:
    found = order(standing("a", today(0, "Failing")))
    assert found.stands(standing("a", today()))
    assert found.stands(standing("b", today(0, "Loading")))
    assert not found.stands(standing("b", behind()))
    waiting = order(standing("a", behind()), standing("b", today(0, "Loading")))
    assert not waiting.stands(standing("b", today()))
    assert waiting.stands(standing("c", today()))


HELD = Hold(reasons.PLATFORM_CHANGE_QUEUED, plain("b goes first"))


@pytest.mark.parametrize(
    ("view", "verb"),
    [
        pytest.param(behind(), "Keep", id="serves"),
        pytest.param(behind(0, "Loading"), "Keep", id="is about to serve"),
        pytest.param(behind(0, "NotResponding"), "Keep", id="is started again"),
        pytest.param(replace(behind(), drain=ROLLED), "Undrain", id="was taken out"),
        pytest.param(behind(0, "Failing"), "Replace", id="has nothing to lose"),
        pytest.param(replace(behind(), behind=False), "Drain", id="an edit of its own"),
    ],
)
def test_what_a_hold_holds(view: ReplicaView, verb: str) -> None:
    found = plan([view], target(0), hold=HELD)
    assert [one.verb for one in found.actions] == [verb]
    held = verb in {"Keep", "Undrain"}
    why = HELD.reason if held else reasons.ROLLING_OUT
    assert (found.reason, str(found.waiting)) == (why, "b goes first" if held else "")


@dataclass
class Fleet:
    """Deployments that follow the order, each with ``bad`` engines or good ones."""

    random: Random
    fleet: dict[str, list[ReplicaView]]
    bad: frozenset[str]
    now: float = NOW

    def order(self) -> Order:
        found = [standing(name, *views, needed=len(views)) for name, views in self.fleet.items()]
        return plan_order(found, NOW)

    def down(self) -> list[str]:
        """Where less is ready and in the Service than there should be."""
        return [
            name
            for name, views in self.fleet.items()
            if any(one.state != "Ready" or one.drain for one in views)
        ]

    def step(self) -> None:
        """One pass over everybody, in any order, and some time."""
        now = self.order()
        for name in self.random.sample(sorted(self.fleet), len(self.fleet)):
            views = self.fleet[name]
            targets = [target(one.slot) for one in views]
            found = plan(views, *targets, now=self.now, hold=now.hold(key(name)))
            for action in found.actions:
                views[action.slot] = self._after(views[action.slot], action.verb)
        self.now += 30
        for name, views in self.fleet.items():
            views[:] = [self._live(name, one) for one in views]

    def _after(self, view: ReplicaView, verb: str) -> ReplicaView:
        if verb == "Replace":
            return today(view.slot, "Pending")
        if verb == "Drain":
            return replace(view, drain=ROLLED)
        return replace(view, drain=None) if verb == "Undrain" else view

    def _live(self, name: str, view: ReplicaView) -> ReplicaView:
        if view.drain:
            return replace(view, idle=True)
        if view.state in {"Ready", "Failing"} or self.random.random() < 0.5:
            return view
        if view.state == "Pending":
            return replace(view, state="Loading")
        return replace(view, state="Failing" if view.current and name in self.bad else "Ready")


NAMES = "abcde"
SIZES = st.lists(st.integers(1, 3), min_size=1, max_size=5)
BAD = st.frozensets(st.sampled_from(NAMES), max_size=3)


def served(sizes: list[int], bad: frozenset[str], random: Random) -> Fleet:
    """All of them serve, and the platform has just changed."""
    fleet = {
        name: [behind(slot) for slot in range(size)]
        for name, size in zip(NAMES, sizes, strict=False)
    }
    return Fleet(random, fleet, bad & fleet.keys())


@given(SIZES, BAD, st.integers(0, 2**16).map(Random))
@settings(max_examples=60, deadline=None)
def test_one_deployment_at_a_time_is_replaced_until_all_are_done_or_one_fails(
    sizes: list[int], bad: frozenset[str], random: Random
) -> None:
    here = served(sizes, bad, random)
    for _ in range(200):
        here.step()
        assert len(here.down()) <= 1, here.fleet
    lost = [one for views in here.fleet.values() for one in views if one.state != "Ready"]
    left = [one for views in here.fleet.values() for one in views if one.behind]
    if not here.bad:
        assert (lost, left) == ([], [])
        return
    assert [one.state for one in lost] == ["Failing"]
    assert {one.state for one in left} <= {"Ready"}
    again = served([], frozenset(), random)  # other values of the platform, and good ones
    again.fleet = {
        name: [replace(one, current=False, behind=True) for one in views]
        for name, views in here.fleet.items()
    }
    for _ in range(200):
        again.step()
        assert len(again.down()) <= 2  # the one that failed, and the one whose turn it is
    assert all(
        one.current and one.state == "Ready" for views in again.fleet.values() for one in views
    )
