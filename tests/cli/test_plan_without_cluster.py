"""`escadre plan --nodes`: layouts, places, picture and exit codes without asking any cluster."""

import json
import re
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.harness import Program, Ran, check_golden
from tests.cli.world import approval, deployment
from typing_extensions import override

from escadre.names import API_VERSION

Json = dict[str, Any]
NODES = "4 x 8 x H100-80GB, 2 x 4 x L40S"
MIRROR: Json = {
    "apiVersion": API_VERSION,
    "kind": "ModelMirror",
    "metadata": {"name": "internal"},
    "spec": {"type": "http", "url": "https://mirror.bank.example"},
}


def wish(model: str, name: str = "fresh", **spec: Any) -> Json:
    body = deployment(name)
    del body["status"]
    return {**body, "spec": {**body["spec"], "approval": model, **spec}}


SMALL = wish(
    "mistral-small-3-2-24b-instruct-2506", "assistant", scaling={"minReplicas": 2, "maxReplicas": 4}
)
MEDIUM = wish(
    "mistral-medium-3-5-128b", "coder", contextLength=131072, concurrency=None, typicalTokens=None
)


def plan(
    tmp_path: Path, *documents: Json, nodes: str = NODES, more: tuple[str, ...] = (), **given: Any
) -> Ran:
    path = tmp_path / "wish.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    program = Program(**given)
    ran = program.run("plan", "-f", str(path), "--nodes", nodes, *more)
    assert program.targets == [], "no cluster is asked"
    return ran


def document(ran: Ran) -> Json:
    answer: Json = json.loads(ran.out)
    return answer


def test_a_first_look_as_it_is_printed(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, MEDIUM)
    assert (ran.code, ran.err) == (0, "")
    check_golden("plan-nodes", ran.out)


def test_all_that_was_tried(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, more=("-v",))
    assert ran.code == 0
    check_golden("plan-nodes-verbose", ran.out)
    (item,) = document(plan(tmp_path, SMALL, more=("-v", "-o", "json")))["items"]
    assert [each["product"] for each in item["alternatives"]] == ["NVIDIA-L40S"]
    (quiet,) = document(plan(tmp_path, SMALL, more=("-o", "json")))["items"]
    assert quiet["alternatives"] == []


def test_every_refusal_is_told_where_a_status_has_no_room_for_them(tmp_path: Path) -> None:
    cards = ("T4", "A10", "A30", "L4", "L40S", "A100-SXM4-40GB", "H100-NVL", "H200", "B200")
    nodes = ", ".join(f"1 x 8 x {card}" for card in cards)
    big = wish("mistral-large-3-675b-base-2512", contextLength=200000)
    (item,) = document(plan(tmp_path, big, nodes=nodes, more=("-o", "json")))["items"]
    (whole,) = document(plan(tmp_path, big, nodes=nodes, more=("-v", "-o", "json")))["items"]
    assert len(item["rejected"]) <= 32 < len(whole["rejected"])
    assert {each["product"] for each in item["rejected"]} <= {
        each["product"] for each in whole["rejected"]
    }


def test_what_cannot_be_placed_exits_with_1(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, wish("mistral-large-3-675b-instruct-2512", "large"))
    assert ran.code == 1
    assert "NoLayoutFits" in ran.out
    few = plan(tmp_path, MEDIUM, SMALL, nodes="4 x H100-80GB")
    assert few.code == 1
    assert "InsufficientGPUs" in few.out


def test_replicas_that_lack_the_same_have_one_line(tmp_path: Path) -> None:
    many = wish(
        "mistral-small-3-2-24b-instruct-2506", scaling={"minReplicas": 900, "maxReplicas": 900}
    )
    ran = plan(tmp_path, many, nodes="1 x 2 x H100-80GB")
    lines = [line.split()[:4] for line in ran.out.splitlines() if " fresh-" in line]
    assert lines == [
        ["✓", "fresh-0", "h100-1", "1×H100"],
        ["✓", "fresh-1", "h100-1", "1×H100"],
        ["✗", "fresh-2", "-", "1×H100"],
    ]
    assert "898 replicas, 2 to 899: InsufficientGPUs: needs 1 free GPU" in " ".join(ran.out.split())
    page = tmp_path / "plan.html"
    told = plan(tmp_path, many, nodes="1 x 2 x H100-80GB", more=("-o", "json", "--html", str(page)))
    assert len(document(told)["items"][0]["replicas"]) == 900, "each has its own there"
    assert "<p>900 replicas: 2 × h100-1, 898 × nowhere</p>" in page.read_text()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("mistral-large-4-1t-a52b", "no layout is planned for Mistral Large 4: vLLM 0.32 does not"),
        ("small-4", "near it: mistral-small-4-119b-2603, mistral-small-4-119b-2603-nvfp4"),
        ("gpt", "no model of the catalog is called so; escadre catalog list has all"),
        ("mistral-smal-4-119b-2603", "is called so; near it: mistral-small-4-119b-2603, mistral"),
    ],
)
def test_a_model_that_is_not_planned_is_named(tmp_path: Path, model: str, words: str) -> None:
    ran = plan(tmp_path, wish(model))
    assert ran.code == 1
    assert f"✗  approval  ModelApproval {model} is not in the files" in ran.out
    assert words in ran.out


