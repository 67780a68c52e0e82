"""Which results of the benchmark of scaling hold, in which order it works, and when it begins."""

import ast
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.bench.autoscale import digests, units
from e2e.bench.autoscale.contenders import CONTENDERS
from e2e.bench.autoscale.digests import WORLD, digest_of
from e2e.bench.autoscale.order import Pace, expected, ordered
from e2e.bench.autoscale.scenarios import cells, trials
from e2e.bench.autoscale.units import Unit, Work
from e2e.cluster.config import REPOSITORY

BY_NAME = {one.name: one for one in CONTENDERS}


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with all that digests are of, to change it."""
    for path in {*WORLD, *(path for one in CONTENDERS for path in one.code)}:
        for one in digests._files(REPOSITORY / path):
            to = tmp_path / one.relative_to(REPOSITORY)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(one.read_bytes())
    monkeypatch.setattr(digests, "REPOSITORY", tmp_path)
    digests._digest.cache_clear()
    yield tmp_path
    digests._digest.cache_clear()


ALL = frozenset(BY_NAME)
OURS = frozenset({"escadre", "escadre, fixed target"})
PEERS = frozenset({"HPA, AverageValue", "HPA, Value", "KEDA", "KPA", "WVA V2"})


@pytest.mark.parametrize(
    ("path", "more", "void"),
    [
        ("operator/escadre/core/scaling/policy.py", "_MORE = 1", OURS),
        ("operator/escadre/core/scaling/policy.py", "# a comment", frozenset()),
        ("operator/escadre/core/scaling/telling.py", "_MORE = 1", frozenset()),
        ("operator/escadre/core/scaling/demand.py", "_MORE = 1", ALL),
        ("operator/escadre/core/simulation/engine.py", "_MORE = 1", ALL),
        ("operator/escadre/core/simulation/sizing.py", "_MORE = 1", frozenset()),
        ("e2e/bench/autoscale/ours.py", "_MORE = 1", OURS),
        ("e2e/bench/autoscale/before.py", "_MORE = 1", {"0.1.0"}),
        ("e2e/bench/autoscale/peers/wva.py", "_MORE = 1", PEERS),
        ("e2e/bench/autoscale/peers/go/kpa.go", "// a comment", PEERS),
        ("e2e/bench/autoscale/peered.py", "_MORE = 1", PEERS | {"static"}),
        ("e2e/bench/autoscale/traces.py", "_MORE = 1", ALL),
        ("e2e/bench/autoscale/data/azure-2023-code.csv.gz", "", ALL),
    ],
)
def test_a_change_makes_void_what_rests_on_it(
    copy: Path, path: str, more: str, void: frozenset[str]
) -> None:
    before = {name: digest_of(one) for name, one in BY_NAME.items()}
    file = copy / path
    if file.exists():
        file.write_bytes(file.read_bytes() + f"\n{more}\n".encode())
    digests._digest.cache_clear()
    changed = {name for name, one in BY_NAME.items() if digest_of(one) != before[name]}
    assert changed == void


def test_another_space_of_settings_makes_void_what_was_drawn_from_it() -> None:
    one = BY_NAME["escadre"]
    other = replace(one, space={"minReplicas": (1, 2)})
    assert digest_of(replace(one)) == digest_of(one) != digest_of(other)


# What those files take from elsewhere and what is data alone: nothing there decides anything.
DATA = frozenset(
    {
        "escadre.core.engines.speed",
        "escadre.core.engines.windows",
        "escadre.core.replicas.drain",
        "escadre.core.replicas.relief",
        "escadre.core.replicas.rollout",
        "escadre.core.scaling.policy",
        "escadre.core.scaling.service",
        "escadre.core.scaling.step",
    }
)


def test_the_world_is_all_that_the_simulation_is_made_of() -> None:
    """Each module of the project that it imports is in it, or is known to be data alone."""
    files = [one for path in WORLD for one in digests._files(REPOSITORY / path)]
    inside = {_module(one) for one in files}
    taken = {name for one in files if one.suffix == ".py" for name in _imports(one)}
    assert taken - inside <= DATA


def _module(path: Path) -> str:
    name = path.relative_to(REPOSITORY).with_suffix("").as_posix()
    return name.removeprefix("operator/").replace("/", ".")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("escadre", "e2e")):
            yield node.module or ""


def test_the_longest_scenario_is_first_and_in_it_the_longest_unit() -> None:
    every = [
        Unit(scenario.name, one.name, 20)
        for scenario in (*cells(), *trials())
        for one in CONTENDERS
    ]
    groups = ordered(every)
    assert sum(map(len, groups)) == len(every)
    assert all(len({one.scenario for one in group}) == 1 for group in groups)
    times = [[expected(one) for one in group] for group in groups]
    assert [sum(one) for one in times] == sorted((sum(one) for one in times), reverse=True)
    assert all(one == sorted(one, reverse=True) for one in times)
    assert max(times[-1]) < 0.01 * sum(map(sum, times)), "nobody is waited for at the end"


def test_a_pace_is_what_the_run_itself_shows() -> None:
    pace = Pace(2)
    assert pace.through_at(0.0, [10.0, 6.0]) == 10.0
    assert pace.through_at(0.0, [10.0, 6.0, 8.0]) == 12.0
    pace.done = 20.0  # in 30 seconds on two processes: three times as slow
    assert pace.through_at(30.0, [2.0, 2.0]) == 30.0 + 3 * 2.0
    assert pace.through_at(30.0, []) == 30.0


class Clock:
    """Goes on by what a unit is expected to take on one of two processes, with each that ends."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


