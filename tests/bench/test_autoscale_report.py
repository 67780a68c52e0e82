"""What the benchmark of scaling makes of results: ratios, counts, losses, and the page."""

from typing import Any

import pytest
from e2e.bench.autoscale.contenders import CONTENDERS
from e2e.bench.autoscale.curves import draw, frontier
from e2e.bench.autoscale.judge import cells_of, figures
from e2e.bench.autoscale.losses import losses
from e2e.bench.autoscale.report import Compared, parts, put_into, whole
from e2e.bench.autoscale.scenarios import LEVELS
from e2e.cluster.config import REPOSITORY

SHARES = {level.name: level.share for level in LEVELS}


def unit(
    contender: str, kind: str, costs: list[float] | None, share: float = 0.96, **more: Any
) -> Any:
    """A result; ``default`` among ``more`` says whether it has a cost at defaults too."""
    minimum = more.get("minimum", 1)
    told = costs and {
        "settings": {"minReplicas": minimum},
        "gpuSeconds": costs,
        "attained": [share] * len(costs),
        "loads": more.get("loads", 5.0),
        "wastedLoads": more.get("wasted", 0.0),
    }
    default = told if more.get("default", True) else None
    levels = [{"level": name, "default": default, "tuned": told} for name in SHARES]
    tried = [
        {"settings": {"minReplicas": number}, "gpuSeconds": 9.0, "attained": [0.9, 0.9]}
        for number in more.get("tried", (minimum,))
    ]
    return {
        "scenario": more.get("scenario", "s"),
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
    assert "with its first seed the best had 90.0 %" in losses(cells_)[0].why
    nobody = figures(cells_of([unit("escadre", "ours", None), unit("KPA", "peer", None)], SHARES))
    assert (nobody["cells"], nobody["cellsNobodyReached"]) == (0, 2)


ALIKE = {"loads": 0.0}
HOLDS = {"minimum": 4, "tried": (4, 5)}


@pytest.mark.parametrize(
    ("ours", "peer", "verdict", "said"),
    [
        ((100.0, 0.96), ("KPA", 90.0, 0.90), "worse", "kept only 90.0 % there, we 96.0 %"),
        ((100.0, 0.96), ("static", 90.0, 0.96), "worse", "a number that stands is cheapest"),
        ((100.0, 0.99), ("KPA", 90.0, 0.96), "worse", "more than is asked: 99.0 %, the peer 96"),
        ((100.0, 0.96), ("KPA", 90.0, 0.96), "worse", "holds more replicas for it: minReplicas 1"),
        ((100.0, 0.96, HOLDS), ("KPA", 90.0, 0.96), "worse", "none of ours with minReplicas 1 or"),
        (
            (100.0, 0.96, HOLDS | {"tried": (1, 4)}),
            ("KPA", 90.0, 0.96),
            "worse",
            "minReplicas 1 or less the best had 90.0 %",
        ),
        (
            (100.0, 0.96, {"loads": 9.5, "wasted": 4.0}),
            ("KPA", 90.0, 0.96),
            "worse",
            "of our 9.5 loads in a run 4.0 served nobody, of the peer's 5.0 0.0",
        ),
        ((100.0, 0.96, ALIKE), ("KPA", 100.0, 0.96, ALIKE), "as good", "the same 1 replicas"),
        ((102.0, 0.96), ("KPA", 100.0, 0.96), "as good", "within 3 %"),
    ],
)
def test_a_cell_that_is_not_better_says_why(
    ours: tuple[Any, ...], peer: tuple[Any, ...], verdict: str, said: str
) -> None:
    units = [
        unit("escadre", "ours", [ours[0]] * 2, ours[1], **dict(*ours[2:])),
        unit(peer[0], "peer", [peer[1]] * 2, peer[2], **dict(*peer[3:])),
    ]
    (first,) = losses(cells_of(units, {"95 %": 0.95}))
    assert first.verdict == verdict
    assert said in first.why
    assert first.document()["ratio"] == pytest.approx(ours[0] / peer[1], abs=1e-4)


def test_where_the_seeds_differ_it_may_be_worse() -> None:
    units = [unit("escadre", "ours", [80.0, 115.0]), unit("KPA", "peer", [100.0, 100.0])]
    (first, _) = losses(cells_of(units, SHARES))
    assert (first.verdict, first.why) == (
        "may be worse",
        "no worse on the mean; the seeds differ by more than 3 %",
    )


def test_a_cell_in_which_it_is_better_is_no_loss() -> None:
    units = [unit("escadre", "ours", [98.0] * 2), unit("KPA", "peer", [100.0] * 2)]
    cells = cells_of(units, SHARES)
    assert losses(cells) == []
    assert figures(cells)["cellsBetter"] == 2


def test_who_reached_the_level_is_counted_beside_the_medians() -> None:
    """At defaults: both, this build alone, a peer alone, nobody; static reaches it everywhere."""
    reached = [("a", True, True), ("b", True, False), ("c", False, True), ("d", False, False)]
    units = [
        one
        for scenario, ours, peer in reached
        for one in (
            unit("escadre", "ours", [80.0], scenario=scenario, default=ours),
            unit("KPA", "peer", [100.0], scenario=scenario, default=peer),
            unit("static", "peer", [200.0], scenario=scenario),
        )
    ]
    found = figures(cells_of(units, {"95 %": 0.95}))["reached"]
    assert found["defaultBesideStatic"] == {
        "both": 1,
        "oursAlone": 1,
        "peersAlone": 1,
        "nobody": 1,
        "ratioWhereBoth": 0.8,
    }
    assert (found["default"]["both"], found["default"]["peersAlone"]) == (2, 2)
    assert found["tuned"]["both"] == 4


PAGE = """# A page

{figures}

In between.

{cells}
"""


def compared(**more: Any) -> Compared:
    units = [unit("escadre", "ours", [80.0]), unit("KPA", "peer", [100.0])]
    cells = cells_of(units, SHARES)
    return Compared(cells, [], figures(cells), 20, ["escadre", "KPA"], 18, 8, **more)


def test_the_parts_of_the_page_are_replaced_and_nothing_else() -> None:
    made = parts(compared())
    page = PAGE.format(**{name: whole({name: "old\n| of before |"}).rstrip("\n") for name in made})
    after = put_into(page, made)
    assert after == PAGE.format(**{name: whole({name: made[name]}).rstrip("\n") for name in made})
    assert put_into(after, made) == after
    assert "| s, 95 % | 80 GPU-s, 96.0 % | 0.80 (0.80-0.80) |" in after


def test_a_page_without_the_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="no part <!-- figures"):
        put_into("# A page\n", parts(compared()))


def test_the_documentation_has_the_parts() -> None:
    page = (REPOSITORY / "docs" / "use" / "scaling-compared.md").read_text()
    assert "| s, 95 % |" in put_into(page, parts(compared()))


def test_what_was_not_run_is_told_with_its_reason() -> None:
    not_run = {
        "a, 30 s": "no time was left",
        "b, 30 s": "no time was left",
        "KEDA": "not asked for",
    }
    text = parts(compared(not_run=not_run))["figures"]
    assert "Not run (no time was left): a, 30 s; b, 30 s." in text
    assert "Not run (not asked for): KEDA." in text
    assert text.startswith("20 seeds; 2 cells of 1 of the 18 scenarios, and 0 of the 8 trials")


def test_nothing_compared_is_told() -> None:
    nothing = Compared([], [], figures([]), 20, [], 18, 8)
    assert "Nothing was compared." in parts(nothing)["figures"]


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
