"""What `escadre plan -f` answers from a live fleet, word for word; it never writes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.harness import Program, check_golden
from tests.cli.world import DIGEST, GIB, approval, condition, deployment

from escadre import reasons
from escadre.clients.kube import (
    CONFIG_MAPS,
    GPU_NODES,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    Forbidden,
)

Json = dict[str, Any]
H100 = "NVIDIA-H100-80GB-HBM3"
HOLDS = condition("Approved", "True", "Approved", "signed by bob, claire")


def wish(**spec: Any) -> Json:
    body = deployment("fresh")
    del body["status"]
    return {**body, "spec": {**body["spec"], **spec}}


def node(server: Any, name: str, gpus: int = 8, verified: bool = False) -> None:
    live = server.put(
        NODES,
        {
            "metadata": {
                "name": name,
                "labels": {"nvidia.com/gpu.product": H100, "nvidia.com/gpu.memory": "81559"},
            },
            "status": {
                "allocatable": {"nvidia.com/gpu": str(gpus)},
                "nodeInfo": {"bootID": f"boot-{name}"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        },
    )
    uid = live["metadata"]["uid"]
    gpu = {
        "product": H100,
        "memoryBytes": 81559 << 20,
        "computeCapability": "9.0",
        "nvlink": True,
        "healthy": True,
    }
    held = {
        "manifestDigest": DIGEST,
        "storeID": "s",
        "state": "Verified",
        "bytesTotal": 45 * GIB,
        "since": "2026-01-01T00:00:00Z",
    }
    server.put(
        GPU_NODES,
        {
            "metadata": {
                "name": name,
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}],
            },
            "spec": {},
            "status": {
                "nodeUID": uid,
                "bootID": f"boot-{name}",
                "storeID": "s",
                "gpus": [{"index": i, "uuid": f"{name}-{i}", **gpu} for i in range(gpus)],
                "weights": [held] if verified else [],
            },
        },
    )


def fleet(
    *, nodes: int = 2, gpus: int = 8, holds: bool = True, engine: Json | None = None
) -> Program:
    program = Program()
    for number in range(nodes):
        node(program.server, f"gpu-{number}", gpus, verified=number == 1)
    status: Json = {"summary": "2/2", "conditions": [HOLDS]} if holds else {}
    program.server.put(MODEL_APPROVALS, approval(**status))
    program.server.put(
        CONFIG_MAPS,
        {
            "metadata": {"name": "escadre", "namespace": "escadre-system"},
            "data": {"config.yaml": yaml.safe_dump({"engine": engine or {}})},
        },
    )
    program.server.put(
        MODEL_MIRRORS,
        {"metadata": {"name": "internal"}, "spec": {"type": "http", "url": "https://m.example"}},
    )
    return program


def plan(program: Program, tmp_path: Path, *documents: Json, output: str = "table") -> Any:
    path = tmp_path / "wish.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    api = program.server.client("bob")
    program.api = program.api or api
    ran = program.run("plan", "-f", str(path), "-o", output)
    assert api.writes == []
    return ran


def test_a_wish_that_fits(tmp_path: Path) -> None:
    ran = plan(fleet(), tmp_path, wish(scaling={"minReplicas": 2, "maxReplicas": 4}))
    assert (ran.code, ran.err) == (0, "")
    check_golden("plan-fits", ran.out)


def test_the_node_that_holds_the_weights_comes_first(tmp_path: Path) -> None:
    ran = plan(fleet(), tmp_path, wish(), output="json")
    (item,) = json.loads(ran.out)["items"]
    assert [each["node"] for each in item["replicas"]] == ["gpu-1"]
    assert [each["state"] for each in item["weights"]] == ["Verified"]


def test_gpus_of_standing_replicas_and_of_foreign_pods_are_taken(tmp_path: Path) -> None:
    program = fleet(nodes=2, gpus=2)
    program.server.put(MODEL_DEPLOYMENTS, deployment())  # 2 GPUs on gpu-0, 2 on gpu-1
    ran = plan(program, tmp_path, wish())
    assert ran.code == 1
    assert "InsufficientGPUs" in ran.out
    program = fleet(nodes=1)
    pod: Json = {
        "metadata": {"name": "other", "namespace": "elsewhere"},
        "spec": {
            "nodeName": "gpu-0",
            "containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": "8"}}}],
        },
        "status": {"phase": "Running"},
    }
    program.server.put(PODS, pod)
    assert plan(program, tmp_path, wish()).code == 1


def test_gpus_that_claims_hold_are_taken_where_they_may_be_listed(tmp_path: Path) -> None:
    program = fleet(nodes=1, gpus=1)
    field = {"key": "metadata.name", "operator": "In", "values": ["gpu-0"]}
    held = {"results": [{"driver": "gpu.nvidia.com", "pool": "gpu-0", "device": "gpu-0"}]}
    selector = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    body: Json = {
        "metadata": {"name": "train", "namespace": "lab"},
        "status": {"allocation": {"devices": held, "nodeSelector": selector}},
    }
    program.server.put(RESOURCE_CLAIMS, body)
    assert plan(program, tmp_path, wish()).code == 1
    api = program.server.client("bob")
    api.refuse("list", "ResourceClaim", lambda: Forbidden(method="list", object="x", status=403))
    program.api = api
    ran = plan(program, tmp_path, wish())
    assert ran.code == 0
    note = "Note: You may not list resourceclaims: GPUs that they hold are counted as free."
    assert note in ran.out


def test_an_approval_that_does_not_hold_is_named_and_planned_as_if(tmp_path: Path) -> None:
    ran = plan(fleet(holds=False), tmp_path, wish())
    assert ran.code == 1
    assert "✗  approval  Pending" in ran.out
    assert "(planned below as if it held)" in ran.out
    assert "✓  layout" in ran.out


def test_an_approval_of_the_file_is_used(tmp_path: Path) -> None:
    ran = plan(fleet(), tmp_path, approval("new"), wish(approval="new"))
    assert ran.code == 1
    assert "ModelApproval new is in the file and not on the cluster yet" in ran.out
    assert "✓  layout" in ran.out


def test_a_wish_that_no_node_can_hold(tmp_path: Path) -> None:
    ran = plan(fleet(nodes=1, gpus=1), tmp_path, wish(contextLength=131072, concurrency=64))
    assert ran.code == 1
    check_golden("plan-no-layout", ran.out)


def test_a_layout_that_the_wish_binds(tmp_path: Path) -> None:
    ran = plan(fleet(), tmp_path, wish(layout={"tensorParallelSize": 2}))
    assert ran.code == 0
    assert "✓  layout    2×H100 tp2 (without spec.layout: 1×H100 tp1)" in ran.out


def test_a_layout_that_the_engine_would_refuse(tmp_path: Path) -> None:
    ran = plan(fleet(), tmp_path, wish(layout={"tensorParallelSize": 3}))
    assert ran.code == 1
    assert "LayoutOverrideRefused: spec.layout asks for tp3; NVIDIA-H100-80GB-HBM3 tp3: " in ran.out
    assert "without spec.layout it would be 1×H100 tp1" in ran.out


def test_a_cluster_without_gpus(tmp_path: Path) -> None:
    ran = plan(fleet(nodes=0), tmp_path, wish())
    assert ran.code == 1
    assert "NoGPUNodes" in ran.out


def test_a_misspelt_approval_is_answered_with_those_there_are(tmp_path: Path) -> None:
    ran = plan(fleet(), tmp_path, wish(approval="smal"))
    assert (
        "ApprovalNotFound: ModelApproval smal exists neither on the cluster nor in the files; "
        "near it: small. Next: Create and sign the approval, or correct spec.approval.\n"
    ) in ran.out


@pytest.mark.parametrize("approval_name", ["nowhere", "small"])
def test_approvals_that_are_missing_or_for_others(tmp_path: Path, approval_name: str) -> None:
    body = wish(approval=approval_name)
    body["metadata"]["namespace"] = "others"
    ran = plan(fleet(), tmp_path, body)
    assert ran.code == 1
    assert ("ApprovalNotFound" if approval_name == "nowhere" else "NamespaceNotAllowed") in ran.out


def test_without_the_right_to_list_nodes_the_agents_word_is_taken(tmp_path: Path) -> None:
    program = fleet()
    api = program.server.client("bob")
    api.refuse("list", "Node", lambda: Forbidden(method="list", object="nodes", status=403))
    program.api = api
    ran = plan(program, tmp_path, wish())
    assert ran.code == 0
    assert "Note: You may not list nodes:" in ran.out


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param(
            {"contextLenght": 1},
            "spec.contextLenght: unknown field; near it: contextLength",
            id="an unknown field",
        ),
        pytest.param(
            {"gpus": 4}, "spec.gpus: unknown field; there are approval, contextL", id="none near"
        ),
        pytest.param(
            {"contextLength": -1}, "spec.contextLength: -1 is less than 1, the least", id="a bound"
        ),
        pytest.param(
            {"concurrency": 60000}, "spec.concurrency: 60000 is more than 4,096", id="the other one"
        ),
        pytest.param(
            {"contextLength": "32768"},
            'spec.contextLength: "32768" is given; a whole number is meant',
            id="a text for a number",
        ),
        pytest.param(
            {"contextLength": True}, "spec.contextLength: true is given", id="a yes for a number"
        ),
        pytest.param({"contextLength": 2.5}, "spec.contextLength: 2.5 is given", id="a fraction"),
        pytest.param(
            {"layout": [4]}, "spec.layout: [4] is given; an object with fields", id="a list"
        ),
        pytest.param({"approval": 7}, "spec.approval: 7 is given; a text is meant", id="a number"),
        pytest.param({"scaling": []}, "spec.scaling: [] is given; an object with", id="no fields"),
        pytest.param(
            {"objective": "latency"},
            'spec.objective: "latency" is none of Throughput, Latency',
            id="another word",
        ),
        pytest.param(
            {"approval": "A_b"},
            'spec.approval: "A_b": must be a name of Kubernetes',
            id="a pattern",
        ),
        pytest.param(
            {"approval": "a" * 254},
            "spec.approval: 254 characters given; at most 253",
            id="a length",
        ),
        pytest.param(
            {"contextLength": None},
            "spec.contextLength: is missing (Tokens one request may use, prompt and answer",
            id="nothing where something must be",
        ),
        pytest.param(
            {"scaling": {"maxReplicas": 4, "schedules": [{"cron": "0 8 * * *", "duration": "9h"}]}},
            "spec.scaling.schedules[0].timeZone: is missing (Time zone of cron, e.g. Europe/Paris)",
            id="a part of a window",
        ),
        pytest.param(
            {"scaling": {"schedules": [{}] * 17}},
            "spec.scaling.schedules: 17 entries given; at most 16 are meant",
            id="too many windows",
        ),
        pytest.param(
            {"scaling": {"minReplicas": 5, "maxReplicas": 2}},
            "minReplicas 5 is more than maxReplicas 2",
            id="a contradiction",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(
    tmp_path: Path, changed: Json, words: str
) -> None:
    ran = plan(fleet(), tmp_path, {"kind": "Namespace"}, wish(**changed))
    assert ran.code == 3
    assert "wish.yaml, document 2, ModelDeployment fresh" in ran.err
    assert words in ran.err


def test_all_mistakes_of_a_document_are_named_at_once(tmp_path: Path) -> None:
    changed = {"contextLength": 0, "concurrency": -2, "approval": "Small", "kontext": 1}
    ran = plan(fleet(), tmp_path, wish(**changed))
    first, *lines = ran.err.splitlines()
    assert (ran.code, ran.out) == (3, "")
    assert first.endswith("wish.yaml, document 1, ModelDeployment fresh: 4 mistakes")
    assert {one.split(":")[0] for one in lines} == {"next", *(f"  spec.{one}" for one in changed)}


def test_of_very_many_mistakes_the_first_are_named(tmp_path: Path) -> None:
    ran = plan(fleet(), tmp_path, wish(**{f"wrong{number}": 1 for number in range(25)}))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count("unknown field") == 10
    assert "\n  and 15 more\n" in ran.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"a: [", ", line 1, column 5: not YAML: expected the node", id="no YAML"),
        pytest.param(b"a: \x01", ": not YAML: unacceptable character", id="a control character"),
        pytest.param(b"a: 2026-99-99", ": not YAML: month must be in 1..12", id="no such date"),
        pytest.param(b"[" * 5000, ": nested too deeply to be read", id="no end"),
        pytest.param(b"\xff\xd8\xff", " is not text in UTF-8", id="binary"),
        pytest.param("kind: Pod".encode("utf-16"), " is text in UTF-16, as Power", id="UTF-16"),
        pytest.param(
            "kind: Pod".encode("utf-16-be"), " is text in UTF-16, as", id="without a mark"
        ),
        pytest.param(b"\x1f\x8b\x08\x00", " is packed with gzip; unpack it first", id="packed"),
        pytest.param(b" \n", " is empty; it should hold a ModelDeployment", id="empty"),
        pytest.param(
            b"kind: Pod\napiVersion: v1",
            ": no ModelDeployment of escadre.dev/v1alpha1 in it, only Pod of v1\n",
            id="no wish",
        ),
        pytest.param(b"- a", ', document 1: ["a"] is no object; one with', id="list"),
        pytest.param(
            b"---\n---\n",
            ": no ModelDeployment of escadre.dev/v1alpha1 in it, nor any other object",
            id="nothing",
        ),
    ],
)
def test_a_file_without_wishes_is_named_in_one_line(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "wish.yaml"
    path.write_bytes(content)
    ran = fleet().run("plan", "-f", str(path))
    assert ran.code == 3
    assert ran.err.startswith(f"escadre: {path}{words}")
    assert ran.err.count("\n") == 1


def test_a_file_that_is_none_is_named_in_one_line(tmp_path: Path) -> None:
    ran = fleet().run("plan", "-f", str(tmp_path / "none.yaml"))
    says = f"escadre: {tmp_path}/none.yaml does not exist; name a file with -f, or - for stdin\n"
    assert (ran.code, ran.err) == (3, says)
    ran = fleet().run("plan", "-f", str(tmp_path))
    says = f"escadre: {tmp_path} is a folder; name the files in it, each with -f\n"
    assert (ran.code, ran.err) == (3, says)


def test_several_files_are_planned_together(tmp_path: Path) -> None:
    other = wish(approval="new")
    other["metadata"] = {**other["metadata"], "name": "other"}
    arguments = ["plan", "-o", "json"]
    for number, body in enumerate((approval("new"), wish(), other)):
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(body))
        arguments += ["-f", str(tmp_path / f"{number}.yaml")]
    ran = fleet().run(*arguments)
    items = json.loads(ran.out)["items"]
    assert [each["name"] for each in items] == ["fresh", "other"]
    assert items[1]["approval"]["reason"] == reasons.SIGNATURES_MISSING.name


def test_one_deployment_cannot_be_wished_twice(tmp_path: Path) -> None:
    ran = plan(fleet(), tmp_path, wish(), wish(contextLength=4096))
    assert ran.code == 3
    assert "document 2, ModelDeployment fresh: metadata.name: a second" in ran.err


def test_one_approval_cannot_be_given_twice(tmp_path: Path) -> None:
    ran = plan(fleet(), tmp_path, wish(approval="new"), approval("new"), approval("new"))
    assert ran.code == 3
    assert "document 3, ModelApproval new: metadata.name: a second ModelApproval new;" in ran.err


@pytest.mark.parametrize(
    ("namespace", "words"),
    [
        pytest.param("Team_A", '"Team_A": a namespace has lower-case letters', id="capitals"),
        pytest.param("team.a", '"team.a": a namespace has', id="a dot"),
        pytest.param("-team", '"-team": a namespace has', id="a hyphen first"),
        pytest.param("a" * 64, "and has 63 characters at most", id="64 characters"),
        pytest.param("two\nlines", "a namespace has", id="a line feed"),
        pytest.param(7, "metadata.namespace: 7: a text is meant", id="a number"),
        pytest.param(["team"], 'metadata.namespace: ["team"]: a text is meant', id="a list"),
    ],
)
def test_a_namespace_that_the_api_server_would_refuse(
    tmp_path: Path, namespace: object, words: str
) -> None:
    body = wish()
    body["metadata"] = {"name": "fresh", "namespace": namespace}
    ran = plan(fleet(), tmp_path, body)
    assert (ran.code, ran.out) == (3, "")
    assert "document 1, ModelDeployment fresh: metadata.namespace: " in ran.err
    assert words in ran.err


@pytest.mark.parametrize("namespace", ["a", "7", "team-a", "a" * 63])
def test_a_namespace_that_the_api_server_takes(tmp_path: Path, namespace: str) -> None:
    body = wish()
    body["metadata"] = {"name": "fresh", "namespace": namespace}
    assert plan(fleet(), tmp_path, body).out.startswith(f"{namespace}/fresh (new)\n")


@pytest.mark.parametrize("name", ["", "Small", "small_3", "small..3", ".small", "a" * 254])
def test_an_approval_with_a_name_that_the_api_server_would_refuse(
    tmp_path: Path, name: str
) -> None:
    body = approval("new")
    body["metadata"] = {"name": name}
    ran = plan(fleet(), tmp_path, wish(), body)
    assert ran.code == 3
    assert "metadata.name:" in ran.err
    assert "a name has lower-case letters, digits, - and . only" in ran.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(
            "kind: A\nspec:\n  contextLength: 1\n  concurrency: 2\n  contextLength: 3\n",
            ", line 5, column 3: contextLength stands here again, after line 3; leave one out",
            id="in a wish",
        ),
        pytest.param(
            "kind: A\n---\nkind: B\nkind: C\n",
            ", line 4, column 1: kind stands here again, after line 3; leave one out",
            id="at the top of the second document",
        ),
        pytest.param(
            '{"kind": "A", "spec": {"a": 1, "a": 1}}',
            ", line 1, column 32: a stands here again, after line 1; leave one out",
            id="in JSON, to the same",
        ),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_places(
    tmp_path: Path, content: str, words: str
) -> None:
    """PyYAML takes the last; kubectl refuses the file."""
    path = tmp_path / "wish.yaml"
    path.write_text(content)
    ran = fleet().run("plan", "-f", str(path))
    assert (ran.code, ran.err) == (3, f"escadre: {path}{words}\n")
    path.with_name("fine.yaml").write_text(yaml.safe_dump(wish()))
    ran = fleet().run("plan", "-f", str(path.with_name("fine.yaml")), "--nodes", str(path))
    assert ran.code == 3
    assert f"--nodes {path}{words}" in ran.err


def test_what_a_merge_brings_may_be_said_otherwise(tmp_path: Path) -> None:
    body = yaml.safe_dump(wish())
    merged = body.replace("spec:", "spec:\n  <<: {contextLength: 1024}", 1)
    path = tmp_path / "wish.yaml"
    path.write_text(merged)
    assert merged != body
    assert fleet().run("plan", "-f", str(path), "-o", "json").code <= 1


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "-f", "-", "-n"),
        ("plan", "-f", "-", "--system-namespace"),
        ("status", "-n"),
        ("status", "--system-namespace"),
        ("why", "chat", "-n"),
        ("logs", "chat", "-n"),
        ("nodes", "--system-namespace"),
        ("mirror", "test", "internal", "--system-namespace"),
        ("support-bundle", "-n"),
        ("support-bundle", "--system-namespace"),
        ("approve", "sign", "small", "--system-namespace"),
    ],
)
def test_a_namespace_on_the_command_line_is_one(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    ran = fleet().run(*command, "Team A")
    assert ran.code == 2
    assert "'Team A': a namespace has lower-case letters" in ran.err + capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Assistant_2", id="capitals and an underscore"),
        pytest.param("2nd", id="a digit first"),
        pytest.param("assistant-", id="a hyphen last"),
        pytest.param("a" * 41, id="41 characters"),
        pytest.param("", id="none"),
    ],
)
def test_a_name_that_the_api_server_would_refuse(tmp_path: Path, name: str) -> None:
    body = wish()
    body["metadata"] = {"name": name}
    ran = plan(fleet(), tmp_path, body)
    assert ran.code == 3
    assert "metadata.name must begin with a lower-case letter" in ran.err
    assert "40 characters at most" in ran.err


def test_a_deployment_that_exists_keeps_its_place(tmp_path: Path) -> None:
    program = fleet()
    live = deployment()
    program.server.put(MODEL_DEPLOYMENTS, live)
    again = {key: value for key, value in live.items() if key != "status"}
    ran = plan(program, tmp_path, again, output="json")
    (item,) = json.loads(ran.out)["items"]
    assert item["exists"] is True
    assert [(each["slot"], each["node"]) for each in item["replicas"]] == [
        (0, "gpu-0"),
        (1, "gpu-1"),
    ]


def tainted(program: Program, name: str) -> None:
    live = program.server.get(NODES, name)
    assert live is not None
    live["spec"] = {"taints": [{"key": "team", "value": "gpu", "effect": "NoSchedule"}]}
    program.server.put(NODES, live)


def test_what_engines_tolerate_is_what_the_operator_was_told(tmp_path: Path) -> None:
    for tolerations, code in (([], 1), ([{"key": "team", "operator": "Exists"}], 0)):
        program = fleet(nodes=1, engine={"tolerations": tolerations})
        tainted(program, "gpu-0")
        assert plan(program, tmp_path, wish()).code == code


def test_the_share_of_memory_is_what_the_operator_was_told(tmp_path: Path) -> None:
    program = fleet(engine={"gpuMemoryUtilizationPercent": 80})
    program.server.put(MODEL_DEPLOYMENTS, deployment())  # planned with 92 %, before a change
    assert "85.0 GB visible × 80 %" in plan(program, tmp_path, wish()).out


def test_who_may_not_read_the_settings_is_told_what_was_assumed(tmp_path: Path) -> None:
    program = fleet()
    program.server.put(MODEL_DEPLOYMENTS, deployment())
    api = program.server.client("bob")
    api.refuse("get", "ConfigMap", lambda: Forbidden(method="get", object="x", status=403))
    program.api = api
    ran = plan(program, tmp_path, wish())
    assert ran.code == 0
    assert (
        "Note: You may not read ConfigMap escadre-system/escadre: engines are taken to tolerate "
        "what the chart's default does, to use 92 % of a GPU's memory, and to be vLLM 0.32.\n"
    ) in ran.out


def test_a_version_of_the_engine_that_is_not_known_is_said(tmp_path: Path) -> None:
    ran = plan(fleet(engine={"version": "0.40"}), tmp_path, wish())
    assert (
        "Note: vLLM 0.40 is not known here; it is judged as 0.32, the nearest older version that is"
    ) in ran.out
    assert "Note:" not in plan(fleet(engine={"version": "0.31"}), tmp_path, wish()).out
    assert "Note:" not in plan(fleet(engine={"version": "new"}), tmp_path, wish()).out


def test_another_version_than_the_operators_is_judged_as_and_said(tmp_path: Path) -> None:
    path = tmp_path / "wish.yaml"
    path.write_text(yaml.safe_dump(wish()))
    program = fleet(engine={"version": "0.31"})
    ran = program.run("plan", "-f", str(path), "--engine-version", "0.32")
    assert "Note: Judged as vLLM 0.32; the operator judges as 0.31." in ran.out
    assert "Note:" not in program.run("plan", "-f", str(path), "--engine-version", "0.31").out


def test_the_version_that_the_operator_judges_for_counts(tmp_path: Path) -> None:
    def told(version: str) -> Any:
        program = fleet(engine={"version": version})
        model = approval(summary="2/2", conditions=[HOLDS])
        numbers = {"dtype": "int4", "quantization": {"method": "bitsandbytes"}}
        spec = {**model["spec"], "architecture": {**model["spec"]["architecture"], **numbers}}
        program.server.put(MODEL_APPROVALS, {**model, "spec": spec})
        return plan(program, tmp_path, wish(), output="json")

    (refused,) = json.loads(told("0.28").out)["items"]
    assert refused["reason"] == reasons.QUANTIZATION_NOT_SERVED.name
    assert json.loads(told("0.27").out)["items"][0]["layout"] is not None


@pytest.mark.parametrize("text", ["engine: [", "", "engine: 7"])
def test_settings_that_cannot_be_read_are_named(tmp_path: Path, text: str) -> None:
    program = fleet()
    broken = {"metadata": {"name": "escadre", "namespace": "escadre-system"}}
    program.server.put(CONFIG_MAPS, {**broken, "data": {"config.yaml": text}})
    assert (
        "config.yaml of ConfigMap escadre-system/escadre cannot be read:"
        in plan(program, tmp_path, wish()).out
    )
    program.server.remove(CONFIG_MAPS, "escadre", "escadre-system")
    ran = plan(program, tmp_path, wish())
    assert "There is no ConfigMap escadre-system/escadre; name its namespace with" in ran.out


def test_a_model_larger_than_the_free_disk_of_a_planned_node_is_foretold(tmp_path: Path) -> None:
    program = fleet(nodes=1)
    for name, free in (("gpu-0", 5 * GIB),):
        (gpunode,) = [
            one for one in program.server.all(GPU_NODES) if one["metadata"]["name"] == name
        ]
        gpunode["status"]["store"] = {"capacityBytes": 100 * GIB, "freeBytes": free}
        program.server.put(GPU_NODES, gpunode)
    ran = plan(program, tmp_path, wish())
    assert ran.code == 1
    assert "✗  weights   StoreFull: node gpu-0 has 5.4 GB free for weights" in ran.out


def store(program: Program, name: str, free: int, **state: Any) -> None:
    """A node's store with so much free, and what becomes of the model there."""
    live = program.server.get(GPU_NODES, name)
    assert live is not None
    live["status"]["store"] = {"capacityBytes": 100 * GIB, "freeBytes": free}
    if state:
        entry = {"manifestDigest": DIGEST, "storeID": "s", "since": "2026-01-01T00:00:00Z", **state}
        live["status"]["weights"] = [entry]
    program.server.put(GPU_NODES, live)