def test_the_approval_of_a_file_wins_over_the_catalog(tmp_path: Path) -> None:
    name = "mistral-small-3-2-24b-instruct-2506"
    body = deepcopy(approval())
    body["metadata"]["name"] = name
    body["spec"]["architecture"]["maxContextLength"] = 16384
    ran = plan(tmp_path, SMALL, body)
    assert ran.code == 1
    assert "contextLength 32,768 is more than the 16,384 tokens the model allows" in ran.out
    assert "catalog" not in ran.out


def test_more_tokens_than_are_documented_are_noted(tmp_path: Path) -> None:
    ran = plan(tmp_path, wish("mistral-small-4-119b-2603", contextLength=300000, concurrency=1))
    assert ran.code == 0
    assert (
        "Note: chat/fresh: contextLength 300,000 is more than the 262,144 tokens that Mistral "
        "documents for Mistral Small 4\n"
    ) in ran.out


@pytest.mark.parametrize(
    ("nodes", "taken", "others"),
    [
        ("8 x H100", "NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe and NVIDIA-H100-NVL"),
        ("1x8xh100-80gb", "NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe"),
        ("2 × 8 × A100-80GB", "NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-80GB-PCIe"),
    ],
)
def test_which_of_several_products_was_taken(
    tmp_path: Path, nodes: str, taken: str, others: str
) -> None:
    ran = plan(tmp_path, SMALL, nodes=nodes, more=("-o", "json"))
    told = document(ran)
    assert {each["product"] for each in told["nodes"]} == {taken}
    assert any(f"was taken for {taken}; {others} would be called so" in n for n in told["notes"])


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ("4 x 8 x RTX9", "RTX9: no such product is known here, only Tesla-T4, "),
        ("4 x 8 x H100, 3 of L4", "'3 of L4' is no group of nodes"),
        ("-2 x 8 x H100", "'-2 x 8 x H100' is no group of nodes"),
        ("0.5 x 8 x H100", "'0.5 x 8 x H100' is no group of nodes"),
        ("two x 8 x H100", "'two x 8 x H100' is no group of nodes"),
        ("1 x 65 x L4", "1 to 64 GPUs"),
        ("0 x 8 x L4", "one node or more"),
        ("10001 x 8 x L4", "10,000 nodes at most"),
        ("999999999999 x 8 x H100", "10,000 nodes at most"),
        ("1 x 9999 x H100", "with 1 to 64 GPUs"),
        (" ", "--nodes: nothing is named; "),
    ],
)
def test_nodes_that_cannot_be_read_are_wrong_use(tmp_path: Path, nodes: str, words: str) -> None:
    ran = plan(tmp_path, SMALL, nodes=nodes)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "nodes.txt: No such file", id="none"),
        pytest.param("2 x 4 x L40S\n3 of L4\n", "'3 of L4' is no group of nodes", id="a line"),
        pytest.param("a: [", "nodes.txt, line 1, column 5: not YAML", id="no YAML"),
        pytest.param("\ufeff".encode("utf-16"), "nodes.txt is text in UTF-16, as", id="UTF-16"),
    ],
)
def test_a_file_of_nodes_that_cannot_be_read_is_refused(
    tmp_path: Path, content: str | bytes | None, words: str
) -> None:
    file = tmp_path / "nodes.txt"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    ran = plan(tmp_path, SMALL, nodes=str(file))
    assert (ran.code, ran.out) == (3, "")
    assert words in ran.err


