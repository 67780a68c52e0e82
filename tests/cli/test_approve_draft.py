"""`escadre approve draft`, from a real mirror and from a folder."""

import base64
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from e2e.engine.checkpoint import write_checkpoint
from e2e.engine.mirror.server import MirrorServer
from e2e.engine.mirror.tree import Tree, flip_byte
from tests.cli.harness import Broken, Program
from tests.core.weights.test_architecture import HF_SMALL_3
from tests.fakes.kube import FakeServer
from typing_extensions import override

from escadre.api.approval import ModelApprovalSpec
from escadre.cli.approve.drafting import make_draft
from escadre.cli.approve.source import Repository, folder_repository
from escadre.clients.kube import (
    CONFIG_MAPS,
    MODEL_MIRRORS,
    SECRETS,
    ConnectionUnknown,
    ServerUnavailable,
)
from escadre.clients.sources.protocol import ListedFile, Sink
from escadre.core.weights import manifest
from escadre.core.weights.findings import IntakeError
from escadre.errors import EscadreError

TOKENIZER = '{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}'
TERMS = [
    *("--repository", "org/Tiny-Model", "--allow", "chat", "--licence", "Apache-2.0"),
    *("--accepted-by", "legal", "--not-after", "2027-06-30", "--mirror", "internal"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model"))


@pytest.fixture
def commit(model: Path, tmp_path: Path) -> str:
    (tmp_path / "copy").mkdir()
    for path in model.iterdir():
        (tmp_path / "copy" / path.name).write_bytes(path.read_bytes())
    return Tree(tmp_path / "root").publish(tmp_path / "copy", "org/Tiny-Model")


@pytest.fixture
def hub(commit: str, tmp_path: Path) -> Iterator[MirrorServer]:
    assert commit
    with MirrorServer(tmp_path / "root", token="t0k") as server:
        yield server


def allow_loopback(server: FakeServer) -> None:
    """As a platform does whose mirrors are there."""
    settings = "engine: {}\nagent: {mirrorAllowedCIDRs: [127.0.0.0/8]}"
    meta = {"name": "escadre", "namespace": "escadre-system"}
    server.put(CONFIG_MAPS, {"metadata": meta, "data": {"config.yaml": settings}})


def cluster(url: str, **spec: Any) -> Program:
    program = Program(user="anne")
    mirror = {"type": "huggingface", "url": url, "manifestsURL": f"{url}/manifests", **spec}
    if "127.0.0.1" in url:
        allow_loopback(program.server)
    program.server.put(MODEL_MIRRORS, {"metadata": {"name": "internal"}, "spec": mirror})
    return program


def test_a_mirror_is_hashed_and_described(hub: MirrorServer, commit: str, tmp_path: Path) -> None:
    program = cluster(hub.url)
    (tmp_path / "token").write_text("t0k\n")
    out = tmp_path / "out"
    given = ["--revision", commit, "--token-file", str(tmp_path / "token"), "--out", str(out)]
    ran = program.run("approve", "draft", *TERMS, *given)
    assert ran.code == 0, ran.err
    document = yaml.safe_load((out / "tiny-model.yaml").read_text())
    spec = ModelApprovalSpec.model_validate(document["spec"])
    assert spec.requested_by == "anne"
    assert spec.architecture.layers == 2
    text = (out / f"{spec.manifest_digest[7:]}.manifest").read_bytes()
    assert manifest.digest(text) == spec.manifest_digest
    listed = [(file.path, file.size, file.sha256) for file in manifest.parse(text).files]
    assert listed == [(file.path, file.size, file.sha256) for file in spec.files]
    assert f"to {hub.url}/manifests/\n" in ran.out


def test_the_folder_gives_the_same_draft(
    hub: MirrorServer, commit: str, tmp_path: Path, model: Path
) -> None:
    program = cluster(hub.url, credentialsSecretName="mirror-token")
    secret = {"token": base64.b64encode(b"t0k").decode()}
    meta = {"name": "mirror-token", "namespace": "escadre-system"}
    program.server.put(SECRETS, {"metadata": meta, "data": secret})
    given = ["--revision", commit, "-o", "json", "--out", str(tmp_path / "a")]
    mirrored = program.run("approve", "draft", *TERMS, *given)
    assert mirrored.code == 0, mirrored.err
    given = ["--revision", commit, "-o", "json", "--out", str(tmp_path / "b")]
    local = program.run("approve", "draft", *TERMS, *given, "--folder", str(model))
    assert local.code == 0, local.err
    one, other = json.loads(mirrored.out), json.loads(local.out)
    assert one["document"] == other["document"]
    assert one["files"] == 3


def test_a_file_that_cannot_be_read_is_named_with_the_cause(tmp_path: Path) -> None:
    """As weights that another user saved with mode 0600; here the file is gone when it is read."""
    gone = ListedFile("consolidated.safetensors", 8, None)
    with pytest.raises(EscadreError, match=r"consolidated\.safetensors is not there"):
        folder_repository(tmp_path).read(gone, lambda _: None)


def test_bytes_that_differ_from_the_mirror_s_own_list_are_refused(
    hub: MirrorServer, commit: str, tmp_path: Path
) -> None:
    program = cluster(hub.url)
    (tmp_path / "token").write_text("t0k")
    given = ["--revision", commit, "--token-file", str(tmp_path / "token")]
    hub.faults.add("flip", "*/consolidated.safetensors", after=5_000_000)
    ran = program.run("approve", "draft", *TERMS, *given, "--out", str(tmp_path / "out"))
    assert ran.code == 3
    assert "but the mirror lists" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["--revision", "0" * 40], "HTTP 401", id="no credentials"),
        pytest.param(
            ["--revision", "0" * 40, "--token-file", "/nowhere"], "No such file", id="no token"
        ),
        pytest.param(["--revision", "0" * 40, "--folder", "/nowhere"], "no folder", id="no folder"),
    ],
)
def test_what_cannot_be_drafted_is_told(
    hub: MirrorServer, arguments: list[str], says: str, tmp_path: Path
) -> None:
    ran = cluster(hub.url).run("approve", "draft", *TERMS, *arguments, "--out", str(tmp_path))
    assert ran.code != 0
    assert says in ran.err


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        pytest.param("--revision", "main", '"main": must be a commit, 40 lower-case', id="branch"),
        pytest.param("--repository", "tiny", '"tiny": must be organisation/model', id="repository"),
        pytest.param("--name", "Tiny_1", '"Tiny_1" is no name of an object', id="capitals"),
        pytest.param("--name", "a\nb", '"a\\nb" is no name of an object', id="two lines"),
        pytest.param("--name", "a..b", "letter or digit at both ends and beside each .", id="dots"),
        pytest.param("--name", "a" * 254, "253 characters at most", id="a long name"),
        pytest.param("--allow", "Chat", '"Chat": must be the name of a namespace', id="namespace"),
        pytest.param("--mirror", "a/b", '"a/b": must be a name of Kubernetes', id="mirror"),
        pytest.param("--accepted-by", " ", '" ": must not be blank', id="accepted by nobody"),
        pytest.param("--contract", " ", '" ": must not be blank', id="blank contract"),
        pytest.param("--requested-by", " ", '" ": must not be blank', id="asked by nobody"),
        pytest.param("--licence", "MIT License", '"MIT License": must be one SPDX', id="licence"),
        pytest.param(
            "--licence",
            "Foo-1.0",
            '"Foo-1.0" is no identifier of the SPDX licence list',
            id="no such",
        ),
        pytest.param(
            "--licence", "apache-2.0", '"apache-2.0": SPDX writes it Apache-2.0', id="small letters"
        ),
        pytest.param(
            "--required-approvals", "0", "0 is less than 1, the least there may be", id="nobody"
        ),
        pytest.param(
            "--required-approvals",
            "17",
            "17 is more than 16, the most there may be",
            id="17 people",
        ),
        pytest.param(
            "--not-after",
            "2026-09-21",
            "2026-09-21T00:00:00Z is past, it is 2026-09-21T14:13:20Z now; give a later end",
            id="this morning",
        ),
        pytest.param(
            "--not-after",
            "30/06/2027",
            '"30/06/2027" is no time; write a date like 2027-06-30, which means 00:00 UTC at the '
            "start of that day, or a time like 2027-06-30T18:00:00Z",
            id="no ISO date",
        ),
    ],
)
def test_a_wrong_option_is_told_before_a_byte_is_read(
    option: str, value: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Program(user="anne")
    given = ["--revision", "0" * 40, "--folder", "/nowhere", option, value]
    ran = program.run("approve", "draft", *TERMS, *given)
    assert ran.code == 2
    assert program.targets == []
    assert f"Invalid value for {option}: " in (told := capsys.readouterr().err)
    assert says in told


def test_a_place_of_the_operator_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--revision", "0" * 40, "--folder", "/nowhere", "--system-namespace", "Chat"]
    ran = Program(user="anne").run("approve", "draft", *TERMS, *given)
    assert ran.code == 2
    assert "'Chat': a namespace has lower-case letters" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_a_byte_is_read() -> None:
    program = Program(user="anne")
    given = ["--revision", "0" * 40, "--folder", "/nowhere", "--out", "/dev/null/x"]
    ran = program.run("approve", "draft", *TERMS, *given)
    assert (ran.code, program.targets) == (3, [])
    assert "--out /dev/null/x: /dev/null is a file, not a folder" in ran.err


@pytest.mark.parametrize("token", ["/nowhere", "/dev/null"])
def test_credentials_beside_a_folder_are_refused(token: str) -> None:
    program = Program(user="anne")
    given = ["--revision", "0" * 40, "--folder", "/nowhere", "--credentials", token]
    ran = program.run("approve", "draft", *TERMS, *given)
    assert (ran.code, program.targets) == (2, [])
    assert "--credentials: with --folder no mirror is read; leave one of them out" in ran.err


@pytest.mark.parametrize(
    ("end", "stored"),
    [
        pytest.param("2027-06-30", "2027-06-30T00:00:00Z", id="a date begins at midnight UTC"),
        pytest.param("2027-06-30T18:00:00", "2027-06-30T18:00:00Z", id="no zone is UTC"),
        pytest.param("2027-06-30T18:00:00+02:00", "2027-06-30T16:00:00Z", id="another zone"),
    ],
)
def test_the_end_is_stored_in_utc(end: str, stored: str, model: Path, tmp_path: Path) -> None:
    given = ["--revision", "0" * 40, "--folder", str(model), "--requested-by", "anne"]
    given += ["--not-after", end, "--out", str(tmp_path), "-o", "json"]
    ran = cluster("https://m.example").run("approve", "draft", *TERMS, *given, "--allow", "chat")
    spec = json.loads(ran.out)["document"]["spec"]
    assert spec["notAfter"] == stored
    assert spec["namespaces"] == ["chat"]


@pytest.mark.parametrize("mirrors", [["intern"], ["internal", "intern"]])
def test_an_unknown_mirror_is_answered_with_those_there_are(mirrors: list[str]) -> None:
    program = cluster("https://m.example")
    terms = [each for each in TERMS if each not in {"--mirror", "internal"}]
    for mirror in mirrors:
        terms += ["--mirror", mirror]
    ran = program.run("approve", "draft", *terms, "--revision", "0" * 40)
    says = "escadre: ModelMirror intern does not exist; near it: internal\n"
    assert (ran.code, ran.err) == (3, says)


def test_an_unknown_mirror_is_refused_for_a_folder_too(model: Path, tmp_path: Path) -> None:
    given = ["--revision", "0" * 40, "--folder", str(model), "--mirror", "nope"]
    ran = cluster("https://m.example").run(
        "approve", "draft", *TERMS, *given, "--out", str(tmp_path / "out")
    )
    says = "escadre: ModelMirror nope does not exist; there are: internal\n"
    assert (ran.code, ran.err) == (3, says)
    assert not (tmp_path / "out").exists()


def test_a_folder_is_drafted_without_a_cluster_and_what_was_not_looked_at_is_said(
    model: Path, tmp_path: Path
) -> None:
    program = Program()
    api = program.server.client("anne")
    api.refuse(
        "get",
        "ModelMirror",
        lambda: ServerUnavailable(method="get", object="modelmirrors", message="refused"),
    )
    program.api = api
    given = ["--revision", "0" * 40, "--folder", str(model), "--requested-by", "anne"]
    ran = program.run("approve", "draft", *TERMS, *given, "--out", str(tmp_path / "out"))
    assert ran.code == 0
    assert "not known whether --mirror internal exists: " in ran.err
    assert ".manifest to where the mirror keeps its manifests\n" in ran.out


@pytest.mark.parametrize(
    "revision",
    [
        pytest.param("1" * 40, id="digits only"),
        pytest.param("0899" * 10, id="no octal number, so text to PyYAML and a number to kubectl"),
        pytest.param("1" * 37 + "e12", id="a number with an exponent"),
        pytest.param("a" * 40, id="text to all"),
    ],
)
def test_a_commit_is_text_to_every_reader(revision: str, model: Path, tmp_path: Path) -> None:
    given = ["--revision", revision, "--folder", str(model), "--out", str(tmp_path)]
    ran = cluster("https://m.example").run("approve", "draft", *TERMS, *given)
    assert ran.code == 0, ran.err
    text = (tmp_path / "tiny-model.yaml").read_text()
    assert yaml.safe_load(text)["spec"]["revision"] == revision
    if revision[0].isdigit():
        assert f'revision: "{revision}"\n' in text


def test_a_commit_that_the_mirror_has_not_has_a_fitting_next_step(
    hub: MirrorServer, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("t0k")
    given = ["--revision", "0" * 40, "--token-file", str(tmp_path / "token")]
    ran = cluster(hub.url).run("approve", "draft", *TERMS, *given)
    assert ran.code == 3
    assert "ModelMirror internal: listing org/Tiny-Model at 0000" in ran.err
    assert "HTTP 404, no such repository or commit\nnext: Correct --repository or" in ran.err
    assert "named file" not in ran.err


def test_what_was_written_and_overwritten_is_told(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    given = ["--revision", "0" * 40, "--folder", str(model), "--requested-by", "anne"]
    given += ["--out", str(out)]
    first = cluster("https://m.example").run("approve", "draft", *TERMS, *given)
    (manifest,) = out.glob("*.manifest")
    assert f"\nwrote {manifest}\nwrote {out}/tiny-model.yaml\n" in first.out
    manifest.unlink()
    second = cluster("https://m.example").run("approve", "draft", *TERMS, *given)
    assert f"\nwrote {manifest}\noverwrote {out}/tiny-model.yaml\n" in second.out


def test_a_draft_that_cannot_be_written_whole_leaves_what_was_there(
    model: Path, tmp_path: Path
) -> None:
    """The approval's place is taken by a folder: the manifest is not left behind alone."""
    (tmp_path / "tiny-model.yaml").mkdir()
    given = ["--revision", "0" * 40, "--folder", str(model), "--out", str(tmp_path)]
    ran = cluster("https://m.example").run("approve", "draft", *TERMS, *given)
    assert (ran.code, ran.out) == (3, "")
    assert f"writing the draft to {tmp_path}: Is a directory" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-model.yaml"]


def test_a_name_that_would_move_the_cursor_is_printed_escaped(model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "copy"))
    (folder / os.fsdecode(b"x\xff\x1b[2Jall is well.bin")).touch()
    (folder / "y.bin\nwrote all").touch()
    given = ["--revision", "0" * 40, "--folder", str(folder), "--out", str(tmp_path / "out")]
    ran = cluster("https://m.example").run("approve", "draft", *TERMS, *given)
    assert ran.code == 0, ran.err
    assert "left out: x\\udcff\\x1b[2Jall is well.bin\n" in ran.out
    assert "left out: y.bin\\nwrote all\n" in ran.out


def test_what_is_to_be_copied_is_one_line_on_80_columns(model: Path, tmp_path: Path) -> None:
    program, out = cluster("https://m.example"), tmp_path / "out"
    program.width = 80
    given = ["--revision", "0" * 40, "--folder", str(model), "--out", str(out)]
    ran = program.run("approve", "draft", *TERMS, *given)
    assert ran.code == 0, ran.err
    (manifest,) = out.glob("*.manifest")
    assert f"2. copy {manifest} to https://m.example/manifests/\n" in ran.out


def test_a_plain_tree_is_drafted_from_its_folder(hub: MirrorServer) -> None:
    program = cluster(hub.url, type="http")
    ran = program.run("approve", "draft", *TERMS, "--revision", "0" * 40)
    assert ran.code == 3
    assert "--folder" in ran.err


def test_a_damaged_file_is_refused(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    flip_byte(folder / "consolidated.safetensors", 0)
    given = ["--revision", "0" * 40, "--folder", str(folder), "--requested-by", "anne"]
    ran = cluster("https://m.example").run(
        "approve", "draft", *TERMS, *given, "--out", str(tmp_path / "out")
    )
    assert ran.code == 3
    assert "consolidated.safetensors" in ran.err


class Watched:
    """A folder of which is noted what was read to be hashed."""

    def __init__(self, root: Path) -> None:
        self.folder = folder_repository(root)
        self.read_paths: list[str] = []

    def files(self) -> list[ListedFile]:
        return self.folder.files()

    def begin(self, file: ListedFile, size: int) -> bytes:
        return self.folder.begin(file, size)

    def read(self, file: ListedFile, sink: Sink) -> None:
        self.read_paths.append(file.path)
        self.folder.read(file, sink)


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        pytest.param(
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            r"bitsandbytes, which vLLM 0\.32 does not serve; it serves auto_awq, ",
            id="not served any more",
        ),
        pytest.param({"quant_method": "hqq"}, "hqq, which vLLM", id="not known here"),
        pytest.param({"quant_method": "awq"}, "bits or w_bit is missing", id="half said"),
    ],
)
def test_numbers_that_the_engine_does_not_serve_are_refused_before_a_weight_is_read(
    numbers: dict[str, Any], says: str, tmp_path: Path
) -> None:
    config = {**HF_SMALL_3, "quantization_config": numbers}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"never looked at")
    (tmp_path / "tokenizer.json").write_text(TOKENIZER)
    source = Watched(tmp_path)
    with pytest.raises(IntakeError, match=says):
        make_draft(source, lambda *_: None)
    assert not source.read_paths


