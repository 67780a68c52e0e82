"""The benchmark of scaling: its traffic, its bounds, its tuning."""

from collections import Counter
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest
from e2e.bench.autoscale.contender import Contender, World
from e2e.bench.autoscale.contenders import CONTENDERS
from e2e.bench.autoscale.oracle import Clairvoyant, lower_bound, work_of
from e2e.bench.autoscale.runs import as_played, run
from e2e.bench.autoscale.scenarios import LEVELS, MODEL, Scenario, cells, trials
from e2e.bench.autoscale.steptable import Table, fastest
from e2e.bench.autoscale.traces import TRACES, Trace
from e2e.bench.autoscale.tuning import further, measure

from escadre.core.scaling.service import ServiceLevel
from escadre.core.simulation.deciding import Observation, Policy, Sight
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.replica import Request
from escadre.core.simulation.setting import ColdStart, Objective

SHORT = Scenario(next(one for one in TRACES if one.name == "code"), ColdStart(30))


@pytest.mark.parametrize("trace", TRACES, ids=lambda one: one.name)
def test_a_trace_is_drawn_again_the_same_and_its_halves_differ(trace: Trace) -> None:
    logs = trace.draw("judged", 3)
    assert logs == trace.draw("judged", 3)
    assert logs != trace.draw("judged", 4)
    assert logs != trace.draw("tuning", 3)
    assert len(logs) == (1 if trace.gpus is None else 2)
    for log in logs:
        assert [one.at for one in log] == sorted(one.at for one in log)
        assert 0 <= log[0].at <= log[-1].at < trace.seconds
        assert all(MODEL.takes(one) for one in log), "none is refused, so all count"


def test_our_defaults_are_those_of_the_product() -> None:
    default = next(one for one in CONTENDERS if one.name == "escadre").default
    asked = next(one for one in LEVELS if one.name == default["objective"])
    level = ServiceLevel()
    assert asked.objective == Objective.of(level)
    assert default["percentile"] == 100 * level.share


def test_the_published_log_is_whole() -> None:
    halves = [SHORT.trace.draw(half, 0)[0] for half in ("tuning", "judged")]
    assert sum(map(len, halves)) == 8819
    assert sum(one.prompt for half in halves for one in half) == 18_059_974


@pytest.mark.parametrize("count", [1, 7, 200])
def test_no_engine_is_faster_than_the_lower_bound(count: int) -> None:
    requests = [Request(0.0, 500 + 13 * number, 1 + 7 * number % 90) for number in range(count)]
    engine = Engine(MODEL)
    for one in requests:
        engine.submit(one)
    engine.advance(float("inf"))
    assert sum(work_of(MODEL, one) for one in requests) <= engine.now
    assert lower_bound(MODEL, requests, 2, 1e6) == 2e6


def test_the_clairvoyant_asks_a_load_before() -> None:
    burst = [Request(500.0 + number / 10, 8000, 2) for number in range(100)]
    policy = Clairvoyant(SHORT.scaled(1), burst, MODEL, 5, 0.8, 1.5 * 30)
    wants = {now: policy.look(Observation((), None), float(now)) for now in (400, 460, 505, 520)}
    assert wants[400] == wants[520] == 1
    assert wants[460] == wants[505] > 4


def test_a_cell_of_the_table_is_off_by_a_fifth_at_most() -> None:
    one, slow = Table.of(MODEL, 1), Table.of(MODEL, 1, slower=1.5)
    for running, cached in ((1, 0), (8, 9000), (40, 160_000)):
        plain, drawn = MODEL.pace(running, cached)[0], one.pace(running, cached)[0]
        assert 0.8 * plain <= drawn <= 1.2 * plain
        assert slow.pace(running, cached)[0] == pytest.approx(1.5 * drawn)
        assert drawn >= one.least_step
    assert one != Table.of(MODEL, 2)


def test_no_table_is_faster_than_the_fastest() -> None:
    table, fast = Table.of(MODEL, 4), fastest(MODEL)
    for running, cached in ((1, 0), (3, 40_000), (33, 160_000)):
        assert table.pace(running, cached)[0] >= fast.pace(running, cached)[0]
        assert table.step_seconds(running, cached, 900) >= fast.step_seconds(running, cached, 900)