SCENARIOS = ("code x4, 30 s", "bursty, 30 s", "code, 30 s")
NAMES = ("escadre", "KPA", "static")
UNITS = [Unit(scenario, name, 8) for scenario in SCENARIOS for name in NAMES]


def worked(
    monkeypatch: pytest.MonkeyPatch, folder: Path, seconds: float, fails: str = ""
) -> tuple[list[Unit], Work]:
    clock, begun = Clock(), list[Unit]()

    def run(unit: Unit) -> float:
        if unit.contender == fails:
            raise RuntimeError("it broke")
        begun.append(unit)
        clock.now += expected(unit)
        return 1.0

    monkeypatch.setattr(units, "FOLDER", folder)
    monkeypatch.setattr(Unit, "run", run)
    said: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        work = Work(pool, 1, seconds, said.append, clock)
        work.through(UNITS)
    assert len(said) == 1 + len(begun) + len(work.failed)
    return begun, work


def test_all_is_done_where_there_is_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun, work = worked(monkeypatch, tmp_path, 1e6)
    assert begun == [one for group in ordered(UNITS) for one in group]
    assert (work.late, work.failed) == ([], {})


@pytest.mark.parametrize(
    ("missing", "whole"),
    [
        ((), SCENARIOS),
        (("code, 30 s",), SCENARIOS[:2]),
        (("bursty, 30 s",), (SCENARIOS[0], SCENARIOS[2])),
        (("code x4, 30 s", "bursty, 30 s"), SCENARIOS[2:]),
        (SCENARIOS, ()),
    ],
)
def test_no_scenario_is_begun_that_would_not_end_in_time(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    missing: tuple[str, ...],
    whole: tuple[str, ...],
) -> None:
    """Given the time of some, these are whole; of the others nothing is begun, a smaller fits."""
    room = sum(expected(one) for one in UNITS if one.scenario not in missing)
    begun, work = worked(monkeypatch, tmp_path, room + 0.5 if whole else 1.0)
    assert {one.scenario for one in begun} == set(whole)
    assert len(begun) == len(whole) * len(NAMES)
    assert {one.scenario for one in work.late} == set(missing)


def test_a_unit_that_fails_is_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun, work = worked(monkeypatch, tmp_path, 1e6, fails="KPA")
    assert len(begun) == 6
    assert {unit.contender for unit in work.failed} == {"KPA"}
    assert set(work.failed.values()) == {"it broke"}


@pytest.mark.parametrize(
    ("seeds", "digest", "expected"),
    [
        pytest.param(4, "today's", "further", id="fewer seeds: it goes on"),
        pytest.param(8, "today's", "measured", id="as many: asked for again, it is made again"),
        pytest.param(9, "today's", "measured", id="more seeds: that is another run"),
        pytest.param(4, "before", "measured", id="of other code"),
        pytest.param(None, "", "measured", id="nothing is known"),
    ],
)
def test_a_unit_goes_on_from_what_was_judged_with_fewer_seeds(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    seeds: int | None,
    digest: str,
    expected: str,
) -> None:
    unit = Unit("code, 30 s", "static", 8)
    monkeypatch.setattr(units, "FOLDER", tmp_path)
    monkeypatch.setattr(units, "digest_of", lambda _: "today's")
    monkeypatch.setattr(units, "measure", lambda *_: {"how": "measured"})
    monkeypatch.setattr(units, "further", lambda *_: {"how": "further"})
    if seeds is not None:
        known = {"seeds": seeds, "digest": digest, "cpuSeconds": 40.0}
        unit.path.write_text(json.dumps(known))
    assert unit.run() >= (40.0 if expected == "further" else 0.0)
    found = unit.result()
    assert found is not None
    assert (found["how"], found["seeds"]) == (expected, 8)


PARENT = """
import os, time
from e2e.bench.autoscale.units import workers
if __name__ == "__main__":
    pool = workers(1)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_a_worker_ends_with_the_benchmark_however_that_ends(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        assert select.select([worker], [], [], 30)[0], "it goes on"
        os.close(worker)