WINDOW = {
    "cron": "0 8 * * MON-FRI",
    "timeZone": "Europe/Paris",
    "duration": "10h",
    "minReplicas": 3,
}


def test_all_that_is_said_of_the_number_of_replicas_is_shown(tmp_path: Path) -> None:
    scaling = {
        "minReplicas": 1,
        "maxReplicas": 6,
        "spareReplicas": 1,
        "schedules": [{**WINDOW, "cron": "0 8 * * SUN"}, WINDOW],
    }
    body = wish(SMALL["spec"]["approval"], scaling=scaling)
    ran = plan(tmp_path, body)
    assert ran.code == 0
    assert (
        "replicas      3 of 3 replicas with a node; 3 at least now by schedules[1], else 1, 6 at "
        "most, 1 spare\n"
    ) in ran.out
    assert "·  schedules[0]  3 at least, 0 8 * * SUN Europe/Paris for 10h\n" in ran.out
    assert "✓  schedules[1]  3 at least, 0 8 * * MON-FRI Europe/Paris for 10h\n" in ran.out
    assert re.search(
        r"✓  level         first token in 2 s and 200 ms between tokens for 95 % \(default\); "
        r"a prompt of 4,096 tokens alone takes 260 ms, then \d+ ms a token \(estimated\)\n",
        ran.out,
    )
    (item,) = document(plan(tmp_path, body, more=("-o", "json")))["items"]
    told = item["scaling"]
    assert (told["minReplicas"], told["minReplicasNow"], told["schedule"]) == (1, 3, 1)
    assert (told["maxReplicas"], told["spareReplicas"], told["targetQueueDepth"]) == (6, 1, None)
    assert told["schedules"] == scaling["schedules"]
    assert (told["serviceLevel"]["default"], told["serviceLevel"]["withinReach"]) == (True, True)


def test_a_level_that_no_number_of_replicas_keeps_is_told_with_numbers(tmp_path: Path) -> None:
    level = {"interTokenLatencyMilliseconds": 5}
    body = wish(SMALL["spec"]["approval"], scaling={"maxReplicas": 6}, serviceLevel=level)
    ran = plan(tmp_path, body, more=("--html", str(tmp_path / "plan.html")))
    assert ran.code == 0, "it serves all the same"
    found = re.search(
        r"\?  level     first token in 2 s and 5 ms between tokens for 95 %: out of reach with "
        r"any number of replicas, for a prompt of 4,096 tokens alone takes 260 ms, then "
        r"(\d+) ms a token",
        ran.out,
    )
    assert found, ran.out
    assert int(found[1]) > 5
    assert "out of reach with any number" in (tmp_path / "plan.html").read_text()
    (item,) = document(plan(tmp_path, body, more=("-o", "json")))["items"]
    told = item["scaling"]["serviceLevel"]
    assert told["withinReach"] is False
    assert told["alone"]["interTokenLatencyMilliseconds"] > 5
    assert told["alone"]["promptTokens"] == 4096


@pytest.mark.parametrize(
    "scaling",
    [
        pytest.param({"maxReplicas": 6, "targetQueueDepth": 8}, id="a fixed number of requests"),
        pytest.param({"minReplicas": 2, "maxReplicas": 2}, id="a fixed number of replicas"),
    ],
)
def test_a_level_that_decides_nothing_is_not_shown(tmp_path: Path, scaling: Json) -> None:
    ran = plan(tmp_path, wish(SMALL["spec"]["approval"], scaling=scaling))
    assert "level" not in ran.out


def test_what_of_a_wish_has_no_effect_is_noted(tmp_path: Path) -> None:
    scaling = {"minReplicas": 4, "maxReplicas": 6, "schedules": [WINDOW]}
    ran = plan(tmp_path, wish(SMALL["spec"]["approval"], "assistant", scaling=scaling))
    assert ran.code == 0
    assert (
        "Note: chat/assistant: scaling.schedules[0].minReplicas 3 has no effect: "
        "scaling.minReplicas is 4\n"
    ) in ran.out


def test_windows_that_fight_are_refused(tmp_path: Path) -> None:
    scaling = {"maxReplicas": 6, "schedules": [WINDOW, {**WINDOW, "cron": "0 08 * * 1-5"}]}
    ran = plan(tmp_path, wish(SMALL["spec"]["approval"], scaling=scaling))
    assert ran.code == 3
    assert "InvalidSpec" in ran.err
    assert "spec.scaling.schedules[0] and [1] are one window" in ran.err


