"""`escadre simulate --users`: how many replicas, GPUs and nodes so many people need, as a range."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.harness import check_golden
from tests.cli.simulating import MODEL, check_page, simulate, wish

from escadre.core.simulation import sizing

Json = dict[str, Any]
WINDOW = {"cron": "0 8 * * *", "timeZone": "UTC", "duration": "10h", "minReplicas": 2}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two short draws: for what is said of the numbers, not for the numbers."""
    monkeypatch.setattr(sizing, "DRAWS", 2)
    monkeypatch.setattr(sizing, "REQUESTS", 200)
    monkeypatch.setattr(sizing, "SECONDS", 10)


def document(*arguments: str) -> Json:
    ran = simulate("--users", *arguments, "-o", "json")
    assert (ran.code, ran.err) == (0, "")
    found: Json = json.loads(ran.out)
    return found


def test_people_as_they_are_printed() -> None:
    ran = check_page("--users", "10000", "--profile", MODEL)
    check_golden("simulate-users", ran.out)
    assert max(map(len, ran.out.partition("Note:")[0].splitlines())) <= 80


@pytest.mark.usefixtures("quick")
def test_people_have_no_course() -> None:
    ran = simulate("--users", "10", "--profile", MODEL, "-o", "svg")
    assert (ran.code, "-o svg draws the course of a log" in ran.err) == (2, True)