@pytest.mark.parametrize(
    ("version", "says"),
    [
        pytest.param("0.27", "model.safetensors: ", id="a version that serves it"),
        pytest.param("0.33", "which vLLM 0.32 does not serve", id="not known: the nearest older"),
        pytest.param(None, "which vLLM 0.32 does not serve", id="unset"),
    ],
)
def test_a_draft_is_read_as_the_version_that_the_operator_serves_with(
    version: str | None, says: str, tmp_path: Path
) -> None:
    config = {**HF_SMALL_3, "quantization_config": {"quant_method": "bitsandbytes"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"not looked at by who refuses")
    (tmp_path / "tokenizer.json").write_text(TOKENIZER)
    program = cluster("https://mirror.example")
    settings = yaml.safe_dump({"engine": {"image": "x", "version": version}})
    where = {"name": "escadre", "namespace": "escadre-system"}
    program.server.put(CONFIG_MAPS, {"metadata": where, "data": {"config.yaml": settings}})
    given = ["--revision", "0" * 40, "--folder", str(tmp_path), "--out", str(tmp_path / "out")]
    ran = program.run("approve", "draft", *TERMS, *given)
    assert says in ran.err
    assert ("vLLM 0.33 is not known here" in ran.err) == (version == "0.33")


def test_a_draft_without_the_operator_s_settings_says_what_it_took(
    model: Path, tmp_path: Path
) -> None:
    given = ["--revision", "0" * 40, "--folder", str(model), "--out", str(tmp_path)]
    ran = cluster("https://mirror.example").run("approve", "draft", *TERMS, *given)
    assert ran.code == 0
    assert "There is no ConfigMap escadre-system/escadre" in ran.err
    assert "read as vLLM 0.32 would" in ran.err


def test_what_a_configuration_lacks_is_told_before_a_weight_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 4096}))
    (tmp_path / "model.safetensors").write_bytes(b"never looked at")
    (tmp_path / "tokenizer.json").write_text(TOKENIZER)
    source = Watched(tmp_path)
    with pytest.raises(IntakeError, match="num_attention_heads is missing"):
        make_draft(source, lambda *_: None)
    assert not source.read_paths