def test_nodes_from_a_file_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "nodes.txt"
    file.write_text("# what we have\n2 x 4 x L40S   # the old ones\n\n4 x 8 x H100-80GB\n")
    inline = document(plan(tmp_path, SMALL, more=("-o", "json")))
    listed = document(plan(tmp_path, SMALL, nodes=str(file), more=("-o", "json")))
    assert listed == inline


def test_a_file_of_nodes_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "nodes.txt"
    file.write_text(NODES, encoding="utf-8-sig")
    listed = document(plan(tmp_path, SMALL, nodes=str(file), more=("-o", "json")))
    assert listed == document(plan(tmp_path, SMALL, more=("-o", "json")))


def test_a_line_that_is_no_group_is_named_also_alone(tmp_path: Path) -> None:
    file = tmp_path / "nodes.txt"
    for text in ("foo bar\n", "2 x 4 x L40S\nfoo bar\n"):
        file.write_text(text)
        ran = plan(tmp_path, SMALL, nodes=str(file))
        assert (ran.code, "'foo bar' is no group of nodes" in ran.err) == (3, True), ran.err


def test_what_is_no_node_of_a_list_of_nodes_is_not_left_out(tmp_path: Path) -> None:
    file = tmp_path / "nodes.yaml"
    nodes = [kubernetes_node("a"), kubernetes_node("b")]
    for documents in ([nodes], [nodes, kubernetes_node("c")], [kubernetes_node("c"), "words"]):
        file.write_text(yaml.safe_dump_all(documents))
        ran = plan(tmp_path, SMALL, nodes=str(file))
        assert (ran.code, "is no object" in ran.err) == (3, True), ran.err


def test_a_file_of_nodes_that_is_not_there_is_called_so_whatever_its_name(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, nodes="2026-nodes.yaml")
    assert (ran.code, "No such file or directory" in ran.err) == (3, True), ran.err
    ran = plan(tmp_path, SMALL, nodes="1 x 8")
    assert (ran.code, "'1 x 8' is no group of nodes" in ran.err) == (2, True), ran.err


def test_what_is_read_is_named_once(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, more=("--nodes", "1 x 1 x L4"))
    assert (ran.code, "--nodes is given 2 times; once is meant" in ran.err) == (2, True), ran.err
    ran = Program().run("plan", "-f", "-", "--nodes", "-")
    assert (ran.code, "-f - and --nodes -: stdin is one file, not two" in ran.err) == (2, True)


def test_a_page_does_not_replace_what_it_is_made_from(tmp_path: Path) -> None:
    path = tmp_path / "wish.yaml"
    ran = plan(tmp_path, SMALL, more=("--html", str(tmp_path / "." / "wish.yaml")))
    assert (ran.code, f"{path} is read as well and would be lost" in ran.err) == (2, True), ran.err
    assert yaml.safe_load(path.read_text()) == SMALL
    ran = plan(tmp_path, SMALL, more=("--html", "-"))
    assert (ran.code, "--html -: a page is written to a file; name one" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "Modeldeployment"}, 'kind: "Modeldeployment" is given; ModelDeployment is meant'),
        ({"kind": "ModelDeploymnt"}, "is given; ModelDeployment or ModelApproval or ModelMirror"),
        ({"kind": None}, "kind: null is given; ModelDeployment or"),
        ({"apiVersion": "escadre.dev/v1"}, "escadre.dev/v1alpha1 is meant"),
        ({"apiVersion": "v1"}, 'apiVersion: "v1" is given; escadre.dev/v1alpha1 is meant'),
    ],
)
def test_what_is_ours_under_another_name_is_not_left_out(
    tmp_path: Path, wrong: Json, said: str
) -> None:
    other = {**SMALL, "metadata": {**SMALL["metadata"], "name": "other"}, **wrong}
    ran = plan(tmp_path, SMALL, other)
    assert (ran.code, said in ran.err) == (3, True), ran.err
    assert "document 2" in ran.err


def test_other_objects_of_a_file_are_left_alone(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, {"apiVersion": "v1", "kind": "Namespace"}, MIRROR)
    assert (ran.code, "nothing of it is planned" in ran.out) == (0, False)


