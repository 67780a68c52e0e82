"""`escadre mirror test`: what a person learns of a mirror, and what stands in the way."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from e2e.engine.checkpoint import write_checkpoint
from e2e.engine.mirror.server import MirrorServer
from e2e.engine.mirror.tree import Tree
from tests.cli.harness import Program
from tests.cli.test_approve_draft import TERMS, allow_loopback
from tests.clients.sources.faulty import Answer, Faulty, faulty, refuse

from escadre.clients.kube import MODEL_APPROVALS, MODEL_MIRRORS

Json = dict[str, Any]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return write_checkpoint(tmp_path / "model")


@pytest.fixture
def commit(model: Path, tmp_path: Path) -> str:
    return Tree(tmp_path / "root").publish(model, "org/Tiny-Model")


@pytest.fixture
def hub(commit: str, tmp_path: Path) -> Iterator[MirrorServer]:
    assert commit
    with MirrorServer(tmp_path / "root", token="t0k") as server:
        yield server


def cluster(url: str, type_: str = "huggingface") -> Program:
    program = Program(user="anne", terminal=True, width=80)
    manifests = {"manifestsURL": f"{url}/manifests"} if type_ == "huggingface" else {}
    spec = {"type": type_, "url": url, **manifests}
    if "127.0.0.1" in url:
        allow_loopback(program.server)
    program.server.put(MODEL_MIRRORS, {"metadata": {"name": "internal"}, "spec": spec})
    return program


def approve(program: Program, commit: str, model: Path, out: Path) -> Json:
    """Draft from the folder, and apply it."""
    given = ["--revision", commit, "--folder", str(model), "--out", str(out)]
    ran = program.run("approve", "draft", *TERMS, *given)
    assert ran.code == 0, ran.err
    body: Json = yaml.safe_load((out / "tiny-model.yaml").read_text())
    program.server.put(MODEL_APPROVALS, body)
    return body


def publish(body: Json, out: Path, root: Path) -> None:
    name = f"{body['spec']['manifestDigest'][7:]}.manifest"
    (root / "escadre-manifests").mkdir(exist_ok=True)
    (root / "escadre-manifests" / name).write_bytes((out / name).read_bytes())


@pytest.fixture
def token(tmp_path: Path) -> list[str]:
    (tmp_path / "token").write_text("t0k\n")
    return ["--token-file", str(tmp_path / "token")]


def test_an_approval_s_files_are_asked_for_and_their_digests_compared(
    hub: MirrorServer, commit: str, model: Path, tmp_path: Path, token: list[str]
) -> None:
    program = cluster(hub.url)
    publish(approve(program, commit, model, tmp_path / "out"), tmp_path / "out", tmp_path / "root")
    ran = program.run("mirror", "test", "internal", *token, "-o", "json")
    assert ran.code == 0, ran.out + ran.err
    told = json.loads(ran.out)
    assert (told["ok"], told["ranges"], told["of"]) == (True, True, "ModelApproval tiny-model")
    assert [one["subject"] for one in told["findings"]] == ["manifest", "list", "ranges", "content"]
    assert told["firstByteSeconds"] >= 0
    shown = program.run("mirror", "test", "internal", *token)
    assert "params.json has the approved digest" in shown.out
    assert "✗" not in shown.out


def test_before_there_is_an_approval_the_mirror_s_list_says_what_to_read(
    hub: MirrorServer, commit: str, token: list[str]
) -> None:
    given = ["--repository", "org/Tiny-Model", "--revision", commit, "-o", "json"]
    ran = cluster(hub.url).run("mirror", "test", "internal", *token, *given)
    assert ran.code == 0, ran.out + ran.err
    assert [one["subject"] for one in json.loads(ran.out)["findings"]] == ["list", "ranges"]


def test_each_question_that_fails_is_told_with_its_reason_and_a_next_step(
    hub: MirrorServer, commit: str, model: Path, tmp_path: Path
) -> None:
    program = cluster(hub.url)
    approve(program, commit, model, tmp_path / "out")  # the manifest is not published
    ran = program.run("mirror", "test", "internal")
    assert ran.code == 1
    assert ran.out.count("Unauthorized") == 4
    assert "next: " in ran.out


def test_a_manifest_that_nobody_published_is_not_found(
    hub: MirrorServer, commit: str, model: Path, tmp_path: Path, token: list[str]
) -> None:
    program = cluster(hub.url)
    approve(program, commit, model, tmp_path / "out")
    ran = program.run("mirror", "test", "internal", *token, "-o", "json")
    assert ran.code == 1
    manifest, *others = json.loads(ran.out)["findings"]
    assert manifest["reason"] == "MirrorFileNotFound"
    assert all(one["ok"] for one in others)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty() as server:
        yield server


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        pytest.param([], 3, "no ModelApproval names ModelMirror internal", id="nothing approved"),
        pytest.param(["--approval", "nope"], 3, "ModelApproval nope does not exist", id="unknown"),
        pytest.param(["--revision", "main"], 2, "a commit, 40 hex", id="branch"),
        pytest.param(["--repository", "x"], 2, "organisation/model", id="repository"),
        pytest.param(["--repository", "o/m"], 2, "--revision together", id="no revision"),
        pytest.param(["--revision", "0" * 40], 2, "--repository and --rev", id="no repository"),
        pytest.param(
            ["--repository", "o/m", "--revision", "0" * 40, "--approval", "a"],
            2,
            "or --approval alone",
            id="both",
        ),
        pytest.param(
            ["--repository", "o/m", "--revision", "0" * 40], 3, "with --approval", id="plain tree"
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(
    server: Faulty, given: list[str], code: int, says: str
) -> None:
    program = cluster(server.url, "http")
    ran = program.run("mirror", "test", "internal", *given)
    assert (ran.code, says in ran.err) == (code, True), ran.err
    assert bool(program.targets) == (code == 3), "wrong use is told before anybody is asked"


C = "0" * 40
ASKED = ["--repository", "o/m", "--revision", C]


def test_names_from_a_list_carry_no_control_to_the_terminal(server: Faulty) -> None:
    name = "a\x1b[2J\x9b3m\u202e\nok"
    listed = f"/api/models/o/m/tree/{C}?recursive=true&expand=false"
    server.files[listed] = json.dumps([{"type": "file", "path": name, "size": 4}]).encode()
    server.files[f"/o/m/resolve/{C}/{quote(name)}"] = b"text"
    ran = cluster(server.url).run("mirror", "test", "internal", *ASKED)
    assert ran.code == 0, ran.err
    assert r"a\x1b[2J\x9b3m\u202e\nok" in ran.out


def test_a_mirror_that_wants_to_be_left_alone_says_for_how_long(
    server: Faulty, tmp_path: Path
) -> None:
    server.everything = refuse(429, {"Retry-After": "31536000"})
    program = cluster(server.url)
    program.width = 400
    ran = program.run("mirror", "test", "internal", *ASKED)
    assert ran.code == 1
    assert "HTTP 429; it asks to be left alone for 3,600 s" in ran.out
    given = ["--revision", C, "--out", str(tmp_path)]
    ran = program.run("approve", "draft", *TERMS, *given)
    assert ran.code == 3
    assert "HTTP 429; it asks to be left alone for 3,600 s\nnext: " in ran.err


def test_a_list_that_fails_is_told_as_any_other_question(server: Faulty) -> None:
    server.everything = refuse(401)
    ran = cluster(server.url).run("mirror", "test", "internal", *ASKED, "-o", "json")
    assert ran.code == 1, ran.err
    found = json.loads(ran.out)
    assert found["ok"] is False
    assert [(one["subject"], one["reason"]) for one in found["findings"]] == [
        ("list", "Unauthorized")
    ]


@pytest.mark.parametrize("command", ["test", "draft"])
def test_a_mirror_of_another_version_is_refused_by_its_field(command: str, tmp_path: Path) -> None:
    program = cluster("https://hub.bank.example", "torrent")
    given = {
        "test": ["mirror", "test", "internal", *ASKED],
        "draft": ["approve", "draft", *TERMS, "--revision", C, "--folder", str(tmp_path)],
    }
    ran = program.run(*given[command])
    assert ran.code == 3
    assert (
        "ModelMirror internal: spec.type: \"torrent\" is given; 'huggingface', 'http', 's3',"
        in ran.err
    )
    assert "next: correct that field, or use the escadre of the version" in ran.err


def test_where_a_mirror_leads_and_in_how_many_pages_it_lists_is_told(server: Faulty) -> None:
    listed = f"/api/models/o/m/tree/{C}?recursive=true&expand=false"
    pages = [[{"type": "file", "path": name, "size": 4}] for name in ("a", "b")]
    server.files[listed] = json.dumps(pages[0]).encode()
    server.files["/two"] = json.dumps(pages[1]).encode()

    def more(answer: Answer) -> None:
        answer.headers["Link"] = '</two>; rel="next"'

    server.always[listed] = more
    with faulty({"/signed?X-Amz-Signature=s3cr3t": b"text"}) as store:
        away = {"Location": f"{store.url}/signed?X-Amz-Signature=s3cr3t"}
        server.always[f"/o/m/resolve/{C}/b"] = refuse(307, away)
        program, host = cluster(server.url), store.url.removeprefix("http://")
        program.width = 400
        ran = program.run("mirror", "test", "internal", *ASKED)
        assert ran.code == 1
        assert "2 files in 2 pages" in ran.out
        assert re.search(rf"redirects +to {re.escape(host)}", ran.out)
        assert f"list {host} in spec.redirectHosts" in ran.out
        told = json.loads(program.run("mirror", "test", "internal", *ASKED, "-o", "json").out)
        assert told["redirectHosts"] == [host]
        assert "s3cr3t" not in ran.out
