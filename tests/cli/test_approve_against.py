"""`escadre approve sign --against`: the signer's own copy is hashed before a word is written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.engine.checkpoint import write_checkpoint
from e2e.engine.mirror.server import MirrorServer
from e2e.engine.mirror.tree import Tree, flip_byte
from tests.cli.harness import Program, Ran
from tests.cli.test_approve_draft import TERMS, cluster

from escadre.clients.kube import MODEL_APPROVALS, MODEL_SIGNATURES, Forbidden

WEIGHTS = "consolidated.safetensors"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def document(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The approval that anne asks for."""
    out = tmp_path_factory.mktemp("out")
    given = ["--revision", "a" * 40, "--folder", str(model), "--out", str(out)]
    ran = cluster("https://m.example").run("approve", "draft", *TERMS, *given)
    assert ran.code == 0, ran.err
    drafted: dict[str, Any] = yaml.safe_load((out / "tiny-model.yaml").read_text())
    return drafted


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """The signer's own copy."""
    return Path(shutil.copytree(model, tmp_path / "own"))


def sign(document: dict[str, Any], *given: str, url: str = "https://m.example") -> tuple[Ran, Any]:
    program: Program = cluster(url)
    program.user = "bob"
    program.server.put(MODEL_APPROVALS, json.loads(json.dumps(document)))
    ran = program.run("approve", "sign", "tiny-model", "--yes", *given)
    written = program.server.all(MODEL_SIGNATURES)
    return ran, written[0]["spec"] if written else None


def test_what_was_hashed_stands_in_the_signature(document: dict[str, Any], own: Path) -> None:
    ran, spec = sign(document, "--against", str(own), "--reason", "ticket 7")
    assert ran.code == 0, ran.err
    size = sum(file["size"] for file in document["spec"]["files"])
    assert spec["reason"] == (
        f"ticket 7; escadre 0.2.0 hashed 3 files, {size:,} bytes, from folder {own}: files and "
        f"chunks are those of {document['spec']['manifestDigest']}"
    )
    assert spec["reason"].removeprefix("ticket 7; ") in ran.err.replace("\n", " ")


def test_a_mirror_of_any_kind_will_do(document: dict[str, Any], own: Path, tmp_path: Path) -> None:
    """A plain tree has no list of files; the approval says which there are."""
    commit = Tree(tmp_path / "root").publish(own, "org/Tiny-Model")
    spec = document["spec"] | {"revision": commit}
    with MirrorServer(tmp_path / "root") as server:
        ran, written = sign(document | {"spec": spec}, "--against", "internal", url=server.url)
    assert ran.code == 0, ran.err
    assert "from ModelMirror internal: files and chunks are those of sha256:" in written["reason"]


def edit(name: str, old: bytes, new: bytes) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        assert old in content
        (folder / name).write_bytes(content.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            lambda folder: flip_byte(folder / WEIGHTS, 5_000_000),
            [f"{WEIGHTS}: the bytes have sha256 ", ", approved is "],
            id="a byte of the weights",
        ),
        pytest.param(
            edit("params.json", b'"rope_theta": 1000000.0', b'"rope_theta": 2000000.0'),
            ["params.json: the bytes have sha256 "],
            id="a number of the configuration",
        ),
        pytest.param(
            lambda folder: (folder / "tekken.json").unlink(),
            ["tekken.json cannot be read: ", "is not there"],
            id="a file that lacks",
        ),
        pytest.param(
            lambda folder: (folder / "params.json").write_text("{}"),
            ["params.json cannot be read: ", "has 2 bytes, "],
            id="of another size",
        ),
    ],
)
def test_any_difference_is_named_and_nothing_is_signed(
    change: Callable[[Path], object], says: list[str], document: dict[str, Any], own: Path
) -> None:
    change(own)
    ran, written = sign(document, "--against", str(own))
    assert (ran.code, written) == (3, None)
    assert "is not what ModelApproval tiny-model approves, and nothing was signed\n" in ran.err
    assert [words for words in says if words not in ran.err] == []


def test_files_that_differ_are_all_named(document: dict[str, Any], own: Path) -> None:
    flip_byte(own / WEIGHTS, 5_000_000)
    edit("params.json", b'"norm_eps": 1e-05', b'"norm_eps": 2e-05')(own)
    ran, written = sign(document, "--against", str(own))
    assert (ran.code, written) == (3, None)
    assert f"1. {WEIGHTS}: the bytes have sha256" in ran.err
    assert "2. params.json: the bytes have sha256" in ran.err


