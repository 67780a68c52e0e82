"""The parts of `make bench-demand` that need no cluster: page, rows, history, halves, the table."""

import sys
from pathlib import Path

import pytest
from e2e.bench.demand import rows, switched
from e2e.bench.demand.__main__ import table
from e2e.bench.demand.edits import Half, summary
from e2e.bench.demand.history import Traffic, after, held
from e2e.bench.demand.page import page

from escadre.clients.enginemetrics import scan
from escadre.controller.demand import DemandLoop

COST = {"coreShare": 0.05, "microsecondsEach": 500.0, "decisionsSeconds": 0.02, "failed": 0.0}


def test_an_engine_at_work_counts_on_and_is_as_large_as_a_real_one() -> None:
    first, later = scan(page(3600.0)), scan(page(3660.0))
    assert 49_000 < len(page(3600.0)) < 53_000
    assert first.work is not None
    assert later.work is not None
    assert later.work.answered == (first.work.answered or 0) + 30
    assert later.work.gaps is not None
    assert first.work.gaps is not None
    running = (later.work.gaps.seconds - first.work.gaps.seconds) / 60
    assert running == pytest.approx(2)
    assert {scan(page(3600.0 + second)).running for second in range(4)} == {1, 2, 3}
    assert page(3600.0) == page(3600.9) != page(3601.0)


def test_the_loop_reads_every_engine_and_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "SCRAPE_SECONDS", 0.5)
    found = rows.main("cost", 4, 2, 3)
    assert found["replicas"] == 4
    assert found["failed"] == 0
    assert 0 < found["decisionsSeconds"] < found["coreShare"] * 0.5


def test_the_policy_alone_is_played_for_hours() -> None:
    found = rows.main("history", 20, 2, 120)
    assert 0 < found["decisionsSeconds"] < 1
    assert found["bytesEach"] > 1000


def test_what_is_held_counts_each_object_once_and_no_code() -> None:
    text = "a" * 1000
    assert held(text) == sys.getsizeof(text)
    assert held([text, text]) == held([text]) + 8
    assert held(int) == 0


def half(*waits: float, reading: bool, share: float = 0.1) -> Half:
    return Half(reading, list(waits), share, 1.0)


def test_halves_are_compared_all_together_and_pair_by_pair() -> None:
    found = summary(
        [
            half(0.1, 0.2, reading=True, share=0.3),
            half(0.1, 0.4, reading=False),
            half(0.1, 0.2, reading=False),
            half(0.1, 0.6, reading=True, share=0.3),
        ]
    )
    assert found["edits"] == 4
    assert found["readingP99Seconds"] == 0.6
    assert found["p99Ratio"] == pytest.approx(1.5)
    assert found["p99RatioOfPairs"] == pytest.approx(0.5)
    assert found["readingCoreShare"] - found["aloneCoreShare"] == pytest.approx(0.2)


def test_the_table_has_a_goal_for_each_that_was_set_one() -> None:
    history = {each: {"decisionsSeconds": 0.06, "bytesEach": 9000.0} for each in (1, 500)}
    edits = summary([half(0.1, reading=True), half(0.1, reading=False)])
    lines = {row.name: row for row in table({1: [COST], 10: [COST]}, history, edits)}
    assert lines["share of a core, 1 of a deployment"].met
    assert not lines["the policy alone after 2 h, 500 of a deployment"].met
    assert lines["kept of 5,000 deployments"].value == pytest.approx(45)
    assert not lines["kept of 5,000 deployments"].met
    assert lines["p99, one over the other"].met
    assert len(table({1: [COST]}, history, None)) == 7


async def test_a_silent_operator_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[DemandLoop] = []

    async def once(loop: DemandLoop) -> None:
        rounds.append(loop)

    monkeypatch.setattr(DemandLoop, "once", once)
    monkeypatch.setattr(DemandLoop, "read_new", once)
    monkeypatch.setattr(switched, "escadre", lambda: 7)
    code = switched.main(["switched.py", "operator", "--config", str(tmp_path / "config.yaml")])
    assert code == 7
    loop = object.__new__(DemandLoop)
    (tmp_path / switched.SILENT).touch()
    await loop.once()
    assert rounds == []
    (tmp_path / switched.SILENT).unlink()
    await loop.once()
    assert rounds == [loop]


def test_traffic_moves_every_counter() -> None:
    traffic = Traffic(3)
    first, _ = after(traffic, 1)
    last, seconds = after(traffic, 200, first)
    assert last.decision is not None
    assert last.decision.asked is not None
    assert last.decision.asked.rate is not None
    assert last.decision.asked.rate > 0
    assert seconds > 0
