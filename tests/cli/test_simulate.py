"""`escadre simulate`: what it answers without a cluster, and what it refuses, by line and field."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.harness import Program, Ran, check_golden
from tests.cli.world import deployment

Json = dict[str, Any]
MODEL = "mistral-small-3-2-24b-instruct-2506"
HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"


def simulate(*arguments: str) -> Ran:
    program = Program()
    ran = program.run("simulate", *arguments)
    assert program.targets == [], "no cluster is asked"
    return ran


def log(folder: Path, *lines: str, header: str = HEADER) -> str:
    path = folder / "log.csv"
    path.write_text("\r\n".join([header, *lines]))
    return str(path)


def busy(folder: Path) -> str:
    """Five minutes of four requests a second, then 15 of one in ten seconds."""
    times = [*(number / 4 for number in range(1200)), *(300 + 10 * n for n in range(90))]
    return log(
        folder, *(f"{at},1155,211" for at in times), header="time,prompt_tokens,completion_tokens"
    )


def wish(folder: Path, *names: str, **spec: Any) -> str:
    path = folder / "wish.yaml"
    bodies = [deployment(name) for name in names]
    for body in bodies:
        del body["status"]
        body["spec"] |= {"approval": MODEL, **spec}
    path.write_text(yaml.safe_dump_all(bodies))
    return str(path)


def test_a_log_as_it_is_printed(tmp_path: Path) -> None:
    path = wish(
        tmp_path, "chat", scaling={"minReplicas": 1, "maxReplicas": 4, "targetQueueDepth": 12}
    )
    ran = simulate("--trace", busy(tmp_path), "--deployment", path)
    assert (ran.code, ran.err) == (0, "")
    check_golden("simulate", ran.out)


def test_the_service_level_is_told(tmp_path: Path) -> None:
    level = {"timeToFirstTokenSeconds": 3, "interTokenLatencyMilliseconds": 70, "percentile": 57}
    path = wish(tmp_path, "chat", scaling={"maxReplicas": 4}, serviceLevel=level)
    given = ("--trace", busy(tmp_path), "--deployment", path)
    assert "service level 3 s and 0.07 s for 57 %," in " ".join(simulate(*given).out.split())
    told: Json = json.loads(simulate(*given, "-o", "json").out)["deployment"]
    assert (told["serviceLevel"], told["targetQueueDepth"]) == (level, None)


def test_schedules_are_said_not_to_be_played(tmp_path: Path) -> None:
    window = {"cron": "0 8 * * *", "timeZone": "UTC", "duration": "10h", "minReplicas": 2}
    path = wish(tmp_path, "chat", scaling={"maxReplicas": 4, "schedules": [window]})
    ran = simulate("--trace", busy(tmp_path), "--deployment", path)
    assert ran.code == 0
    assert "Its schedules are not played" in " ".join(ran.out.split())


def test_people_as_it_is_printed() -> None:
    ran = simulate("--users", "10000", "--profile", MODEL)
    assert (ran.code, ran.err) == (0, "")
    check_golden("simulate-users", ran.out)
    page = Path(__file__).parents[2] / "docs" / "use" / "simulate.md"
    assert ran.out.partition("\n\nNote")[0] in page.read_text(), "the page shows it"


def test_the_document_of_a_log(tmp_path: Path) -> None:
    ran = simulate(
        "--trace", busy(tmp_path), "--profile", MODEL, "--max-replicas", "2", "-o", "json"
    )
    found: Json = json.loads(ran.out)
    assert found["requests"] == 1290
    assert found["deployment"]["maxReplicas"] == 2
    assert found["mostReplicas"] <= 2
    assert set(found["firstTokenSeconds"]) == {"p50", "p95", "p99"}
    assert 0 <= found["attained"] <= 1
    again = simulate(
        "--trace", busy(tmp_path), "--profile", MODEL, "--max-replicas", "2", "-o", "json"
    )
    assert again.out == ran.out


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
    found: Json = json.loads(simulate(*given, "-o", "json").out)
    course = found["course"]
    assert len(course) <= 400
    assert course[-1]["seconds"] <= found["seconds"]
    assert max(one["ready"] for one in course) == found["mostReplicas"]


def test_people_have_no_course() -> None:
    ran = simulate("--users", "10", "--profile", MODEL, "-o", "svg")
    assert (ran.code, "-o svg draws the course of a log" in ran.err) == (2, True)


def test_more_replicas_and_more_copies_are_played(tmp_path: Path) -> None:
    given = ("--trace", busy(tmp_path), "--profile", MODEL, "-o", "json")
    once: Json = json.loads(simulate(*given).out)
    thrice: Json = json.loads(simulate(*given, "--scale", "3", "--cold-start", "30").out)
    assert thrice["requests"] == 3 * once["requests"]
    assert thrice["gpuSeconds"] > once["gpuSeconds"]
    assert thrice["coldStartSeconds"] == 30


def test_the_document_of_people() -> None:
    ran = simulate("--users", "10000", "--profile", MODEL, "--requests-per-day", "20", "-o", "json")
    found: Json = json.loads(ran.out)
    assert [one["use"] for one in found["uses"]] == ["chat", "code", "documents"]
    for one in found["uses"]:
        assert one["requestsPerDay"] == 20
        low, high = one["replicas"]
        assert 1 <= low <= high == one["gpus"][1]
        assert one["nodes"][1] == -(-high // 8)


def test_people_have_the_deployments_service_level_but_for_what_is_given(tmp_path: Path) -> None:
    level = {"timeToFirstTokenSeconds": 3, "interTokenLatencyMilliseconds": 70, "percentile": 57}
    given = ("--users", "1000", "--deployment", wish(tmp_path, "chat", serviceLevel=level))
    said = "57 % of requests with the first token in 3 s and then one each 0.07 s"
    assert said in " ".join(simulate(*given).out.split())
    told: Json = json.loads(simulate(*given, "--percentile", "99", "-o", "json").out)
    assert told["objective"] == {
        "firstTokenSeconds": 3.0,
        "betweenTokensSeconds": 0.07,
        "percentile": 99,
    }


def test_a_use_that_misses_the_objective_is_said() -> None:
    ran = simulate("--users", "10", "--profile", MODEL, "--ttft", "0.001", "-o", "json")
    assert [one["replicas"] for one in json.loads(ran.out)["uses"]] == [None, None, None]
    assert simulate("--users", "10", "--profile", MODEL, "--ttft", "0.001").out.count("misses") == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("noon,1,1", "line 3: TIMESTAMP: 'noon' is given; seconds are meant"),
        ("nan,1,1", "line 3: TIMESTAMP: 'nan' is given"),
        ("2023-13-01 00:00:00,1,1", "line 3: TIMESTAMP: '2023-13-01 00:00:00' is given"),
        ("1,0,1", "line 3: ContextTokens: '0' is given; a whole number from 1 to 10,000,000"),
        ("1,-4,1", "line 3: ContextTokens: '-4' is given"),
        ("1,1,1.5", "line 3: GeneratedTokens: '1.5' is given"),
        ("1,1,99999999999", "line 3: GeneratedTokens: '99999999999' is given"),
        ("1,1,", "line 3: GeneratedTokens: '' is given"),
        ("1,1", "line 3: GeneratedTokens is missing: the line is shorter than the header"),
        ('1,1,"1', "line 3: not CSV"),
        ("99999999999,1,1", "TIMESTAMP: 1,157,407 days between the first and the last request"),
    ],
)
def test_a_wrong_line_is_named_with_its_field(tmp_path: Path, line: str, said: str) -> None:
    ran = simulate("--trace", log(tmp_path, "0,1,1", line), "--profile", MODEL)
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("when,ContextTokens,GeneratedTokens", "line 1: no column TIMESTAMP, arrived_at,"),
        (
            "TIMESTAMP,time,ContextTokens,GeneratedTokens",
            "line 1: TIMESTAMP and time are both given",
        ),
        ("TIMESTAMP,GeneratedTokens", "line 1: no column ContextTokens,"),
        ("", "line 1: no column"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, header: str, said: str) -> None:
    ran = simulate("--trace", log(tmp_path, "0,1,1", header=header), "--profile", MODEL)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_files_that_are_no_logs(tmp_path: Path) -> None:
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(b"\x1f\x8b\x08\x00\xff\xfe")
    assert "gunzip -c" in simulate("--trace", str(packed), "--profile", MODEL).err
    assert "No such file" in simulate("--trace", "/nowhere/log.csv", "--profile", MODEL).err
    assert "no request" in simulate("--trace", log(tmp_path), "--profile", MODEL).err


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
        (("--users", "1", "--profile", "gpt-9"), "--profile gpt-9: no layout is planned for it"),
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


def test_fewer_replicas_than_always_run(tmp_path: Path) -> None:
    path = wish(tmp_path, "chat", scaling={"minReplicas": 3, "maxReplicas": 4})
    ran = simulate("--trace", busy(tmp_path), "--deployment", path, "--max-replicas", "2")
    assert "--max-replicas 2: minReplicas is 3" in ran.err


def test_a_log_too_large_with_its_copies(tmp_path: Path) -> None:
    lines = [f"{number},10,1" for number in range(5001)]
    ran = simulate("--trace", log(tmp_path, *lines), "--profile", MODEL, "--scale", "1000")
    assert "--scale 1000: 1000 times 5,001 requests are more than 5,000,000" in ran.err