def test_scenarios_have_names_of_their_own() -> None:
    names = [one.name for one in (*cells(), *trials())]
    assert len(names) == len(set(names)) == 22
    assert len({one.name for one in CONTENDERS}) == len(CONTENDERS)


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda one: one.name)
def test_each_is_tuned_with_as_many_settings(contender: Contender) -> None:
    settings = contender.settings()
    assert len(settings) == len(set(settings)) == 16
    assert dict(settings[0]) == contender.default
    assert settings == contender.settings()


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda one: one.name)
def test_each_value_is_tried_about_as_often_as_its_others(contender: Contender) -> None:
    drawn = [dict(one) for one in contender.settings()[1:]]
    for name, values in contender.space.items():
        counts = Counter(one[name] for one in drawn)
        often = len(drawn) / len(values)
        # One more or less where a draw was among those before it.
        assert all(often - 2 < counts[value] < often + 2 for value in values), name
        assert len(values) > len(drawn) or all(counts[value] for value in values), name


QUIET = 120.0  # seconds at the beginning in which some traces have no request
WINDOWS = ("down_window", "up_window", "window", "scale_down_delay", "stable")  # seconds


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda one: one.name)
def test_what_is_played_before_is_as_long_as_each_remembers(contender: Contender) -> None:
    windows = [max(contender.space.get(name, (0,))) for name in WINDOWS]
    assert sum(windows) <= contender.memory
    for trace in TRACES:
        warm = trace.warm(contender.memory)
        assert warm == contender.memory or (warm == trace.seconds and contender.kind == "ours")
        every = trace.warmed("judged", 0, warm)
        for log, whole in zip(every, trace.draw("judged", 0), strict=True):
            counted = [one for one in log if one.at >= warm]
            assert [one.prompt for one in counted] == [one.prompt for one in whole]
            assert log[0].at < QUIET < warm <= counted[0].at, trace.name


class Fixed:
    """A stand-in for a peer: the number that it is set to."""

    every = 60.0
    sight = Sight(60.0)

    def __init__(self, number: int) -> None:
        self.number = number

    def look(self, seen: Observation, now: float) -> int:
        del seen, now
        return self.number


MEANS = ("firstTokenP99", "loads", "wastedLoads", "reversals")
WORLD = World(SHORT, MODEL, [])


def fixed(name: str = "fixed") -> Contender:
    def make(given: Any, world: World) -> Policy:
        del world
        return Fixed(given["minReplicas"])

    return Contender(name, "peer", {"minReplicas": 2}, {"minReplicas": range(2, 9)}, make)


def test_settings_that_come_out_as_the_same_run_are_played_once() -> None:
    """The trace has 12 replicas at most, so 13 and 64 are as 12; nothing else is changed."""
    many, most = (("a", 1), ("minReplicas", 64)), (("a", 1), ("minReplicas", 12))
    assert as_played(SHORT, many) == as_played(SHORT, most) == most
    assert as_played(SHORT, (("minReplicas", 3),)) == (("minReplicas", 3),)


def on_tuning_half(number: int) -> list[float]:
    settings = (("minReplicas", number),)
    return [run(SHORT, fixed(), settings, "tuning", seed).attained[0] for seed in range(4)]


def test_tuning_finds_the_cheapest_that_reaches_the_level() -> None:
    """Of fixed numbers the least that reaches it: each below misses it on the tuning half."""
    found = measure(SHORT, fixed(), 2)
    level = found["levels"][0]
    assert level["default"] is None, "two are too few for the bursts of the tuning half"
    number = level["tuned"]["settings"]["minReplicas"]
    shares = [fmean(on_tuning_half(count)) for count in (number - 1, number)]
    assert shares[0] < 0.95 <= shares[1]
    assert len(level["tuned"]["gpuSeconds"]) == 2
    assert len(found["tried"]) == 7


def test_what_was_judged_with_fewer_seeds_goes_on_with_more() -> None:
    """It comes out as if it had been judged with as many at once."""
    known = measure(SHORT, fixed(), 2) | {"seeds": 2}
    whole = measure(SHORT, fixed(), 5)
    found = further(SHORT, fixed(), known, 5)
    assert found.pop("seeds") == 2, "who keeps it says how many there are now"
    for told, expected in zip(found["levels"], whole["levels"], strict=True):
        for how in ("default", "tuned"):
            if expected[how] is not None:
                means = {name: pytest.approx(expected[how][name], abs=0.02) for name in MEANS}
                assert told[how] == {**expected[how], **means}
    assert found | {"levels": whole["levels"]} == whole


def test_old_metrics_are_old_for_all() -> None:
    aged = next(one for one in trials() if "old" in one.name)
    for contender in CONTENDERS[:3]:
        policy = contender.make(dict(contender.default), replace(WORLD, scenario=aged))
        assert policy.sight == aged.sight