def test_modelopt_s_own_file_is_approved_and_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(HF_SMALL_3))
    numbers = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4"}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(numbers))
    (tmp_path / "tokenizer.json").write_text(TOKENIZER)
    header = b'{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'
    content = len(header).to_bytes(8, "little") + header + bytes(4)
    (tmp_path / "model.safetensors").write_bytes(content)
    draft = make_draft(folder_repository(tmp_path), lambda *_: None)
    assert "hf_quant_config.json" in [file.path for file in draft.manifest.files]
    assert draft.architecture.dtype == "float4"
    assert draft.architecture.model_dump(by_alias=True, exclude_none=True)["quantization"] == {
        "method": "modelopt_fp4",
        "groupSize": 16,
    }


def mixtral(folder: Path, moe: dict[str, int], beside: dict[str, int] | None) -> Repository:
    params = json.loads((write_checkpoint(folder) / "params.json").read_text())
    (folder / "params.json").write_text(json.dumps({**params, "moe": moe}))
    if beside is not None:
        (folder / "config.json").write_text(json.dumps({"model_type": "mixtral", **beside}))
    return folder_repository(folder)


EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2}
BESIDE = {"num_local_experts": 8, "num_experts_per_tok": 2}


def test_experts_of_mistral_s_layout_are_approved_with_the_other_s_configuration(
    tmp_path: Path,
) -> None:
    """The engine takes how many there are from there alone (findings/vllm-mixtral-params.sh)."""
    draft = make_draft(mixtral(tmp_path, EXPERTS, BESIDE), lambda *_: None)
    paths = [file.path for file in draft.manifest.files]
    assert "config.json" in paths
    assert paths == sorted(paths)
    assert "config.json" not in draft.selection.left_out
    assert draft.architecture.experts is not None


