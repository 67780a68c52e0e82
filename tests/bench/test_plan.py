"""The pure parts of `make bench-plan`: the fleet, the rows, the lines, the table."""

from typing import Any

import pytest
from e2e.bench.plan.fleet import MODELS, PRODUCTS, snapshot
from e2e.bench.plan.lines import GOALS, lines, ratios, table
from e2e.bench.plan.rows import ROWS, run
from e2e.bench.plan.words import word


def sample(seconds: float, megabytes: float = 90.0) -> dict[str, float]:
    return {"seconds": seconds, "megabytes": megabytes}


def test_the_fleet_is_the_same_in_every_process_and_seventy_percent_full() -> None:
    seen = snapshot(50, 2000)
    assert seen == snapshot(50, 2000)
    taken = sum(one.gpus_foreign for one in seen.nodes)
    whole = sum(one.gpus for one in seen.nodes)
    assert 0.68 < taken / whole < 0.72
    assert {one.product for one in seen.nodes} == {one.name for one in PRODUCTS}
    assert {one.gpus - one.gpus_foreign for one in seen.nodes} >= set(range(7))
    assert len({model for one in seen.nodes for model in one.verified}) == MODELS


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_planned(row: str) -> None:
    found = run(row, 20, 60)
    assert found["seconds"] > 0
    assert found["megabytes"] > 10
    assert 0 < found["placed"] <= found["replicas"]


def test_a_standing_fleet_has_nothing_left_to_do() -> None:
    stood: Any = ROWS["standing"](snapshot(30, 100)).seen
    plan = word("plan_fleet")(stood)
    for one in stood.deployments:
        slots = {slot.slot: slot.node for slot in plan.deployments[one.key].slots}
        assert all(slots[replica.slot] == replica.node for replica in one.replicas)
        assert all(state.state == "Verified" for state in plan.deployments[one.key].weights)
    assert plan.nodes == {one.name: one.wanted for one in stood.nodes}


def test_an_edit_and_lost_nodes_change_the_standing_fleet_in_that_alone() -> None:
    seen = snapshot(30, 100)
    stood: Any = ROWS["standing"](seen).seen
    edited, last = ROWS["changed"](seen)
    pairs = zip(stood.deployments, edited.deployments, strict=True)
    assert [one != other for one, other in pairs].count(True) == 1
    assert edited.nodes == stood.nodes
    assert last.plan.made_for == stood
    assert word("replan")(edited, last).plan == word("plan_fleet")(edited)
    left: Any = ROWS["vanished"](seen).seen
    assert left.deployments == stood.deployments
    assert 0 < len(stood.nodes) - len(left.nodes) < 20


def test_a_word_that_no_build_has_is_refused() -> None:
    with pytest.raises(KeyError):
        word("nothing")


def test_a_line_is_the_median_of_its_runs_and_memory_the_most_of_all() -> None:
    rows = {row: [sample(0.3), sample(0.1, 95.0), sample(0.2)] for row in GOALS}
    found = {one.key: one for one in lines(rows)}
    assert (found["cold"].least, found["cold"].middle) == (0.1, 0.2)
    assert found["cold"].met
    assert not found["changed"].met
    assert found["memory"].middle == 95.0
    assert found["memory"].met


def test_only_the_ratio_to_the_first_build_before_has_a_goal() -> None:
    this = [sample(1.0), sample(3.0)]
    before = {"abc": [sample(10.0), sample(10.0)], "def": [sample(2.0), sample(2.0)]}
    found = {one.key: one for one in ratios(this, before)}
    assert found["over-abc"].middle == pytest.approx(0.2)
    assert not found["over-abc"].met
    assert found["over-def"].goal is None
    assert found["over-def"].as_json()["met"] is None


def test_the_table_is_eighty_columns_wide_at_most() -> None:
    rows = {row: [sample(1234.5, 9999.0)] for row in GOALS}
    found = [*lines(rows), *ratios([sample(1234.5)], {"9ee30e7bb": [sample(4321.0)]})]
    shown = table(found).splitlines()
    assert max(map(len, shown)) <= 80
    assert any(line.startswith("cold pass") and line.endswith("NO") for line in shown)
