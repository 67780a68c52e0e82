"""What the peers decide by their own code, on the examples of their documentation."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from e2e.bench.autoscale.peers.asked import Contender, Place
from e2e.bench.autoscale.peers.build import PeersError, provide, upstream_tests
from e2e.bench.autoscale.peers.contenders import CONTENDERS
from e2e.bench.autoscale.peers.knative import Knative
from e2e.bench.autoscale.peers.kubernetes import Horizontal, Keda
from e2e.bench.autoscale.peers.process import Look, Peers
from e2e.bench.autoscale.peers.wva import WorkloadVariant
from tests.bench.test_autoscale_wva import MODEL

from escadre.core.scaling.demand import Demand
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Observation, Phase, Policy, Watched

pytestmark = pytest.mark.cluster  # the program is built for them

BOUNDS = Bounds(1, 100)


@pytest.fixture(scope="module")
def peers() -> Iterator[Peers]:
    with Peers(provide(print)) as running:
        yield running


@pytest.fixture
def place(peers: Peers) -> Place:
    return Place(BOUNDS, MODEL, peers)


def ready(count: int, running: int, waiting: int = 0) -> list[Watched]:
    """``count`` replicas that share so many requests; a rest is the first one's."""
    found: list[Watched] = []
    for slot in range(count):
        rest = slot == 0
        share = [number // count + number % count * rest for number in (running, waiting)]
        found.append(Watched(slot, "ready", 0.0, 0.0, Demand(share[0], share[1], 0.0, 0.5)))
    return found


def others(phase: Phase, count: int) -> list[Watched]:
    demand = Demand(50, 50, 0.0) if phase == "draining" else None
    made_ready = 0.0 if phase != "loading" else None
    return [Watched(100 + slot, phase, 0.0, made_ready, demand) for slot in range(count)]


def seen(replicas: Sequence[Watched], told: int | None = None) -> Observation:
    return Observation(tuple(replicas), len(replicas) if told is None else told)


def every_second(policy: Policy, first: int, last: int, what: Observation) -> list[int]:
    return [policy.look(what, float(second)) for second in range(first, last)]


class TestKnative:
    def test_aims_at_seven_tenths_of_a_hundred(self, place: Place) -> None:
        policy = Knative().policy(place)
        assert every_second(policy, 0, 70, seen(ready(4, 281)))[-1] == 5  # ceil(281 / 70)

    def test_averages_over_its_stable_window(self, place: Place) -> None:
        policy = Knative(target=10, utilization=100, panic_threshold=1000).policy(place)
        assert every_second(policy, 0, 60, seen(ready(2, 20)))[-1] == 2
        # Half of the window at 20 and half at 30 is 25.
        assert every_second(policy, 60, 91, seen(ready(2, 30)))[-1] == 3

    def test_panics_at_twice_what_is_ready_and_goes_down_only_after_a_window(
        self, place: Place
    ) -> None:
        policy = Knative(target=10, utilization=100).policy(place)
        assert every_second(policy, 0, 60, seen(ready(1, 10)))[-1] == 1
        up = every_second(policy, 60, 67, seen(ready(1, 60)))
        assert up[-1] == 6
        assert up == sorted(up)
        # Over the threshold for the last time at 68 or so; the peak stands a window longer.
        down = every_second(policy, 67, 180, seen(ready(6, 6)))
        assert down[55] == 6
        assert down[-1] == 3  # half of what is ready

    def test_halves_at_most(self, place: Place) -> None:
        policy = Knative(target=10, utilization=100).policy(place)
        assert policy.look(seen(ready(10, 0)), 0.0) == 5

    def test_waits_for_its_scale_down_delay(self, place: Place) -> None:
        policy = Knative(target=10, utilization=100, scale_down_delay=120).policy(place)
        every_second(policy, 0, 62, seen(ready(4, 40)))
        later = every_second(policy, 62, 300, seen(ready(4, 10)))
        assert later[110] == 4
        assert later[-1] == 2  # half of what is ready

    def test_keeps_the_number_when_nothing_was_ever_read(self, place: Place) -> None:
        policy = Knative().policy(place)
        unread = [Watched(0, "ready", 0.0, 0.0, None)]
        assert every_second(policy, 0, 10, seen(unread, told=3)) == [3] * 10

    def test_counts_neither_loading_nor_draining_replicas(self, place: Place) -> None:
        policy = Knative(target=10, utilization=100).policy(place)
        mixed = [*ready(2, 20), *others("loading", 3), *others("draining", 3)]
        assert every_second(policy, 0, 70, seen(mixed))[-1] == 2

    def test_asked_each_five_seconds_it_holds_what_it_saw(self, place: Place) -> None:
        policy = Knative(target=10, utilization=100).policy(place)
        found = [policy.look(seen(ready(3, 30)), float(at)) for at in range(0, 300, 5)]
        assert found == [3] * len(found)

    def test_refuses_in_its_own_words(self, place: Place) -> None:
        with pytest.raises(PeersError, match=r"expected 6s <= 3s <= 1h0m0s"):
            Knative(window=3).policy(place)


def per_pod(**more: Any) -> Horizontal:
    return replace(Horizontal(signal="requests", kind="pods", target=10), **more)


def synced(policy: Policy, first: float, count: int, what: Observation) -> list[int]:
    """So many syncs, each beginning with what the one before has decided."""
    found: list[int] = []
    for index in range(count):
        found.append(policy.look(what, first + 15.0 * index))
        what = replace(what, told=found[-1])
    return found


class TestHorizontal:
    @pytest.mark.parametrize(
        ("requests", "desired"),
        [
            pytest.param(40, 4, id="twice the target doubles"),
            pytest.param(22, 2, id="a tenth more is within tolerance"),
            pytest.param(23, 3, id="more than a tenth more is not"),
            pytest.param(18, 2, id="a tenth less is within tolerance"),
        ],
    )
    def test_the_ratio_of_its_documentation(
        self, place: Place, requests: int, desired: int
    ) -> None:
        assert per_pod().policy(place).look(seen(ready(2, requests)), 0.0) == desired

    def test_goes_down_to_the_most_of_five_minutes(self, place: Place) -> None:
        policy = per_pod().policy(place)
        assert policy.look(seen(ready(4, 40)), 0.0) == 4
        down = synced(policy, 15.0, 22, seen(ready(4, 20)))
        assert down[:20] == [4] * 20
        assert down[-1] == 2

    def test_a_pod_that_loads_counts_as_idle_on_the_way_up(self, place: Place) -> None:
        # 60 over 2 is 3 times the target; over 6 with 4 of them at 0 it is the target.
        mixed = [*ready(2, 60), *others("loading", 4)]
        assert per_pod().policy(place).look(seen(mixed), 0.0) == 6

    def test_a_pod_that_loads_counts_as_full_on_the_way_down(self, place: Place) -> None:
        policy = per_pod(down_window=0).policy(place)
        # 4 in 2 ready ones alone would be 1; the 2 that load are taken to hold 10 each.
        mixed = [*ready(2, 4), *others("loading", 2)]
        assert policy.look(seen(mixed), 0.0) == 3

    def test_an_average_of_a_sum_is_absolute(self, place: Place) -> None:
        policy = replace(per_pod(), kind="average").policy(place)
        mixed = [*ready(1, 60), *others("loading", 5)]
        assert policy.look(seen(mixed), 0.0) == 6

    def test_a_value_multiplies_the_pods_that_are_ready(self, place: Place) -> None:
        policy = replace(per_pod(down_window=0), kind="value").policy(place)
        # The mean is 3 times the target: 3 times the 2 ready ones, whatever loads.
        assert policy.look(seen([*ready(2, 60), *others("loading", 8)]), 0.0) == 6

    def test_adds_four_or_doubles_where_no_behaviour_is_set(self, place: Place) -> None:
        assert per_pod().policy(place).look(seen(ready(1, 1000)), 0.0) == 4
        assert per_pod().policy(place).look(seen(ready(8, 8000)), 0.0) == 16

    def test_the_documented_scale_down_by_a_tenth_each_minute(self, place: Place) -> None:
        policy = replace(
            per_pod(down_window=0, down_percent=10, down_period=60), kind="average"
        ).policy(place)
        found: list[int] = []
        number = 80
        for at in range(0, 180, 15):
            number = policy.look(seen(ready(number, 100)), float(at))
            found.append(number)
        assert found == [72] * 4 + [64] * 4 + [57] * 4

    def test_up_within_its_window_it_takes_the_least(self, place: Place) -> None:
        policy = replace(per_pod(up_window=60), kind="average").policy(place)
        assert policy.look(seen(ready(2, 20)), 0.0) == 2
        assert synced(policy, 15.0, 6, seen(ready(2, 60)))[:3] == [2] * 3
        assert synced(policy, 105.0, 1, seen(ready(2, 60))) == [6]

    def test_holds_where_no_pod_tells_anything(self, place: Place) -> None:
        unread = [Watched(slot, "ready", 0.0, 0.0, None) for slot in range(3)]
        assert per_pod().policy(place).look(seen(unread), 0.0) == 3
        average = replace(per_pod(), kind="average").policy(place)
        assert average.look(seen(unread), 0.0) == 3

    def test_decides_each_fifteen_seconds(self, place: Place) -> None:
        policy = replace(per_pod(), kind="average").policy(place)
        assert policy.look(seen(ready(1, 10)), 0.0) == 1
        assert policy.look(seen(ready(1, 40)), 14.0) == 1
        assert policy.look(seen(ready(1, 40)), 15.0) == 4

    def test_keeps_the_bounds(self, peers: Peers) -> None:
        place = Place(Bounds(3, 5), MODEL, peers)
        policy = replace(per_pod(down_window=0), kind="average").policy(place)
        assert policy.look(seen(ready(4, 0)), 0.0) == 3
        assert policy.look(seen(ready(4, 400)), 15.0) == 5


class TestKeda:
    def test_acts_as_the_autoscaler_it_makes(self, place: Place) -> None:
        policy = Keda(signal="requests", target=10).policy(place)
        assert policy.look(seen(ready(3, 60)), 0.0) == 6

    def test_a_series_that_is_absent_is_zero(self, place: Place) -> None:
        policy = Keda(signal="requests", target=10, down_window=0).policy(place)
        unread = [Watched(slot, "ready", 0.0, 0.0, None) for slot in range(3)]
        assert policy.look(seen(unread), 0.0) == 1

    def test_goes_to_zero_a_cool_down_after_the_last_poll_that_was_active(
        self, peers: Peers
    ) -> None:
        place = Place(Bounds(0, 8), MODEL, peers)
        policy = Keda(signal="requests", target=10).policy(place)
        assert policy.look(seen(ready(1, 5)), 0.0) == 1
        quiet = [policy.look(seen(ready(1, 0), 1), float(at)) for at in range(15, 345, 15)]
        assert quiet[:20] == [1] * 20  # until 300
        assert quiet[-1] == 0  # at the poll of 330

    def test_comes_from_zero_at_the_next_poll_that_is_active(self, peers: Peers) -> None:
        settings = Keda(signal="given", target=10).settings(Bounds(0, 8))
        policy = peers.make("keda", settings)
        assert peers.look(Look(policy, 0.0, 0, ())) == 0
        assert peers.look(Look(policy, 15.0, 0, (), given=30.0)) == 0
        assert peers.look(Look(policy, 30.0, 0, (), given=30.0)) >= 1


class TestWorkloadVariant:
    def test_its_autoscaler_stabilises_for_four_minutes(self, place: Place) -> None:
        policy = WorkloadVariant().policy(place)
        full = [replace(one, demand=Demand(64, 0, 0.0, 0.95)) for one in ready(2, 128)]
        found = synced(policy, 0.0, 20, seen(full, 2))
        assert found[:15] == [2] * 15
        assert found[-1] > 2

    @pytest.mark.parametrize(
        ("existing", "wanted", "desired"), [(9, 10, 10), (10, 11, 10), (10, 9, 10), (10, 8, 8)]
    )
    def test_one_of_ten_is_within_the_tolerance_of_its_autoscaler(
        self, peers: Peers, existing: int, wanted: int, desired: int
    ) -> None:
        settings = WorkloadVariant(up_window=0, down_window=0).settings(BOUNDS)
        policy = peers.make("hpa", settings)
        shown = Look.at_observation(policy, seen(ready(existing, 10)), 0.0, float(wanted))
        assert [peers.look(replace(shown, at=at)) for at in (0.0, 300.0)][-1] == desired


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda one: str(one.name))
class TestAll:
    def test_one_answers_within_the_bounds(self, place: Place, contender: Contender) -> None:
        policy = contender.defaults.policy(place)
        found = [policy.look(seen(ready(3, 600, 90)), at * policy.every) for at in range(20)]
        assert all(BOUNDS.minimum <= one <= BOUNDS.maximum for one in found)

    def test_every_value_of_its_space_is_taken(self, place: Place, contender: Contender) -> None:
        for name, values in contender.space.items():
            for one in values:
                policy = contender.with_values({name: one}).policy(place)
                assert policy.look(seen(ready(2, 20)), 0.0) >= 1


def test_many_at_once_are_answered_as_one_after_another(peers: Peers) -> None:
    settings = per_pod().settings(BOUNDS)
    first, second = peers.make("hpa", settings), peers.make("hpa", settings)
    shown = [seen(ready(2, 10 + index)) for index in range(600)]
    alone = [
        peers.look(Look.at_observation(first, one, 15.0 * index)) for index, one in enumerate(shown)
    ]
    looks = [Look.at_observation(second, one, 15.0 * index) for index, one in enumerate(shown)]
    assert peers.look_all(looks) == alone


def test_a_policy_that_ended_is_not_known_any_more(place: Place) -> None:
    policy = Knative().policy(place)
    policy.end()
    with pytest.raises(PeersError, match="no policy"):
        policy.look(seen(ready(1, 1)), 0.0)


def test_a_program_that_ended_is_told(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nread line\necho what it said last >&2\n")
    program.chmod(0o755)
    with Peers(program) as running, pytest.raises(PeersError, match="what it said last"):
        running.make("kpa", {})


@pytest.mark.slow
def test_upstream_s_own_tests_pass_on_what_is_built() -> None:
    assert "ok" in upstream_tests(print)
