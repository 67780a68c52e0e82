"""`escadre support-bundle`: what it holds, what it never holds, and what it says is missing."""

import json
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.cli.harness import NOW, Program
from tests.cli.test_nodes import gpunode
from tests.cli.world import approval, deployment

from escadre.cli.support import archive, contents
from escadre.clients.kube import (
    CONFIG_MAPS,
    EVENTS,
    GPU_NODES,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    NODES,
    PODS,
    SECRETS,
    Forbidden,
    ServerUnavailable,
)
from escadre.errors import EscadreError

Json = dict[str, Any]
SECRET = "correct-horse-battery"
ROOT = "escadre-support-20260921T141320Z"


def pod(name: str, component: str, namespace: str = "escadre-system", **status: Any) -> Json:
    env = [
        {"name": "HOME", "value": "/home/x"},
        {"name": "PROXY_PASSWORD", "value": SECRET},
        {"name": "HUB", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"escadre.dev/component": component},
            "managedFields": [{"manager": "kubelet"}],
        },
        "spec": {"containers": [{"name": component, "image": "escadre:0.2.0", "env": env}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": component, **status}]},
    }


def event(name: str, about: Json, message: str, namespace: str = "chat") -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"namespace": namespace, **about},
        "message": message,
    }


@pytest.fixture
def program() -> Program:
    program = Program()
    server = program.server
    ended = {"exitCode": 1, "message": f"ValueError: no room\nprompt: {SECRET}"}
    engine = pod("assistant-0-x", "engine", "chat", lastState={"terminated": ended})
    operator = pod("escadre-operator-1", "operator", restartCount=1)
    for body in (engine, operator, pod("escadre-agent-1", "agent")):
        server.put(PODS, body)
    server.put(MODEL_DEPLOYMENTS, deployment())
    server.put(MODEL_APPROVALS, approval())
    server.put(GPU_NODES, gpunode("gpu-0"))
    node = {
        "metadata": {
            "name": "gpu-0",
            "labels": {"nvidia.com/gpu.product": "H100"},
            "annotations": {"a": SECRET},
        },
        "status": {"allocatable": {"nvidia.com/gpu": "8"}, "images": [{"names": ["x"]}]},
    }
    server.put(NODES, node)
    settings = {"config.yaml": f"engine:\n  image: vllm\n  env:\n    MY_TOKEN: {SECRET}\n"}
    where = {"name": "escadre", "namespace": "escadre-system"}
    server.put(CONFIG_MAPS, {"metadata": where, "data": settings})
    server.put(SECRETS, {"metadata": {"name": "hub", "namespace": "chat"}, "data": {"x": "eA=="}})
    wish = {"apiVersion": "escadre.dev/v1alpha1", "kind": "ModelDeployment", "name": "assistant"}
    server.put(EVENTS, event("1", wish, f"Ready=False: http://bob:{SECRET}@mirror/x?sig={SECRET}"))
    server.put(EVENTS, event("2", {"kind": "Pod", "name": "assistant-0-x"}, "Killing"))
    server.put(EVENTS, event("3", {"kind": "Pod", "name": "payroll-1"}, "of another team"))
    line = f'{{"event": "read", "header": "Bearer {SECRET}"}}\n'
    server.logs["escadre-system", "escadre-operator-1", "operator", False] = "a\n" * 5000 + line
    server.logs["escadre-system", "escadre-operator-1", "operator", True] = "the run before\n"
    server.logs["escadre-system", "escadre-agent-1", "agent", False] = "agent\n"
    server.logs["chat", "assistant-0-x", "engine", False] = "a user's words"
    return program


def refusal(verb: str, kind: str) -> Forbidden:
    words = f"bob cannot {verb} {kind}"
    return Forbidden(method=verb, object="x", status=403, message=words)


def unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(path) as bundle:
        found = {}
        for member in bundle.getmembers():
            file = bundle.extractfile(member)
            assert file is not None
            assert member.mode == 0o600
            found[member.name.removeprefix(f"{ROOT}/")] = file.read().decode()
    return found


def objects(files: dict[str, str], plural: str) -> list[Json]:
    items: list[Json] = json.loads(files[f"objects/{plural}.json"])["items"]
    return items