@pytest.mark.usefixtures("quick")
def test_the_document_of_people() -> None:
    found = document("10000", "--profile", MODEL, "--requests-per-day", "20", "--seed", "3")
    assert [one["use"] for one in found["uses"]] == ["chat", "code", "documents"]
    for one in found["uses"]:
        assert one["requestsPerDay"] == 20
        low, high = one["replicas"]
        assert 1 <= low <= high == one["gpus"][1]
        assert one["nodes"][1] == -(-high // 8)
        least, most = one["requestsPerSecondOfReplica"]
        assert 0 < least <= most
    assert (found["seed"], found["nodes"]) == (3, "1 x 8 x NVIDIA-H100-80GB-HBM3")
    assert (found["deployment"]["name"], found["deployment"]["approval"]) == (None, MODEL)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("width", [80, 400])
def test_a_line_has_room_for_millions_and_for_a_use_that_misses(width: int) -> None:
    given = ("--users", "6000000", "--profile", MODEL)
    for more in ((), ("--ttft", "0.5"), ("--ttft", "0.001")):
        ran = simulate(*given, *more, width=width)
        lines = ran.out.partition("Note:")[0].splitlines()
        assert max(map(len, lines)) <= 80
        rows = [line.split()[0] for line in lines if line]
        assert rows[-6:] == ["at", "one", "in", "replicas", "GPUs", "nodes"], ran.out


@pytest.mark.usefixtures("quick")
def test_people_have_the_deployments_service_level_but_for_what_is_given(tmp_path: Path) -> None:
    level = {"timeToFirstTokenSeconds": 3, "interTokenLatencyMilliseconds": 70, "percentile": 57}
    given = ("1000", "--deployment", wish(tmp_path, "chat", serviceLevel=level))
    said = "1,000 people; 57 % of requests: first token in 3 s, then one each 0.07 s"
    assert said in simulate("--users", *given).out
    told = document(*given, "--percentile", "99")
    assert told["objective"] == {
        "firstTokenSeconds": 3.0,
        "betweenTokensSeconds": 0.07,
        "percentile": 99,
        "from": {
            "firstToken": "serviceLevel",
            "betweenTokens": "serviceLevel",
            "percentile": "--percentile",
        },
    }
    note = (
        "The objective is the deployment's serviceLevel for the first token and that between "
        "tokens, --percentile for the percentile."
    )
    assert note in told["notes"]


@pytest.mark.usefixtures("quick")
def test_a_use_that_misses_the_objective_is_said() -> None:
    given = ("10", "--profile", MODEL, "--ttft", "0.001")
    missed, held = document(*given)["uses"], document("10", "--profile", MODEL)["uses"]
    assert [one["replicas"] for one in missed] == [None, None, None]
    peaks = [one["peakRequestsPerSecond"] for one in missed]
    assert peaks == [one["peakRequestsPerSecond"] for one in held], "people ask as often"
    told = simulate("--users", *given).out
    assert told.count("fewer than 95 % of requests meet the objective") == 3


@pytest.mark.usefixtures("quick")
def test_a_use_that_is_too_long_is_said(tmp_path: Path) -> None:
    path = wish(tmp_path, "chat", contextLength=8192)
    notes = " ".join(document("10", "--deployment", path)["notes"])
    assert "documents: a mean request has 12,378 tokens, more than the context of 8,192" in notes


@pytest.mark.usefixtures("quick")
def test_what_is_played_cut_to_the_context_is_said(tmp_path: Path) -> None:
    """Half the context is no saving: what people send is refused or needs as many replicas."""
    played = []
    for length in (32768, 16384):
        found = document("10", "--deployment", wish(tmp_path, "chat", contextLength=length))
        chat, _, documents = found["uses"]
        assert (chat["cutShare"], chat["playedPromptTokens"]) == (0, pytest.approx(1155, rel=0.02))
        percent, mean = round(100 * documents["cutShare"]), documents["playedPromptTokens"]
        (note,) = [one for one in found["notes"] if "were played cut to it" in one]
        assert note.startswith(f"documents: {percent} % of its requests are longer than the")
        assert f"so {mean:,} tokens of prompt on the mean" in note
        played.append((percent, mean))
    (few, long), (many, short) = played
    assert 4 <= few <= 10
    assert 20 <= many <= 35
    assert 12_035 > long > short


@pytest.mark.usefixtures("quick")
def test_who_says_how_many_requests_come_is_named() -> None:
    notes = " ".join(document("1", "--profile", MODEL, "--requests-per-day", "1")["notes"])
    assert "chat: 1 request a day of each person, as --requests-per-day says;" in notes
    told = simulate("--users", "1", "--profile", MODEL).out
    assert "1 person; 95 % of requests" in told
    assert "chat: 10 requests a day of each person, an assumption;" in told
    assert "e-05" not in told


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("nodes", "said", "gpus"),
    [
        ("1 x 8 x H100-80GB", "Nodes have 8 GPUs, as --nodes says", (8, 8)),
        ("3 x 4 x H100-80GB", "Nodes have 4 GPUs, as --nodes says", (4, 4)),
        ("1 x 8 x H100-80GB, 2 x 4 x H100-80GB, 9 x 2 x L4", "Nodes have 4 to 8 GPUs", (8, 4)),
    ],
)
def test_nodes_are_those_that_were_given(nodes: str, said: str, gpus: tuple[int, int]) -> None:
    found = document("100000", "--profile", MODEL, "--nodes", nodes)
    assert any(said in note for note in found["notes"])
    for one in found["uses"]:
        expected = [-(-number // per) for number, per in zip(one["gpus"], gpus, strict=True)]
        assert one["nodes"] == expected


@pytest.mark.usefixtures("quick")
def test_what_a_deployment_says_of_its_replicas_is_in_the_numbers(tmp_path: Path) -> None:
    bare = document("10000", "--deployment", wish(tmp_path, "chat"))
    scaling = {"minReplicas": 5, "maxReplicas": 7, "spareReplicas": 2}
    found = document("10000", "--deployment", wish(tmp_path, "chat", scaling=scaling))
    for before, after in zip(bare["uses"], found["uses"], strict=True):
        assert after["replicas"] == [max(5, number + 2) for number in before["replicas"]]
    notes = " ".join(found["notes"])
    assert "chat/chat: minReplicas 5 and spareReplicas 2 are in the numbers." in notes
    most = found["uses"][2]["replicas"][1]
    assert most > 7
    assert f"documents: maxReplicas is 7; up to {most} are needed." in notes
    assert "No replica is spare" not in notes


@pytest.mark.usefixtures("quick")
def test_what_of_a_deployment_has_no_part_in_them_is_named(tmp_path: Path) -> None:
    scaling = {"maxReplicas": 7, "targetQueueDepth": 9, "schedules": [WINDOW]}
    notes = document("10", "--deployment", wish(tmp_path, "chat", scaling=scaling))["notes"]
    assert any("chat/chat: not used here: targetQueueDepth 9 and schedules;" in o for o in notes)
    assert not any("not used" in one for one in document("10", "--profile", MODEL)["notes"])


@pytest.mark.usefixtures("quick")
def test_a_published_model_has_no_more_context_than_it_allows() -> None:
    given = ("10", "--profile", "mistral-7b-v0-1", "--nodes", "1 x 1 x L4")
    assert document(*given)["deployment"]["maxModelLen"] == 8192