def test_a_shared_expert_needs_no_other_configuration(tmp_path: Path) -> None:
    source = mixtral(tmp_path, {**EXPERTS, "num_shared_experts": 1}, BESIDE)
    draft = make_draft(source, lambda *_: None)
    assert draft.selection.left_out == ("config.json",)


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        pytest.param(None, "config.json beside it, which is missing", id="none"),
        pytest.param({**BESIDE, "num_local_experts": 4}, "num_local_experts 4", id="another"),
        pytest.param({}, "config.json: num_local_experts is missing", id="of another model"),
    ],
)
def test_experts_that_the_engine_could_not_count_are_refused_before_a_weight_is_read(
    beside: dict[str, int] | None, says: str, tmp_path: Path
) -> None:
    mixtral(tmp_path, EXPERTS, beside)
    source = Watched(tmp_path)
    with pytest.raises(IntakeError, match=says):
        make_draft(source, lambda *_: None)
    assert not source.read_paths


class Moving:
    """A folder whose files are others after the look at them: somebody writes meanwhile."""

    def __init__(self, root: Path, later: dict[str, bytes]) -> None:
        self.folder = folder_repository(root)
        self.root = root
        self.later = later

    def files(self) -> list[ListedFile]:
        return self.folder.files()

    def begin(self, file: ListedFile, size: int) -> bytes:
        return self.folder.begin(file, size)

    def read(self, file: ListedFile, sink: Sink) -> None:
        if content := self.later.get(file.path):
            (self.root / file.path).write_bytes(content)
        self.folder.read(file, sink)