def test_a_bundle_holds_what_support_needs_and_no_secret(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    ran = program.run("support-bundle", "-o", str(path))
    assert (ran.code, ran.err) == (0, ""), ran.out
    assert ran.out.startswith(f"wrote {path}: ")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["b.tar.gz"]
    files = unpacked(path)
    assert not [name for name, text in files.items() if SECRET in text]
    assert not [name for name, text in files.items() if "eA==" in text]
    assert "MISSING.txt" not in files
    versions = json.loads(files["versions.json"])
    assert versions["cluster"]["gitVersion"] == "v1.36.3"
    assert json.loads(files["settings.json"])["engine"]["image"] == "vllm"
    assert objects(files, "modeldeployments")[0]["status"]["conditions"]
    assert objects(files, "modelapprovals")[0]["spec"]["requestedBy"] == "anne"
    assert objects(files, "leases")[0]["spec"]["holderIdentity"]
    (node,) = objects(files, "nodes")
    assert node["metadata"] == {
        "name": "gpu-0",
        "uid": node["metadata"]["uid"],
        "labels": {"nvidia.com/gpu.product": "H100"},
        "creationTimestamp": node["metadata"]["creationTimestamp"],
    }
    assert node["status"] == {"allocatable": {"nvidia.com/gpu": "8"}}


def test_pods_tell_their_states_and_no_variable_of_others(program: Program, tmp_path: Path) -> None:
    program.run("support-bundle", "-o", str(tmp_path / "b"))
    files = unpacked(tmp_path / "b")
    engine = next(one for one in objects(files, "pods") if one["metadata"]["namespace"] == "chat")
    (container,) = engine["spec"]["containers"]
    shown = {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
    assert shown["HOME"] == "/home/x"
    assert shown["PROXY_PASSWORD"] == "(redacted)"
    assert shown["HUB"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert "managedFields" not in engine["metadata"]
    (status,) = engine["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["message"].startswith("ValueError: no room\n(a line")


def test_events_are_escadre_s_alone(program: Program, tmp_path: Path) -> None:
    program.run("support-bundle", "-o", str(tmp_path / "b"))
    told = {
        one["metadata"]["name"]: one["message"]
        for one in objects(unpacked(tmp_path / "b"), "events")
    }
    assert set(told) == {"1", "2"}
    assert told["1"] == "Ready=False: http://(redacted)@mirror/x?(redacted)"


def test_logs_are_those_of_operator_and_agents_and_have_an_end(
    program: Program, tmp_path: Path
) -> None:
    program.run("support-bundle", "-o", str(tmp_path / "b"), "--tail", "3")
    files = unpacked(tmp_path / "b")
    logs = {name: text for name, text in files.items() if name.startswith("logs/")}
    where = "logs/escadre-system"
    assert set(logs) == {
        f"{where}/escadre-agent-1/agent.log",
        f"{where}/escadre-operator-1/operator.log",
        f"{where}/escadre-operator-1/operator.previous.log",
    }
    assert len(logs[f"{where}/escadre-operator-1/operator.log"].splitlines()) == 3


def test_of_long_lines_the_last_ones_are_kept(program: Program, tmp_path: Path) -> None:
    long = "".join(f"{number} {'x' * 2000}\n" for number in range(1500))
    key = ("escadre-system", "escadre-agent-1", "agent", False)
    program.server.logs[key] = long
    program.run("support-bundle", "-o", str(tmp_path / "b"))
    log = unpacked(tmp_path / "b")["logs/escadre-system/escadre-agent-1/agent.log"]
    assert log.splitlines()[-1].startswith("1499 ")
    assert 250_000 < len(log) <= 1 << 20


def test_views_say_what_the_commands_do(program: Program, tmp_path: Path) -> None:
    program.run("support-bundle", "-o", str(tmp_path / "b"))
    files = unpacked(tmp_path / "b")
    assert "✓ operator: escadre-operator-7d9-x leads" in files["views/status.txt"]
    assert files["views/why/chat.assistant.txt"].startswith("chat/assistant is ready")
    assert "Replicas  2/2" in files["views/status/chat.assistant.txt"]
    assert "8×H100" in files["views/nodes.txt"]


def test_what_may_not_be_read_is_said(program: Program, tmp_path: Path) -> None:
    program.api = api = program.server.client("bob")
    for verb, kind in (("list", "Node"), ("get", "ConfigMap"), ("read", "Pod"), ("get", "Lease")):
        api.refuse(verb, kind, partial(refusal, verb, kind))
    ran = program.run("support-bundle", "-o", str(tmp_path / "b"))
    assert ran.code == 1
    assert "MISSING.txt in it says what, and why" in ran.out
    files = unpacked(tmp_path / "b")
    missing = files["MISSING.txt"].splitlines()
    assert "nodes: listing x: bob cannot list Node (403)" in missing
    assert "Lease escadre-system/escadre-operator: getting x: bob cannot get Lease (403)" in missing
    assert sum(line.startswith("log") for line in missing) == 3
    assert "whether an operator leads is not known" in files["views/status.txt"]
    assert objects(files, "nodes") == []
    assert f"{len(missing)} things that could not be read" in files["README.txt"]


def test_who_may_read_one_namespace_gets_that_one(program: Program, tmp_path: Path) -> None:
    program.server.put(MODEL_DEPLOYMENTS, deployment("other", "elsewhere"))
    ran = program.run("support-bundle", "-o", str(tmp_path / "b"), "-n", "chat")
    assert ran.code == 0, ran.out
    files = unpacked(tmp_path / "b")
    assert [one["metadata"]["name"] for one in objects(files, "modeldeployments")] == ["assistant"]
    assert len(objects(files, "pods")) == 3, "the operator's own namespace is always read"


def test_nothing_is_overwritten(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "b"
    path.write_text("mine")
    ran = program.run("support-bundle", "-o", str(path))
    assert ran.code == 3
    assert (
        ran.err == f"escadre: {path} exists already and is not overwritten; name another: -o PATH\n"
    )
    assert program.targets == [], "the cluster was not asked"
    with pytest.raises(EscadreError, match="exists already"):
        archive.write(path, ROOT, {}, NOW)
    assert path.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["b"]


def test_a_folder_that_is_not_there_is_named(program: Program, tmp_path: Path) -> None:
    ran = program.run("support-bundle", "-o", str(tmp_path / "no" / "b"))
    assert (ran.code, program.targets) == (3, [])
    assert f"-o {tmp_path}/no/b: there is no folder {tmp_path}/no" in ran.err


def test_without_a_cluster_nothing_is_written(program: Program, tmp_path: Path) -> None:
    program.api = api = program.server.client("bob")
    gone = ServerUnavailable(method="get", object="version", message="refused")
    api.refuse("get", "Version", lambda: gone)
    ran = program.run("support-bundle", "-o", str(tmp_path / "b"))
    assert ran.code == 4
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_has_a_size(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "LARGEST", 9000)
    ran = program.run("support-bundle", "-o", str(tmp_path / "b"))
    assert ran.code == 1
    files = unpacked(tmp_path / "b")
    assert sum(len(one) for name, one in files.items() if "/" in name) <= 9000
    assert "views/status.txt" in files
    assert "more than the 9.0 kB of a bundle" in files["MISSING.txt"]
