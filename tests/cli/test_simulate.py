"""`escadre simulate --trace`: what it answers without a cluster, and what it refuses."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.cli.harness import check_golden
from tests.cli.simulating import MODEL, busy, check_page, log, simulate, wish

from escadre.cli.simulate import command

Json = dict[str, Any]
WINDOW = {"cron": "0 8 * * *", "timeZone": "UTC", "duration": "10h", "minReplicas": 2}


def document(*arguments: str) -> Json:
    ran = simulate(*arguments, "-o", "json")
    assert (ran.code, ran.err) == (0, "")
    found: Json = json.loads(ran.out)
    return found


def test_a_log_as_it_is_printed(tmp_path: Path) -> None:
    path = wish(
        tmp_path, "chat", scaling={"minReplicas": 1, "maxReplicas": 4, "targetQueueDepth": 12}
    )
    ran = simulate("--trace", busy(tmp_path), "--deployment", path)
    assert (ran.code, ran.err) == (0, "")
    check_golden("simulate", ran.out)
    facts = ran.out.partition("Note:")[0].splitlines()
    assert max(map(len, facts)) <= 80


def test_a_log_as_the_page_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    packed = root / "e2e" / "bench" / "autoscale" / "data" / "azure-2023-code.csv.gz"
    (tmp_path / "code.csv").write_bytes(gzip.decompress(packed.read_bytes()))
    wishes = sorted((root / "examples" / "bank").glob("[12]-*.yaml"))
    (tmp_path / "assistant.yaml").write_text("".join(one.read_text() for one in wishes))
    monkeypatch.chdir(tmp_path)
    check_page("--trace", "code.csv", "--deployment", "assistant.yaml")


def test_schedules_are_said_not_to_be_played(tmp_path: Path) -> None:
    path = wish(tmp_path, "chat", scaling={"maxReplicas": 4, "schedules": [WINDOW]})
    ran = simulate("--trace", busy(tmp_path), "--deployment", path)
    assert ran.code == 0
    assert "Its schedules are not played" in " ".join(ran.out.split())


def test_the_document_of_a_log(tmp_path: Path) -> None:
    given = ("--trace", busy(tmp_path), "--profile", MODEL, "--max-replicas", "2")
    found = document(*given)
    assert found["requests"] == 1290
    assert found["deployment"]["maxReplicas"] == 2
    assert found["mostReplicas"] <= 2
    assert set(found["firstTokenSeconds"]) == {"p50", "p95", "p99"}
    assert 0 <= found["attained"] <= 1
    assert found["loads"] >= found["wastedLoads"] + found["unfinishedLoads"]
    assert document(*given) == found


def test_the_document_says_what_was_simulated(tmp_path: Path) -> None:
    level = {**LEVEL, "timeToFirstTokenSeconds": 4}
    path = wish(tmp_path, "chat", serviceLevel=level, scaling={"maxReplicas": 4})
    trace = log(tmp_path, "0,10,5", "40,10,5")
    found = document("--trace", trace, "--deployment", path, "--scale", "3", "--nodes", "4 x L40S")
    assert (found["trace"], found["scale"], found["nodes"]) == (trace, 3, "4 x L40S")
    told = found["deployment"]
    assert (told["name"], told["approval"]) == ("chat/chat", MODEL)
    assert told["model"] == "mistralai/Mistral-Small-3.2-24B-Instruct-2506"
    assert told["serviceLevel"] == level
    assert told["targetQueueDepth"] is None
    assert told["layout"].endswith("L40S tp2")


def test_the_course_is_drawn(tmp_path: Path) -> None:
    """Four minutes of a burst, then it is quiet: bars of 80 characters, and the same as SVG."""
    given = ("--trace", busy(tmp_path), "--profile", MODEL, "--max-replicas", "4")
    table = simulate(*given).out.partition("the most of each")[2].partition("Note")[0]
    rows = [line for line in table.splitlines()[1:] if line.strip()]
    assert [row.split()[0] for row in rows] == ["requests", "ready", "loading"]
    assert all(len(row) <= 80 for row in rows)
    drawn = simulate(*given, "-o", "svg").out
    assert drawn.startswith("<svg ")
    assert drawn.endswith("</svg>\n")
    assert all(f">{name}</text>" in drawn for name in ("ready", "loading", "draining", "wanted"))
    course = (found := document(*given))["course"]
    assert len(course) <= 400
    assert course[-1]["seconds"] <= found["seconds"]
    assert max(one["ready"] for one in course) == found["mostReplicas"]


@pytest.mark.parametrize("requests", [1, 3, 7, 30])
def test_an_axis_of_counts_has_whole_numbers(tmp_path: Path, requests: int) -> None:
    lines = [f"{number / 100},1000,500" for number in range(requests)]
    given = ("--trace", log(tmp_path, *lines), "--profile", MODEL, "-o", "svg")
    ticks = re.findall(r'text-anchor="end">([^<]*)</text>', simulate(*given).out)
    assert len(ticks) == 6
    for bottom, middle, top in (ticks[:3], ticks[3:]):
        assert (int(bottom), 2 * int(middle)) == (0, int(top))
    assert int(ticks[2]) - 2 < requests <= int(ticks[2])


def test_more_replicas_and_more_copies_are_played(tmp_path: Path) -> None:
    given = ("--trace", busy(tmp_path), "--profile", MODEL)
    once = document(*given)
    thrice = document(*given, "--scale", "3", "--cold-start", "30")
    assert thrice["requests"] == 3 * once["requests"]
    assert thrice["gpuSeconds"] > once["gpuSeconds"]
    assert thrice["coldStartSeconds"] == 30


LEVEL = {"timeToFirstTokenSeconds": 3, "interTokenLatencyMilliseconds": 70, "percentile": 57}


def test_the_service_level_is_told(tmp_path: Path) -> None:
    path = wish(tmp_path, "chat", scaling={"maxReplicas": 4}, serviceLevel=LEVEL)
    given = ("--trace", busy(tmp_path), "--deployment", path)
    assert "1 to 4 replicas by serviceLevel 3 s and 0.07 s for 57 %\n" in simulate(*given).out
    told = document(*given)["deployment"]
    assert (told["serviceLevel"], told["targetQueueDepth"]) == (LEVEL, None)


ONE = {"timeToFirstTokenSeconds": 3}


@pytest.mark.parametrize(
    ("level", "options", "objective", "note"),
    [
        pytest.param(None, (), (2, 0.2), "The objective is the default of serviceLevel.", id="no"),
        pytest.param(LEVEL, (), (3, 0.07), "is the deployment's serviceLevel.", id="all"),
        pytest.param(
            ONE,
            (),
            (3, 0.2),
            "is the deployment's serviceLevel for the first token, the default of serviceLevel for "
            "that between tokens.",
            id="one",
        ),
        pytest.param(
            LEVEL,
            ("--ttft", "9"),
            (9, 0.07),
            "is --ttft for the first token, the deployment's serviceLevel for that between tokens.",
            id="an option wins",
        ),
    ],
)
def test_the_objective_is_what_the_deployment_promises(
    tmp_path: Path,
    level: Json | None,
    options: tuple[str, ...],
    objective: tuple[float, float],
    note: str,
) -> None:
    path = wish(tmp_path, "chat", **({"serviceLevel": level} if level else {}))
    trace = log(tmp_path, "0,10,5", "40,10,5")
    found = document("--trace", trace, "--deployment", path, *options)
    told = found["objective"]
    assert (told["firstTokenSeconds"], told["betweenTokensSeconds"]) == objective
    assert any(one.endswith(note) for one in found["notes"]), found["notes"]


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        (1, "Of 1 request the slowest one is p50, p95 and p99; play a longer log."),
        (3, "Of 3 requests the slowest one is p95 and p99;"),
        (60, "Of 60 requests the slowest one is p99;"),
        (100, ""),
    ],
)
def test_a_percentile_of_few_requests_is_said_to_be_none(
    tmp_path: Path, requests: int, said: str
) -> None:
    trace = log(tmp_path, *(f"{number},100,5" for number in range(requests)))
    ran = simulate("--trace", trace, "--profile", MODEL)
    assert ran.code == 0
    assert said in ran.out
    assert ("the slowest" in ran.out) == bool(said)
    assert "each 0 s" not in ran.out
    assert "in 0 s" not in ran.out


def test_a_log_of_which_all_is_refused(tmp_path: Path) -> None:
    """Nothing was served; the replicas stood there all the same."""
    given = ("--trace", log(tmp_path, "0,40000,1", "600,1,40000"), "--profile", MODEL)
    ran = simulate(*given)
    assert ran.code == 0
    assert "No request was played, so nothing says how it serves. 2 of 2 requests were" in ran.out
    assert "longer than the context of 32,768 tokens or the cache of" in ran.out
    found = document(*given)
    assert (found["requests"], found["refused"], found["attained"]) == (0, 2, None)
    assert (found["seconds"], found["gpuSeconds"]) == (600, 600)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--profile", MODEL), "give the requests as --trace or as --users"),
        (("--trace", "a", "--users", "1", "--profile", MODEL), "as --trace or as --users"),
        (("--users", "1"), "give the replicas as --deployment or as --profile"),
        (("--users", "1", "--profile", MODEL, "--scale", "2"), "--scale 2: it says something of"),
        (("--trace", "a", "--profile", MODEL, "--requests-per-day", "2"), "--requests-per-day 2"),
        (("--trace", "a", "--profile", MODEL, "--percentile", "99"), "--percentile 99: it says"),
        (("--trace", "a", "--profile", MODEL, "--routing", "best"), "--routing best: random or"),
        (("--trace", "-", "--deployment", "-"), "--trace - and --deployment -: stdin is one file"),
        (("--users", "1", "--profile", "gpt-9"), "--profile gpt-9: no model of the catalog is"),
        (("--users", "1", "--profile", "gpt-9"), "is called so; escadre catalog list has all"),
        (("--users", "1", "--profile", "small"), "--profile small means "),
        (("--users", "1", "--profile", "mistral-smal"), "near it: mistral-small-"),
        (("--trace", "a", "--trace", "b", "--profile", MODEL), "--trace is given 2 times; once"),
        (("--users", "1", *3 * ("--nodes", "a"), "--profile", MODEL), "--nodes is given 3 times"),
        (("--trace", "-", "--deployment", "a", "--deployment", "-"), "stdin is one file, not two"),
        (("--users", "1", "--profile", MODEL, "--nodes", "1 x 1 x H900"), "H900"),
    ],
)
def test_what_does_not_go_together(arguments: tuple[str, ...], said: str) -> None:
    ran = simulate(*arguments)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_a_model_that_the_nodes_do_not_hold() -> None:
    ran = simulate("--users", "1", "--profile", "mistral-medium-3-5-128b", "--nodes", "1 x 1 x L4")
    assert ran.code == 2
    assert "no layout is planned for it on 1 x 1 x L4" in ran.err


def test_one_deployment_is_meant(tmp_path: Path) -> None:
    ran = simulate("--users", "1", "--deployment", wish(tmp_path, "a", "b"))
    assert "2 ModelDeployments are in it; one is meant" in ran.err


def test_a_deployment_and_its_approval_may_be_in_two_files(tmp_path: Path) -> None:
    bank = Path(__file__).parents[2] / "examples" / "bank"
    approvals, assistant = (str(one) for one in sorted(bank.glob("[12]-*.yaml")))
    trace = log(tmp_path, "0,10,5")
    given = ("--deployment", assistant, "--deployment", approvals)
    assert document("--trace", trace, *given)["deployment"]["approval"]
    ran = simulate("--trace", trace, *given, "--deployment", str(tmp_path / "nowhere.yaml"))
    assert (ran.code, "nowhere.yaml does not exist" in ran.err) == (3, True)


@pytest.mark.parametrize(
    ("scaling", "said"),
    [
        ({"minReplicas": 3}, "spec.scaling.minReplicas 3 is more than maxReplicas 2; raise"),
        ({"spareReplicas": 2}, "spec.scaling.spareReplicas 2 leaves nothing of maxReplicas 2"),
        (
            {"schedules": [WINDOW | {"minReplicas": 4}]},
            "spec.scaling.schedules[0].minReplicas 4 is more than maxReplicas 2",
        ),
    ],
)
def test_max_replicas_is_held_to_what_the_spec_is_held_to(
    tmp_path: Path, scaling: Json, said: str
) -> None:
    path = wish(tmp_path, "chat", scaling={"maxReplicas": 4, **scaling})
    ran = simulate("--trace", busy(tmp_path), "--deployment", path, "--max-replicas", "2")
    assert (ran.code, f"--max-replicas 2: {said}" in ran.err) == (2, True), ran.err


def test_copies_of_one_moment_have_none_to_begin_at(tmp_path: Path) -> None:
    trace = log(tmp_path, "5,10,1", "5,10,1")
    ran = simulate("--trace", trace, "--profile", MODEL, "--scale", "3")
    assert (ran.code, "--scale 3: all requests of the log come at one moment" in ran.err) == (
        2,
        True,
    )


def test_a_log_of_many_days_says_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_LONG", 600.0)
    ran = simulate("--trace", log(tmp_path, "0,10,1", "864,10,1"), "--profile", MODEL)
    assert ran.code == 0
    assert ran.err.startswith(
        "escadre: 0 days of log (its numbers are read as seconds) take a core"
    )
    monkeypatch.setattr(command, "_LONG", 864.0)
    assert not simulate("--trace", log(tmp_path, "0,10,1", "864,10,1"), "--profile", MODEL).err


@pytest.mark.parametrize("level", [{"interTokenLatencyMilliseconds": 1}, {"percentile": 50}])
def test_a_level_that_no_number_of_replicas_keeps_is_said(tmp_path: Path, level: Json) -> None:
    path = wish(tmp_path, "chat", scaling={"maxReplicas": 4}, serviceLevel=level)
    notes = document("--trace", log(tmp_path, "0,10,1"), "--deployment", path)["notes"]
    out = [one for one in notes if "out of reach with any number of replicas" in one]
    assert bool(out) is ("percentile" not in level), notes
    assert all(one.startswith("serviceLevel: first token in 2 s and 1 ms between") for one in out)


def test_requests_that_wait_for_a_target_beyond_the_batch_are_said(tmp_path: Path) -> None:
    trace = log(tmp_path, "0,10,1")
    said = "chat/chat: targetQueueDepth 33 is more than the 32 requests that a replica runs at once"
    for target, there in ((32, False), (33, True)):
        path = wish(tmp_path, "chat", scaling={"targetQueueDepth": target})
        notes = document("--trace", trace, "--deployment", path)["notes"]
        assert any(one.startswith(said) for one in notes) is there, notes


@pytest.mark.parametrize("width", [30, 40, 62, 80])
def test_bars_show_the_whole_time_on_any_terminal(tmp_path: Path, width: int) -> None:
    ran = simulate("--trace", busy(tmp_path), "--profile", MODEL, width=width)
    (row,) = [one for one in ran.out.splitlines() if re.match("requests +[▁-█]", one)]
    assert len(row) <= width
    bars = row.split()[1]
    assert bars[0] in "▅▆▇█", "the four requests a second of the beginning"
    assert bars[-1] in "▁▂", "one in ten seconds at the end"


def test_a_log_too_large_with_its_copies(tmp_path: Path) -> None:
    lines = [f"{number},10,1" for number in range(5001)]
    ran = simulate("--trace", log(tmp_path, *lines), "--profile", MODEL, "--scale", "1000")
    assert "--scale 1000: 1000 times 5,001 requests are more than 5,000,000" in ran.err