def edited(path: Path, old: bytes, new: bytes) -> bytes:
    """As long as before: a list of sizes does not tell."""
    content = path.read_bytes()
    assert old in content
    assert len(old) == len(new)
    return content.replace(old, new, 1)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        pytest.param("params.json", b'"n_layers": 2', b'"n_layers": 3', id="configuration"),
        pytest.param("config.json", b'"num_local_experts": 8', b'"num_local_experts": 4', id="b"),
        pytest.param("tekken.json", b'"rank": 300', b'"rank": 301', id="tokenizer"),
        pytest.param("consolidated.safetensors", b'"BF16"', b'"F16" ', id="header"),
    ],
)
def test_what_is_hashed_is_what_was_checked(
    path: str, old: bytes, new: bytes, tmp_path: Path
) -> None:
    mixtral(tmp_path, EXPERTS, BESIDE)
    source = Moving(tmp_path, {path: edited(tmp_path / path, old, new)})
    with pytest.raises(IntakeError, match=f"^{path} was another file when it was looked at than"):
        make_draft(source, lambda *_: None)


def test_what_the_files_say_otherwise_than_the_catalog_is_told(model: Path, tmp_path: Path) -> None:
    program = cluster("https://mirror.example")
    terms = [
        "mistralai/Mistral-7B-Instruct-v0.3" if word == "org/Tiny-Model" else word for word in TERMS
    ]
    given = ["--revision", "a" * 40, "--folder", str(model), "--out", str(tmp_path / "out")]
    ran = program.run("approve", "draft", *terms, *given)
    assert ran.code == 0, ran.err
    assert "catalog: layers: 2 in the files, 32 in the catalog\n" in ran.out
    told = json.loads(program.run("approve", "draft", *terms, *given, "-o", "json").out)
    assert "layers: 2 in the files, 32 in the catalog" in told["catalog"]
    assert told["document"]["spec"]["architecture"]["layers"] == 2, "the files win"
    assert not any(one.startswith("licence") for one in told["catalog"])
    terms[terms.index("--licence") + 1] = "MIT"
    ran = program.run("approve", "draft", *terms, *given)
    assert "catalog: licence: MIT in the draft, Apache-2.0 in the catalog; have whoever" in ran.out
    other = json.loads(program.run("approve", "draft", *TERMS, *given, "-o", "json").out)
    assert other["catalog"] == []


