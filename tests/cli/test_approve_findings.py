"""What `escadre approve draft` refuses: folders that people have met, all faults at once."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.engine.brokenmodels import CASES, write_broken
from e2e.engine.checkpoint import write_checkpoint
from e2e.engine.mirror.server import MirrorServer
from e2e.engine.mirror.tree import Tree
from tests.cli.test_approve_draft import TERMS, cluster
from tests.clients.sources.faulty import LOCAL
from typing_extensions import override

from escadre.api.mirror import ModelMirrorSpec
from escadre.cli.approve.drafting import make_draft
from escadre.cli.approve.source import Repository, folder_repository, mirror_repository
from escadre.cli.shared.mirroraccess import MirrorAccess
from escadre.clients.sources.protocol import ListedFile, Sink
from escadre.core.weights.findings import IntakeError

REFUSALS = Path(__file__).parent / "golden" / "approve-draft-refusals.txt"
MANUAL = Path(__file__).parents[2] / "docs" / "develop" / "broken-models.md"


def refusal(name: str, folder: Path) -> str:
    """What is said of the case, on a cluster that has all that is asked for but the settings."""
    given = ["--revision", "a" * 40, "--folder", str(write_broken(name, folder))]
    out = folder / "out"
    ran = cluster("https://m.example").run("approve", "draft", *TERMS, *given, "--out", str(out))
    assert (ran.code, ran.out) == (3, ""), name
    assert not out.exists(), "nothing is written, not even the folder"
    return ran.err[ran.err.index("escadre: ") :]


def test_each_refusal_names_file_fault_and_next_step(tmp_path: Path) -> None:
    said = {name: refusal(name, tmp_path) for name in CASES}
    text = "\n".join(f"--- {name}\n{words}" for name, words in said.items())
    if os.environ.get("ESCADRE_UPDATE_GOLDEN"):
        REFUSALS.write_text(text)
    assert text == REFUSALS.read_text()
    for name, words in said.items():
        assert "next: " in words, name
        assert "Traceback" not in words, name
        assert "unexpected" not in words, name


def test_the_list_for_people_names_every_case() -> None:
    manual = MANUAL.read_text()
    assert [name for name in CASES if f"`{name}`" not in manual] == []


class Counted:
    """A repository of which is counted what of each file was asked for before hashing."""

    def __init__(self, inner: Repository) -> None:
        self.inner = inner
        self.begun: dict[str, int] = {}
        self.read_paths: list[str] = []

    def files(self) -> list[ListedFile]:
        return self.inner.files()

    def begin(self, file: ListedFile, size: int) -> bytes:
        content = self.inner.begin(file, size)
        self.begun[file.path] = self.begun.get(file.path, 0) + len(content)
        return content

    def read(self, file: ListedFile, sink: Sink) -> None:
        self.read_paths.append(file.path)
        self.inner.read(file, sink)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MirrorServer]:
    with MirrorServer(tmp_path / "root") as server:
        yield server


def on_mirror(server: MirrorServer, folder: Path, tmp_path: Path) -> Counted:
    """The folder's files on a hub's mirror."""
    commit = Tree(tmp_path / "root").publish(folder, "org/tiny")
    spec = ModelMirrorSpec(type="huggingface", url=server.url, manifests_url=f"{server.url}/m")
    return Counted(mirror_repository("hub", MirrorAccess(spec, None, LOCAL), "org/tiny", commit))


def test_of_weights_on_a_mirror_only_the_headers_are_read_before_hashing(
    server: MirrorServer, tmp_path: Path
) -> None:
    source = on_mirror(server, write_checkpoint(tmp_path / "model"), tmp_path)
    make_draft(source, lambda *_: None)
    size = sum(file.size for file in source.files() if file.path == "consolidated.safetensors")
    assert 0 < source.begun["consolidated.safetensors"] <= 256 * 1024 < size


def test_a_mirror_without_ranges_is_looked_at_by_beginning_a_body(
    server: MirrorServer, tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path / "model")
    source = on_mirror(server, folder, tmp_path)
    server.faults.add("ignore-range")
    draft = make_draft(source, lambda *_: None)
    assert draft.digest == make_draft(folder_repository(folder), lambda *_: None).digest


def test_a_mirror_s_pointers_and_half_a_model_are_told_before_a_byte_is_hashed(
    server: MirrorServer, tmp_path: Path
) -> None:
    source = on_mirror(server, write_broken("all-at-once", tmp_path), tmp_path)
    with pytest.raises(IntakeError, match=r"^4 findings, each of which stops it:"):
        make_draft(source, lambda *_: None)
    assert not source.read_paths


def test_a_file_that_is_listed_and_not_there_is_named_with_the_others(
    server: MirrorServer, tmp_path: Path
) -> None:
    source = on_mirror(server, write_broken("tekken-a-list", tmp_path), tmp_path)
    server.faults.add("status", "*/params.json", code=404)
    with pytest.raises(IntakeError) as refused:
        make_draft(source, lambda *_: None)
    assert "1. params.json cannot be read: " in str(refused.value)
    assert "2. tekken.json holds a list" in str(refused.value)


class Listing(Counted):
    """A folder whose list says of each file a digest in capitals."""

    def __init__(self, root: Path, digests: dict[str, str]) -> None:
        super().__init__(folder_repository(root))
        self.digests = digests

    @override
    def files(self) -> list[ListedFile]:
        return [
            ListedFile(file.path, file.size, self.digests.get(file.path))
            for file in super().files()
        ]


def test_a_digest_in_capitals_is_the_same_digest(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    draft = make_draft(folder_repository(folder), lambda *_: None)
    digests = {file.path: file.sha256.upper() for file in draft.manifest.files}
    assert make_draft(Listing(folder, digests), lambda *_: None).digest == draft.digest


def test_all_files_that_are_not_what_the_list_says_are_named(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    with pytest.raises(IntakeError) as refused:
        make_draft(Listing(folder, dict.fromkeys(CHECKED, "0" * 64)), lambda *_: None)
    assert [
        path for path in CHECKED if f". {path}: the bytes have" in str(refused.value)
    ] == CHECKED


CHECKED = ["consolidated.safetensors", "params.json", "tekken.json"]


class Doubling(Counted):
    """A folder whose list names a file twice, with two sizes."""

    @override
    def files(self) -> list[ListedFile]:
        return [*super().files(), ListedFile("params.json", 3)]


def test_a_path_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    source = Doubling(folder_repository(write_checkpoint(tmp_path)))
    with pytest.raises(IntakeError, match=r"^params\.json: is listed twice, as two files"):
        make_draft(source, lambda *_: None)


def test_the_headers_of_many_shards_are_all_read(tmp_path: Path) -> None:
    """An index over two shards, each of which holds its half."""
    folder = write_checkpoint(tmp_path)
    content = (folder / "consolidated.safetensors").read_bytes()
    size = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:size])
    header.pop("__metadata__")
    whole = make_draft(folder_repository(folder), lambda *_: None)
    weight_map = {}
    for number, names in enumerate((sorted(header)[:7], sorted(header)[7:]), start=1):
        part, data = {}, b""
        for name in names:
            begin, end = header[name]["data_offsets"]
            part[name] = header[name] | {"data_offsets": [len(data), len(data) + end - begin]}
            data += content[size + begin : size + end]
            weight_map[name] = f"consolidated-{number:05}-of-00002.safetensors"
        text = json.dumps(part).encode()
        path = folder / f"consolidated-{number:05}-of-00002.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    (folder / "consolidated.safetensors").unlink()
    index = folder / "consolidated.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    draft = make_draft(folder_repository(folder), lambda *_: None)
    assert draft.architecture == whole.architecture


def test_a_folder_that_may_not_be_read_and_links_to_folders_are_kept_in_the_list(
    tmp_path: Path,
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(write_checkpoint(tmp_path / "model"), tmp_path / "copy")
    (tmp_path / "copy" / "sub").symlink_to(tmp_path / "elsewhere")
    listed = {file.path: file for file in folder_repository(tmp_path / "copy").files()}
    assert listed["sub"].fault == "a link to a folder, not a file"
    assert not listed["params.json"].fault