def test_a_file_of_which_nothing_is_planned_is_named(tmp_path: Path) -> None:
    other = tmp_path / "mirror.yaml"
    other.write_text(yaml.safe_dump(MIRROR))
    ran = plan(tmp_path, SMALL, more=("-f", str(other)))
    said = f"Note: {other}: neither a ModelDeployment nor a ModelApproval is in it, so nothing of"
    assert (ran.code, said in ran.out) == (0, True), ran.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n- b\n", 'document 1: ["a", "b"] is no object; one with apiVersion and kind is'),
        ("just words\n", 'document 1: "just words" is no object'),
        ("a: 1\n", "document 1: an object without apiVersion and kind; both are meant"),
        ("---\n---\n", "nor any other object"),
    ],
)
def test_what_is_no_object_is_not_left_out(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wish.yaml"
    path.write_text(text)
    ran = Program().run("plan", "-f", str(path), "--nodes", NODES)
    assert (ran.code, said in ran.err) == (3, True), ran.err


def test_a_field_beside_the_spec_that_no_object_has_is_refused(tmp_path: Path) -> None:
    meta = {**SMALL["metadata"], "namspace": "chat"}
    ran = plan(tmp_path, {**SMALL, "metadata": meta, "spce": {}, "zzz": 1})
    assert ran.code == 3
    assert "  metadata.namspace: unknown field; near it: namespace\n" in ran.err
    assert "  spce: unknown field; near it: spec\n" in ran.err
    assert "  zzz: unknown field; there are apiVersion, kind, metadata, spec, status\n" in ran.err


def test_a_mirror_beside_the_wishes_is_judged_as_strictly(tmp_path: Path) -> None:
    assert plan(tmp_path, SMALL, MIRROR).code == 0
    ran = plan(tmp_path, SMALL, {**MIRROR, "spec": {**MIRROR["spec"], "maxConcurentPulls": 4}})
    assert ran.code == 3
    assert "ModelMirror internal: spec.maxConcurentPulls: unknown field; near it: max" in ran.err
    ran = plan(tmp_path, SMALL, {**MIRROR, "spec": {**MIRROR["spec"], "maxConcurrentPulls": "4"}})
    assert 'spec.maxConcurrentPulls: "4" is given; a whole number is meant' in ran.err
    ran = plan(tmp_path, SMALL, {**MIRROR, "spec": {"type": "s3", "url": "https://s3.example"}})
    assert (ran.code, "ModelMirror internal: spec: " in ran.err) == (3, True), ran.err
    ran = plan(tmp_path, SMALL, {**MIRROR, "metadata": {"name": "A_B"}})
    assert 'metadata.name: "A_B": ' in ran.err


def test_a_kind_that_is_called_a_list_is_none(tmp_path: Path) -> None:
    prefixes = {"apiVersion": "example.com/v1", "kind": "PrefixList", "spec": {"name": "a"}}
    assert plan(tmp_path, SMALL, prefixes).code == 0


def test_a_misspelt_field_of_a_list_is_not_an_empty_list(tmp_path: Path) -> None:
    """The API server would make nothing of it."""
    ran = plan(tmp_path, SMALL, {"apiVersion": "v1", "kind": "List", "itmes": [SMALL]})
    assert ran.code == 3
    assert "document 2, List: itmes: unknown field; near it: items" in ran.err


@pytest.mark.parametrize("name", [" ", "\u00a0"])
def test_a_blank_name_is_refused_as_the_api_server_refuses_it(tmp_path: Path, name: str) -> None:
    nobody = approval()
    nobody["spec"] = deepcopy(nobody["spec"])
    nobody["spec"]["licence"]["acceptedBy"] = name
    ran = plan(tmp_path, wish("small"), nobody)
    assert ran.code == 3
    assert "spec.licence.acceptedBy: " in ran.err
    assert "must not be blank" in ran.err


def test_an_approval_of_a_file_that_expired_stands_in_the_way(tmp_path: Path) -> None:
    body = deepcopy(approval())
    body["metadata"]["name"] = SMALL["spec"]["approval"]
    assert plan(tmp_path, SMALL, body).code == 0
    body["spec"]["notAfter"] = "2026-01-01T00:00:00Z"
    ran = plan(tmp_path, SMALL, body)
    assert ran.code == 1
    assert "of the file expired at 2026-01-01T00:00:00Z; draft a new one" in ran.out


@pytest.mark.parametrize("more", [("--context", "prod"), ("--kubeconfig", "/nowhere")])
def test_a_cluster_that_is_named_beside_nodes_is_not_left_out(
    tmp_path: Path, more: tuple[str, str]
) -> None:
    said = f"{more[0]}: with --nodes no cluster is asked; leave it out"
    ran = plan(tmp_path, SMALL, more=more)
    assert (ran.code, said in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("scaling:", 0, "1 at least, 1 at most"),
        ("scaling: {minReplicas: null, maxReplicas: 3, targetQueueDepth: ~}", 0, "3 at most"),
        ("scaling: {maxReplicas: 1e1}", 0, "1 at least, 10 at most"),
        ("scaling: {maxReplicas: 1:30}", 3, 'maxReplicas: "1:30" is given; a whole number is'),
        ("approval:", 3, "spec.approval: is missing"),
        ("scalling:", 3, "spec.scalling: unknown field; near it: scaling"),
        ("scaling: {maxReplicas: 1_0}", 0, "1 at least, 10 at most"),
    ],
)
def test_a_value_is_what_the_api_server_takes_it_for(
    tmp_path: Path, given: str, code: int, said: str
) -> None:
    """It drops what is null, and kubectl knows other numbers than YAML 1.1."""
    body = deepcopy(SMALL)
    body["spec"].pop(given.partition(":")[0], None)
    text = yaml.safe_dump(body, sort_keys=False)
    file = tmp_path / "wish.yaml"
    file.write_text(text.replace("spec:\n", f"spec:\n  {given}\n"))
    ran = Program().run("plan", "-f", str(file), "--nodes", NODES)
    assert (ran.code, said in ran.out + ran.err) == (code, True), ran.out + ran.err