def test_a_pull_that_has_begun_has_its_place_on_the_disk(tmp_path: Path) -> None:
    program = fleet(nodes=1)
    store(program, "gpu-0", 2 * GIB, state="Pulling", bytesDone=3 * GIB, bytesTotal=48 * 10**9)
    ran = plan(program, tmp_path, wish())
    assert (ran.code, "StoreFull" in ran.out) == (0, False)


def test_two_models_that_fit_alone_and_not_together_are_foretold(tmp_path: Path) -> None:
    program = fleet(nodes=1)
    store(program, "gpu-0", 60 * GIB)
    other = approval("other", summary="2/2", conditions=[HOLDS])
    other["spec"]["manifestDigest"] = "sha256:" + "9" * 64
    program.server.put(MODEL_APPROVALS, other)
    second = wish(approval="other")
    second["metadata"] = {**second["metadata"], "name": "second"}
    assert plan(program, tmp_path, wish()).code == 0
    ran = plan(program, tmp_path, wish(), second)
    assert ran.code == 1
    words = "node gpu-0 has 64.4 GB free for weights, 48.0 GB are missing there, and 48.0 GB of"
    assert words in " ".join(ran.out.split())


def test_the_target_is_the_file_s_and_not_the_live_one_s(tmp_path: Path) -> None:
    program = fleet()
    live = deployment("fresh")
    live["spec"]["scaling"] = {"minReplicas": 1, "maxReplicas": 2, "targetQueueDepth": 24}
    program.server.put(MODEL_DEPLOYMENTS, live)
    scaling = {"minReplicas": 1, "maxReplicas": 2, "targetQueueDepth": 7}
    ran = plan(program, tmp_path, wish(scaling=scaling))
    assert "scales at 7 per replica" in ran.out