@pytest.mark.parametrize(
    ("card", "told"),
    [
        pytest.param("---\nlicense: apache-2.0\n---\n# Tiny", False, id="the same"),
        pytest.param("---\nlicense: other\nlicense_name: mrl\n---\n", True, id="another"),
        pytest.param(None, False, id="no card"),
    ],
)
def test_a_card_that_names_another_licence_is_told(
    tmp_path: Path, card: str | None, told: bool
) -> None:
    (tmp_path / "model").mkdir()
    folder = write_checkpoint(tmp_path / "model")
    if card is not None:
        (folder / "README.md").write_text(card)
    given = ["--revision", "0" * 40, "--folder", str(folder), "--out", str(tmp_path / "out")]
    ran = cluster("https://m.example").run("approve", "draft", *TERMS, *given)
    assert ran.code == 0, ran.err
    assert ("the model's card says licence other (mrl)" in ran.err) == told


def test_a_wait_that_the_mirror_asks_for_is_told(
    hub: MirrorServer, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = None
    hub.faults.add("status", "/api/models/*", code=503, retry_after=90, times=1)
    waited: list[float] = []

    class Instantly(threading.Event):
        @override
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            return False

    instant = SimpleNamespace(Event=Instantly)
    monkeypatch.setattr("escadre.cli.approve.source.threading", instant)
    given = ["--revision", commit, "--out", str(tmp_path / "out")]
    ran = cluster(hub.url).run("approve", "draft", *TERMS, *given)
    assert ran.code == 0, ran.err
    assert max(waited) == 90
    assert "ModelMirror internal: getting http" in ran.err
    assert ": HTTP 503; trying again in 90 s\n" in ran.err


def test_without_a_cluster_it_says_once_what_is_missing(model: Path, tmp_path: Path) -> None:
    given = ["--revision", "0" * 40, "--folder", str(model), "--out", str(tmp_path / "out")]
    ran = Broken(ConnectionUnknown("no kubeconfig")).run("approve", "draft", *TERMS, *given)
    assert ran.code == 4
    assert ran.err.startswith("escadre: who requests it is not known: give --requested-by, or a ")
    assert ran.err.count("kubeconfig") == 1
