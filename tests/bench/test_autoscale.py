"""The benchmark of scaling: its traffic, its bounds, its tuning, what it makes of results."""

from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest
from e2e.bench.autoscale.contenders import CONTENDERS, Contender, World
from e2e.bench.autoscale.curves import draw, frontier
from e2e.bench.autoscale.judge import cells_of, figures
from e2e.bench.autoscale.losses import losses, table
from e2e.bench.autoscale.oracle import Clairvoyant, lower_bound, work_of
from e2e.bench.autoscale.runs import run
from e2e.bench.autoscale.scenarios import LEVELS, MODEL, Scenario, cells, trials
from e2e.bench.autoscale.steptable import Table
from e2e.bench.autoscale.traces import TRACES, Trace
from e2e.bench.autoscale.tuning import measure

from escadre.core.simulation.deciding import Observation, Policy, Sight
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.replica import Request
from escadre.core.simulation.setting import ColdStart

SHARES = {level.name: level.share for level in LEVELS}
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


def test_scenarios_have_names_of_their_own() -> None:
    names = [one.name for one in (*cells(), *trials())]
    assert len(names) == len(set(names)) == 26
    assert len({one.name for one in CONTENDERS}) == len(CONTENDERS)


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda one: one.name)
def test_each_is_tuned_with_as_many_settings(contender: Contender) -> None:
    settings = contender.settings()
    assert len(settings) == len(set(settings)) == 16
    assert dict(settings[0]) == contender.default
    assert settings == contender.settings()


class Fixed:
    """A stand-in for a peer: the number that it is set to."""

    every = 60.0
    sight = Sight(60.0)

    def __init__(self, number: int) -> None:
        self.number = number

    def look(self, seen: Observation, now: float) -> int:
        del seen, now
        return self.number


WORLD = World(SHORT, MODEL, [])


def fixed(name: str = "fixed") -> Contender:
    def make(given: Any, world: World) -> Policy:
        del world
        return Fixed(given["minReplicas"])

    return Contender(name, "peer", {"minReplicas": 2}, {"minReplicas": range(2, 9)}, make)


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


def unit(contender: str, kind: str, costs: list[float] | None, share: float = 0.96) -> Any:
    told = costs and {"settings": {"a": 1}, "gpuSeconds": costs, "attained": [share] * len(costs)}
    levels = [{"level": name, "default": told, "tuned": told} for name in SHARES]
    tried = [{"settings": {}, "gpuSeconds": 9.0, "attained": [0.9, 0.9]}]
    return {
        "scenario": "s",
        "contender": contender,
        "kind": kind,
        "lowerBound": 50.0,
        "levels": levels,
        "tried": tried,
    }


def test_ratios_are_over_the_best_peer_and_paired() -> None:
    units = [
        unit("escadre", "ours", [80.0, 160.0]),
        unit("KPA", "peer", [100.0, 200.0]),
        unit("static", "peer", [300.0, 300.0]),
        unit("0.1.0", "ours", [1.0, 1.0]),
        unit("clairvoyant", "bound", [40.0, 80.0]),
    ]
    found = figures(cells_of(units, SHARES))
    assert (found["overBestTuned"], found["overBestDefault"]) == (0.8, 0.8)
    assert (found["overOracle"], found["overLowerBound"]) == (2.0, 2.4)
    assert (found["cells"], found["cellsWorse"]) == (2, 0)
    (cell, _) = cells_of(units, SHARES)
    ratio = cell.over("tuned", cell.best_peer("tuned"))
    assert ratio is not None
    assert ratio.low == pytest.approx(0.8), "seeds are pairs"
    assert ratio.high == pytest.approx(0.8)


def test_a_peer_that_missed_the_level_where_it_was_judged_is_left_out_of_one_figure() -> None:
    units = [
        unit("escadre", "ours", [80.0], 0.97),
        unit("KPA", "peer", [40.0], 0.90),
        unit("static", "peer", [100.0], 0.95),
    ]
    found = figures(cells_of(units, SHARES))
    assert (found["overBestTuned"], found["cellsKept"]) == (2.0, 1), "of 99 % nobody kept"
    assert found["overBestTunedThatKept"] == 0.8


def test_who_has_no_cost_has_lost_and_is_told() -> None:
    units = [unit("escadre", "ours", None), unit("static", "peer", [100.0, 90.0])]
    cells_ = cells_of(units, SHARES)
    found = figures(cells_)
    assert (found["cellsWorse"], found["cells"]) == (2, 2)
    assert found["overBestTuned"] is None
    assert found["notReached"] == {"default": 2, "tuned": 2}
    assert "reached the level on the tuning half" in table(cells_, [])
    nobody = figures(cells_of([unit("escadre", "ours", None), unit("KPA", "peer", None)], SHARES))
    assert (nobody["cells"], nobody["cellsNobodyReached"]) == (0, 2)


@pytest.mark.parametrize(
    ("ours", "peer", "said"),
    [
        ((100.0, 0.96), ("KPA", 90.0, 0.90), "the peer kept only 90.0 % there, we 96.0 %"),
        ((100.0, 0.96), ("static", 90.0, 0.96), "a number that stands is cheapest"),
        ((100.0, 0.99), ("KPA", 90.0, 0.96), "we attain more than is asked: 99.0 %"),
        ((100.0, 0.96), ("KPA", 90.0, 0.96), "holds more replicas for it: a 1"),
    ],
)
def test_a_loss_says_why(
    ours: tuple[float, float], peer: tuple[str, float, float], said: str
) -> None:
    units = [
        unit("escadre", "ours", [ours[0]] * 2, ours[1]),
        unit(peer[0], "peer", [peer[1]] * 2, peer[2]),
    ]
    first, *_ = losses(cells_of(units, {"95 %": 0.95}))
    assert said in first.why
    assert first.document()["ratio"] == pytest.approx(100 / 90, abs=1e-4)


def test_no_loss_within_three_percent() -> None:
    units = [unit("escadre", "ours", [102.0] * 2), unit("KPA", "peer", [100.0] * 2)]
    assert losses(cells_of(units, SHARES)) == []
    assert "Nowhere." in table(cells_of(units, SHARES), [])


def test_the_frontier_is_what_nothing_cheaper_reaches() -> None:
    points = [(5.0, 0.9), (1.0, 0.5), (3.0, 0.4), (5.0, 0.95), (9.0, 0.95)]
    assert frontier(points) == [(1.0, 0.5), (5.0, 0.95)]


def test_the_curves_are_a_picture() -> None:
    units = [unit(one.name, one.kind, [1.0, 2.0]) for one in CONTENDERS]
    text = draw([one | {"scenario": "a < b"} for one in units])
    assert text.startswith("<svg ")
    assert text.count("<g ") == text.count("</g>") == 1
    assert ">a &lt; b</text>" in text
    assert all(f">{one.name}</text>" in text for one in CONTENDERS)


def test_old_metrics_are_old_for_all() -> None:
    aged = next(one for one in trials() if "old" in one.name)
    for contender in CONTENDERS[:3]:
        policy = contender.make(dict(contender.default), replace(WORLD, scenario=aged))
        assert policy.sight == aged.sight