def test_spare_replicas_are_placed(tmp_path: Path) -> None:
    """They are there without any demand, as soon as the first replicas serve."""
    scaling = {"minReplicas": 1, "maxReplicas": 9, "spareReplicas": 4}
    spare = wish(SMALL["spec"]["approval"], "assistant", scaling=scaling)
    (item,) = document(plan(tmp_path, spare, more=("-o", "json")))["items"]
    assert [one["slot"] for one in item["replicas"] if one["node"]] == [0, 1, 2, 3]
    few = plan(tmp_path, spare, nodes="1 x 1 x H100-80GB")
    assert (few.code, "InsufficientGPUs" in few.out) == (1, True), few.out


def test_an_object_is_not_planned_in_another_namespace_than_its_own(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, more=("-n", "elsewhere"))
    assert ran.code == 2
    assert "--namespace elsewhere: ModelDeployment assistant of the files names namespace chat" in (
        ran.err
    )
    assert plan(tmp_path, SMALL, more=("-n", "chat")).code == 0


def test_a_target_with_which_requests_wait_is_said(tmp_path: Path) -> None:
    approved = SMALL["spec"]["approval"]
    for target, said in ((32, False), (33, True)):
        scaling = {"maxReplicas": 4, "targetQueueDepth": target}
        ran = plan(tmp_path, wish(approved, "assistant", scaling=scaling), more=("-o", "json"))
        words = "chat/assistant: targetQueueDepth 33 is more than the 32 requests that a replica"
        assert any(one.startswith(words) for one in document(ran)["notes"]) is said


def kubernetes_node(name: str, **labels: str) -> Json:
    known = {
        "product": "NVIDIA-L40S",
        "memory": "46068",
        "compute.major": "8",
        "compute.minor": "9",
    }
    return {
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": name,
            "labels": {f"nvidia.com/gpu.{k}": v for k, v in {**known, **labels}.items()},
        },
        "status": {"allocatable": {"nvidia.com/gpu": "4"}, "nodeInfo": {"bootID": "b"}},
    }


def test_nodes_as_kubectl_lists_them(tmp_path: Path) -> None:
    file = tmp_path / "nodes.yaml"
    nodes = [kubernetes_node("a"), kubernetes_node("b", product=""), kubernetes_node("c")]
    nodes[2]["spec"] = {"taints": [{"key": "team", "effect": "NoSchedule"}]}
    file.write_text(yaml.safe_dump({"kind": "List", "items": nodes}))
    told = document(plan(tmp_path, SMALL, nodes=str(file), more=("-o", "json")))
    assert [each["name"] for each in told["nodes"]] == ["a", "c"]
    (note,) = [one for one in told["notes"] if str(file) in one]
    assert note.startswith(f"2 of 3 nodes of {file} cannot be planned with: b (has no label nvidia")
    assert "; c (has the taint team" in note
    file.write_text(yaml.safe_dump({"kind": "List", "items": [{"kind": "Node", "status": 1}]}))
    assert "a Node without metadata.name" in plan(tmp_path, SMALL, nodes=str(file)).err
    file.write_text(yaml.safe_dump({**nodes[0], "status": ["nonsense"]}))
    ran = plan(tmp_path, SMALL, nodes=str(file))
    assert ran.code == 3
    assert "Node a is not as the API server writes it" in ran.err
    file.write_text(yaml.safe_dump({"kind": "List", "items": []}))
    ran = plan(tmp_path, SMALL, nodes=str(file))
    assert ran.code == 3
    assert "no Node with GPUs in it" in ran.err