@pytest.mark.parametrize(
    ("member", "value", "says"),
    [
        pytest.param(
            "manifestDigest", f"sha256:{'0' * 64}", "the manifest of these very files", id="digest"
        ),
        pytest.param(
            "architecture",
            {"layers": 1},
            "architecture.layers is 1 in the approval, and by the files 2",
            id="a fact of the planner",
        ),
        pytest.param(
            "files",
            [{"path": "model.py", "size": 3, "sha256": "0" * 64}],
            "model.py is approved, and a draft would leave it out",
            id="a file of code",
        ),
    ],
)
def test_an_approval_that_no_draft_could_have_made_is_not_signed(
    member: str, value: Any, says: str, document: dict[str, Any], own: Path
) -> None:
    spec = document["spec"]
    changed = {
        "manifestDigest": value,
        "architecture": spec["architecture"] | value if member == "architecture" else None,
        "files": [*spec["files"], *value] if member == "files" else None,
    }[member]
    (own / "model.py").write_text("1+1")
    ran, written = sign(document | {"spec": spec | {member: changed}}, "--against", str(own))
    assert (ran.code, written) == (3, None)
    assert says in ran.err


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        pytest.param(["--against", "./nothing"], 3, "nothing is no folder", id="no folder"),
        pytest.param(["--against", "intern"], 3, "ModelMirror intern does not", id="no mirror"),
        pytest.param(
            ["--against", "./", "--reason", "x" * 701], 2, "701 characters", id="a long reason"
        ),
        pytest.param(
            ["--credentials", "/nowhere"],
            2,
            "--credentials: without --against no mirror is read; leave it out",
            id="credentials for nobody",
        ),
        pytest.param(
            ["--system-namespace", "elsewhere"],
            2,
            "--system-namespace: without --against no mirror is read; leave it out",
            id="a place for nothing",
        ),
        pytest.param(
            ["--against", "./", "--credentials", "/nowhere"],
            2,
            "--credentials: --against ./ is a folder, which takes none; leave it out",
            id="credentials for a folder",
        ),
    ],
)
def test_what_cannot_be_checked_is_told_before_anything_is_hashed(
    given: list[str],
    code: int,
    says: str,
    document: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran, written = sign(document, *given)
    assert (ran.code, written) == (code, None)
    assert says in ran.err + capsys.readouterr().err


def test_what_the_api_server_has_against_it_is_heard_before_anything_is_hashed(
    document: dict[str, Any], own: Path
) -> None:
    program: Program = cluster("https://m.example")
    program.user = "bob"
    program.server.put(MODEL_APPROVALS, json.loads(json.dumps(document)))
    words = "modelsignatures is forbidden: User bob cannot create it"
    api = program.api = program.server.client("bob")
    api.refuse(
        "create",
        "ModelSignature",
        lambda: Forbidden(method="create", object="ModelSignature x", status=403, message=words),
    )
    (own / WEIGHTS).unlink()  # to look at it at all would be told
    ran = program.run("approve", "sign", "tiny-model", "--yes", "--against", str(own))
    assert ran.code == 4
    assert words in ran.err
    assert WEIGHTS not in ran.err


def test_a_signature_that_is_there_already_is_told_before_anything_is_hashed(
    document: dict[str, Any], own: Path
) -> None:
    """The operator has not looked at it: the approval's status does not name it."""
    program: Program = cluster("https://m.example")
    program.user = "bob"
    program.server.put(MODEL_APPROVALS, json.loads(json.dumps(document)))
    first = program.run("approve", "sign", "tiny-model", "--yes")
    assert first.code == 0, first.err
    for each in program.server.all(MODEL_SIGNATURES):
        assert each["spec"]["by"] == "bob"
    (own / WEIGHTS).unlink()
    ran = program.run("approve", "sign", "tiny-model", "--yes", "--against", str(own))
    assert ran.code == 3
    assert "bob has signed this content already (ModelSignature tiny-model-" in ran.err
    assert WEIGHTS not in ran.err
    assert len(program.server.all(MODEL_SIGNATURES)) == 1