@pytest.mark.parametrize(
    ("running", "change", "says"),
    [
        pytest.param(1, {"contextLength": 2048}, "the only replica that runs: nothing", id="one"),
        pytest.param(2, {"contextLength": 2048}, "2 replicas that run, one after", id="two"),
        pytest.param(1, {}, "", id="no change of the engines"),
    ],
)
def test_what_an_edit_replaces_is_said(
    tmp_path: Path, running: int, change: Json, says: str
) -> None:
    program = fleet()
    live = deployment("fresh")
    names = [f"fresh-{number}" for number in range(running)]
    items = [{"name": name, "node": "gpu-1", "state": "Ready", "current": True} for name in names]
    live["status"]["replicas"] = {**live["status"]["replicas"], "items": items}
    live["status"]["approval"] = {**live["status"].get("approval", {}), "manifestDigest": DIGEST}
    program.server.put(MODEL_DEPLOYMENTS, live)
    ran = plan(program, tmp_path, wish(**change))
    assert ("replaces  " in ran.out) is bool(says)
    assert says in ran.out


def test_replicas_apart_and_what_a_lost_node_would_take(tmp_path: Path) -> None:
    program = fleet(nodes=2)
    node(program.server, "gpu-0", verified=True)
    two = wish(scaling={"minReplicas": 2, "maxReplicas": 4})
    ran = plan(program, tmp_path, two)
    assert "✓  spread    over 2 nodes, at most 1 replica on one\n" in ran.out
    (item,) = json.loads(plan(program, tmp_path, two, output="json").out)["items"]
    assert item["spread"] == {"nodes": 2, "message": ""}


def test_no_spread_is_said_with_its_reason(tmp_path: Path) -> None:
    two = wish(scaling={"minReplicas": 2, "maxReplicas": 4})
    ran = plan(fleet(nodes=1), tmp_path, two)
    assert ran.code == 0
    assert (
        "·  spread    none: both replicas on node gpu-0: no other node has 1 free GPU of" in ran.out
    )
    (item,) = json.loads(plan(fleet(nodes=2), tmp_path, two, output="json").out)["items"]
    assert item["spread"]["nodes"] == 1
    assert "no other node with room has the weights" in item["spread"]["message"]


def test_a_single_replica_has_no_spread(tmp_path: Path) -> None:
    assert "spread  " not in plan(fleet(nodes=1), tmp_path, wish()).out