def test_nodes_as_the_api_server_lists_them(tmp_path: Path) -> None:
    file = tmp_path / "nodes.json"
    item = kubernetes_node("a")
    del item["kind"]
    file.write_text(json.dumps({"kind": "NodeList", "apiVersion": "v1", "items": [item]}))
    told = document(plan(tmp_path, SMALL, nodes=str(file), more=("-o", "json")))
    assert [each["name"] for each in told["nodes"]] == ["a"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Node_1", 'Node "Node_1": metadata.name: a name has lower-case letters'),
        ("-a", 'Node "-a": metadata.name: a name has'),
        ("<b>", 'Node "<b>": metadata.name: a name has'),
        (7, "Node 7: metadata.name: a text is meant"),
    ],
)
def test_a_node_with_a_name_that_kubernetes_would_not_give_is_refused(
    tmp_path: Path, name: object, words: str
) -> None:
    file = tmp_path / "nodes.yaml"
    node = kubernetes_node("a")
    node["metadata"]["name"] = name
    file.write_text(yaml.safe_dump({"kind": "List", "items": [node]}))
    ran = plan(tmp_path, SMALL, nodes=str(file))
    assert (ran.code, ran.out) == (3, "")
    assert f"--nodes: {words}" in ran.err


def test_a_node_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "nodes.yaml"
    file.write_text(yaml.safe_dump_all([kubernetes_node("a"), kubernetes_node("a")]))
    ran = plan(tmp_path, SMALL, nodes=str(file))
    assert (ran.code, ran.out) == (3, "")
    assert f"--nodes {file}: Node a stands in it 2 times; leave all but one out" in ran.err


def test_a_list_without_a_list_is_named(tmp_path: Path) -> None:
    file = tmp_path / "nodes.yaml"
    file.write_text("kind: List\nitems: 5\n")
    ran = plan(tmp_path, SMALL, nodes=str(file))
    assert (ran.code, ran.out) == (3, "")
    assert f"--nodes {file}, document 1: items of a List: 5 is given; a list is meant" in ran.err


def test_eighty_columns_hold_the_picture(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, MEDIUM, nodes="2 x 16 x H100-80GB", terminal=True, width=80)
    picture = ran.out[ran.out.index("GPUs") :].split("Note:")[0]
    assert "\x1b[30;46mA0\x1b[0m" in picture, "a colour for each deployment"
    bare = [part for part in picture.replace("\x1b", "\n\x1b").splitlines() if part]
    assert max(map(len, bare)) <= 80


class _Page(HTMLParser):
    """Looks for what a page may not have: another address, and words that became markup."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not {"src", "href", "onload", "onclick"} & {name for name, _ in attrs}

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_holds_all_of_it_and_loads_nothing(tmp_path: Path) -> None:
    evil, file = "<img src=x onerror=alert(1)>", tmp_path / "nodes.yaml"
    nodes = [kubernetes_node(name, product=evil) for name in ("a", "b", "c")]
    file.write_text(yaml.safe_dump({"kind": "List", "items": nodes}))
    path = tmp_path / "plan.html"
    other = wish("mistral-small-3-2-24b-instruct-2506", "other", concurrency=4)
    ran = plan(tmp_path, SMALL, other, nodes=str(file), more=("--html", str(path)))
    assert ran.code == 0
    text = path.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert not {"script", "img", "link", "iframe", "object"} & page.tags
    assert "url(" not in text
    assert "http" not in text.replace("http-equiv", "")
    for words in (
        "2 of 2 deployments can be placed",
        "spread over 2 nodes, at most 1 replica on one",
        "chat/assistant",
        evil,  # shown as it was written
    ):
        assert words in page.text


def test_the_page_holds_what_was_rejected(tmp_path: Path) -> None:
    path = tmp_path / "plan.html"
    assert plan(tmp_path, SMALL, more=("--html", str(path))).code == 0
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert "WeightsTooLarge" in page.text
    assert "h100-1" in page.text


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, more=("--html", str(tmp_path)))
    assert (ran.code, ran.out) == (3, "")
    assert f"--html {tmp_path}: it is a folder; name a file" in ran.err
    ran = plan(tmp_path, SMALL, more=("--html", str(tmp_path / "none" / "x.html")))
    assert (ran.code, ran.out) == (3, "")
    assert f"--html {tmp_path}/none/x.html: there is no folder {tmp_path}/none" in ran.err


def test_the_picture_of_the_docs_is_what_is_printed() -> None:
    root = Path(__file__).parents[2]
    block = (root / "docs/use/plan.md").read_text(encoding="utf-8").split("```")[1]
    nodes = re.findall(r'--nodes "([^"]+)"', block)[0]
    files = sorted((root / "examples/bank").glob("[123]-*.yaml"))
    named = [part for file in files for part in ("-f", str(file))]
    ran = Program().run("plan", *named, "--nodes", nodes)
    assert ran.code == 0
    assert block.split("…\n")[1] in ran.out
    assert nodes in (root / "README.md").read_text(encoding="utf-8")


def test_the_example_of_how_it_decides_is_what_is_printed() -> None:
    root = Path(__file__).parents[2]
    text = (root / "docs/use/how-it-decides.md").read_text(encoding="utf-8")
    command, *lines = (
        text.split("wishes of `examples/bank/`")[1].split("```")[1].strip().splitlines()
    )
    nodes = re.findall(r'--nodes "([^"]+)"', command)[0]
    assert command.startswith("$ cat examples/bank/[123]-*.yaml | escadre plan -f - --nodes")
    files = sorted((root / "examples/bank").glob("[123]-*.yaml"))
    ran = Program().run("plan", *[w for file in files for w in ("-f", str(file))], "--nodes", nodes)
    assert ran.code == 0
    printed = iter(ran.out.splitlines())
    for line in lines:
        assert line == "…" or line in printed, f"{line}\nis not printed, or not in this order"


def test_another_version_of_the_engine_is_judged_as_that_one(tmp_path: Path) -> None:
    def overhead(*more: str) -> int:
        (item,) = document(plan(tmp_path, SMALL, more=(*more, "-o", "json")))["items"]
        found: int = item["layout"]["memory"]["overheadBytes"]
        return found

    assert overhead("--engine-version", "0.11") != overhead()
    assert overhead("--engine-version", "0.32.1") == overhead()


def test_a_model_that_came_with_a_later_version_is_not_planned(tmp_path: Path) -> None:
    small_4 = wish("mistral-small-4-119b-2603")
    assert plan(tmp_path, small_4, more=("--engine-version", "0.20")).code == 0
    ran = plan(tmp_path, small_4, more=("--engine-version", "0.19"))
    assert ran.code == 1
    assert (
        "no layout is planned for Mistral Small 4: vLLM 0.19 does not serve it, 0.20 is the first "
        "that does\n"
    ) in ran.out


def test_what_an_encoder_of_the_catalog_weighs_beside_text_only_is_said(tmp_path: Path) -> None:
    note = "Note: chat/assistant: textOnly leaves 800.0 MB of the encoder's weights counted"
    assert note in plan(tmp_path, {**SMALL, "spec": {**SMALL["spec"], "textOnly": True}}).out
    assert "textOnly" not in plan(tmp_path, SMALL).out


def test_where_an_operator_would_be_is_not_taken_without_a_cluster(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, more=("--system-namespace", "elsewhere"))
    assert (ran.code, ran.out) == (2, "")
    assert "--system-namespace: with --nodes no cluster is asked; leave it out" in ran.err


def test_a_version_that_is_not_known_is_said_to_be(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, more=("--engine-version", "9.1"))
    assert "vLLM 9.1 is not known here; it is judged as 0.32, the nearest older" in ran.out


def test_what_is_no_version_is_refused(tmp_path: Path) -> None:
    ran = plan(tmp_path, SMALL, more=("--engine-version", "newest"))
    assert ran.code == 2
    assert "--engine-version newest: a version of vLLM is meant, like 0.32" in ran.err
