"""Listing a repository over a hub's routes: as its own client does, and what strangers send."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.engine.checkpoint import write_checkpoint
from e2e.engine.mirror.server import MirrorServer
from e2e.engine.mirror.tree import Tree
from tests.clients.sources.faulty import LOCAL, Answer, Fault, Faulty, faulty, refuse, stall

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.errors import MirrorSlow, MirrorUnavailable, NotFound, Unauthorized
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.protocol import ListedFile
from escadre.clients.sources.transport import Timeouts

COMMIT = "c" * 40
TREE = f"/hf/api/models/o/m/tree/{COMMIT}?recursive=true&expand=false"
SIBLINGS = f"/hf/api/models/o/m/revision/{COMMIT}?blobs=true"
TOKEN = Credentials.bearer("t0k")


def listed(
    url: str,
    repository: str = "o/m",
    commit: str = COMMIT,
    credentials: Credentials | None = TOKEN,
    patience: float = 60,
) -> list[ListedFile]:
    source = open_source(
        "internal",
        ModelMirrorSpec(type="huggingface", url=url),
        repository=repository,
        revision=commit,
        credentials=credentials,
        manifests=False,
        guard=LOCAL,
        timeouts=Timeouts(first_byte=patience, idle=patience),
    )
    try:
        return source.list()
    finally:
        source.close()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("hub")
    commit = Tree(folder / "root").publish(write_checkpoint(folder / "model"), "org/tiny")
    return folder / "root", commit


@pytest.fixture
def hub(root: tuple[Path, str]) -> Iterator[MirrorServer]:
    with MirrorServer(root[0], token="t0k", page_size=2) as server:
        yield server


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty() as world:
        yield world


def test_files_are_listed_over_pages(hub: MirrorServer, root: tuple[Path, str]) -> None:
    files = listed(hub.url, "org/tiny", root[1])
    assert [file.path for file in files] == [
        "consolidated.safetensors",
        "params.json",
        "tekken.json",
    ]
    assert files[0].sha256
    assert {seen.path.split("?")[0] for seen in hub.seen} == {
        f"/api/models/org/tiny/tree/{root[1]}"
    }


def test_faults_are_typed(hub: MirrorServer, root: tuple[Path, str]) -> None:
    with pytest.raises(Unauthorized, match="HTTP 401"):
        listed(hub.url, "org/tiny", root[1], credentials=None)
    with pytest.raises(NotFound, match=r"listing org/none at .*: HTTP 404, no such repository"):
        listed(hub.url, "org/none", root[1])


def test_credentials_stay_on_the_mirror(server: Faulty) -> None:
    with faulty() as elsewhere:
        server.always[TREE] = refuse(302, {"Location": f"{elsewhere.url}/x"})
        with pytest.raises(MirrorUnavailable, match="none of the mirror's hosts"):
            listed(f"{server.url}/hf")
        assert elsewhere.log == []
        assert server.log


def test_a_tree_that_never_answers_is_given_up(server: Faulty) -> None:
    server.files[TREE] = b"[]"
    server.always[TREE] = stall(1, server.released)
    with pytest.raises(MirrorSlow, match=r"no byte for 0\.3 s"):
        listed(f"{server.url}/hf", patience=0.3)


SHA = "a" * 64


@pytest.mark.parametrize(
    ("entry", "file"),
    [
        pytest.param({"size": 7, "oid": "x"}, ListedFile("p", 7), id="no lfs"),
        pytest.param({"size": 7, "lfs": None}, ListedFile("p", 7), id="lfs is null"),
        pytest.param(
            {"size": 7, "lfs": {"oid": SHA, "size": 7}}, ListedFile("p", 7, SHA), id="no pointer"
        ),
        pytest.param(
            {"size": 7, "lfs": {"oid": f"sha256:{SHA.upper()}"}},
            ListedFile("p", 7, SHA),
            id="digest with its name, in capitals, without a size",
        ),
        pytest.param(
            {"size": 7, "lfs": {"sha256": SHA}}, ListedFile("p", 7, SHA), id="called sha256"
        ),
        pytest.param(
            {"size": 131, "lfs": {"oid": SHA, "size": 7000}},
            ListedFile("p", 7000, SHA),
            id="size of the pointer",
        ),
        pytest.param(
            {"size": 7, "lfs": {"oid": "a" * 40}}, ListedFile("p", 7), id="no sha256 at all"
        ),
        pytest.param(
            {"size": 7, "xetHash": 5, "lastCommit": []}, ListedFile("p", 7), id="what nobody needs"
        ),
    ],
)
def test_what_is_not_needed_is_not_asked_for(
    server: Faulty, entry: dict[str, Any], file: ListedFile
) -> None:
    folder = {"type": "directory", "path": "sub", "oid": 1}
    server.files[TREE] = json.dumps([folder, {"type": "file", "path": "p", **entry}]).encode()
    assert listed(f"{server.url}/hf") == [file]


def entry(**changed: Any) -> str:
    return json.dumps([{"type": "file", "path": "q", "size": 1}, {"type": "file"} | changed])


BIG = "9" * 5000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"error":"x"}', "page 1: an object, a list was expected", id="object"),
        pytest.param("null", "page 1: null, a list", id="null"),
        pytest.param('["a"]', "entry 1: a text of 1 characters, an object", id="list of text"),
        pytest.param("[null]", "entry 1: null, an object", id="list of null"),
        pytest.param("<html>", "not JSON", id="page"),
        pytest.param("", "not JSON", id="empty"),
        pytest.param("[" * 100_000, "nested too deeply", id="nested"),
        pytest.param(entry(path=None, size=1), "entry 2: path is null, a text", id="path null"),
        pytest.param(entry(size=1), "entry 2: path is missing", id="no path"),
        pytest.param(entry(path="", size=1), "path is a text of 0 characters", id="empty path"),
        pytest.param(entry(path="../x", size=1), r"path '\.\./x' is no path below", id="dots"),
        pytest.param(entry(path="/x", size=1), "path '/x' is no path below", id="absolute"),
        pytest.param(entry(path="q", size=1), "entry 2: 'q' stands in the list twice", id="twice"),
        pytest.param(entry(path="p"), "entry 2: size is missing, a number of bytes", id="no size"),
        pytest.param(entry(path="p", size="7"), "size is a text of 1 ch", id="size as text"),
        pytest.param(entry(path="p", size=7.0), r"size is 7\.0, a number of bytes", id="7.0"),
        pytest.param(entry(path="p", size=None), "entry 2: size is null", id="size null"),
        pytest.param(entry(path="p", size=-1), "entry 2: size is -1, a number", id="negative"),
        pytest.param(entry(path="p", size=True), "entry 2: size is true", id="true"),
        pytest.param(entry(path="p", size=1 << 60), "size is 1152921504606846976", id="huge"),
        pytest.param(entry(path="p", size=1 << 99), "size is a number beyond", id="beyond"),
        pytest.param(f'[{{"type":"file","path":"p","size":{BIG}}}]', "not JSON", id="digits"),
        pytest.param(entry(path="p", size=1, lfs=[]), "entry 2: lfs: a list, an obj", id="lfs"),
        pytest.param(
            entry(path="p", lfs={"size": "7"}), "entry 2: lfs: size is a t", id="lfs-size"
        ),
        pytest.param(entry(path="p", size=1, lfs={"oid": 7}), "lfs: oid is 7", id="lfs oid"),
        pytest.param(entry(type="link", path="p"), "type is neither", id="another type"),
        pytest.param(entry(type=None, path="p"), "entry 2: type is null", id="no type"),
    ],
)
def test_another_shape_is_refused_by_field_and_place(server: Faulty, text: str, says: str) -> None:
    server.files[TREE] = text.encode()
    with pytest.raises(MirrorUnavailable, match=says) as caught:
        listed(f"{server.url}/hf")
    assert caught.value.message.startswith(f"listing o/m at {COMMIT} on {server.url}/hf: ")
    assert not caught.value.transient
    assert len(caught.value.message) < 400


def link(value: str) -> Fault:
    def fault(answer: Answer) -> None:
        answer.headers["Link"] = value

    return fault


SECOND = TREE + "&cursor=2"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f'<{SECOND}>; rel="next"', id="relative"),
        pytest.param(f"<{SECOND}>; rel=next", id="without quotes"),
        pytest.param(
            f'</x>; rel="prev first", <{SECOND}>; title="a, b"; REL="Last NEXT"', id="many"
        ),
        pytest.param(f'<https://127.0.0.1{SECOND}>; rel="next"', id="behind TLS"),
        pytest.param(f'<?{SECOND.partition("?")[2]}>; rel="next"', id="query alone"),
    ],
)
def test_the_next_page_is_asked_on_the_mirror(server: Faulty, value: str) -> None:
    server.files[TREE] = entry(path="p", size=1).encode()
    server.files[SECOND] = b'[{"type":"file","path":"z","size":1}]'
    server.always[TREE] = link(value)
    assert [file.path for file in listed(f"{server.url}/hf")] == ["q", "p", "z"]
    assert {seen.headers["Authorization"] for seen in server.log} == {"Bearer t0k"}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param(
            '<https://huggingface.co/api/x?cursor=secret>; rel="next"',
            "https://huggingface.co/api/x, another host, which is not followed",
            id="another host",
        ),
        pytest.param('<http://[::1>; rel="next"', "what is no URL, another host", id="no URL"),
        pytest.param('<file:///etc/x>; rel="next"', "what is no URL", id="no http"),
        pytest.param(
            f'<{TREE}&cursor={"c" * 9000}>; rel="next"', "the header Link has 9,", id="long"
        ),
    ],
)
def test_a_page_elsewhere_is_refused(server: Faulty, value: str, says: str) -> None:
    server.files[TREE] = b"[]"
    server.always[TREE] = link(value)
    with pytest.raises(MirrorUnavailable, match=says) as caught:
        listed(f"{server.url}/hf")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("most", "whole"), [(3, True), (2, False)])
def test_a_list_may_have_as_many_pages_as_is_said(
    server: Faulty, monkeypatch: pytest.MonkeyPatch, most: int, whole: bool
) -> None:
    monkeypatch.setattr("escadre.clients.sources.huggingface._MOST_PAGES", most)
    server.files[TREE] = b"[]"
    onward = link(f'<{TREE}>; rel="next"')
    server.faults[TREE] = [onward, onward]
    if whole:
        assert listed(f"{server.url}/hf") == []
    else:
        with pytest.raises(MirrorUnavailable, match="more than 2 pages"):
            listed(f"{server.url}/hf")


def test_a_list_without_end_is_refused(server: Faulty) -> None:
    server.files[TREE] = b"[]"
    server.always[TREE] = link(f'<{TREE}>; rel="next"')
    with pytest.raises(MirrorUnavailable, match=r"more than 1,000 pages, 100,000 entries"):
        listed(f"{server.url}/hf")
    assert len(server.log) == 1000


def test_a_page_without_end_is_refused(server: Faulty) -> None:
    server.files[TREE] = b" " * 8_000_001
    with pytest.raises(MirrorUnavailable, match=r"over 8\.0 MB"):
        listed(f"{server.url}/hf")


def test_a_mirror_without_trees_lists_siblings(server: Faulty) -> None:
    siblings = [{"rfilename": "a/b", "size": 7, "lfs": {"sha256": SHA, "size": 7}}]
    server.files[SIBLINGS] = json.dumps({"sha": COMMIT, "siblings": siblings}).encode()
    assert listed(f"{server.url}/hf") == [ListedFile("a/b", 7, SHA)]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"sha": COMMIT}, "siblings: null, a list was expected"),
        ({"siblings": [{"rfilename": "a"}]}, "sibling 1: size is missing"),
        ([], "a list, an object was expected"),
    ],
)
def test_siblings_of_another_shape_are_refused(server: Faulty, document: Any, says: str) -> None:
    server.files[SIBLINGS] = json.dumps(document).encode()
    with pytest.raises(MirrorUnavailable, match=says):
        listed(f"{server.url}/hf")


_ASK = """
import json, sys
from huggingface_hub import HfApi
tree = HfApi(endpoint=sys.argv[1], token="t0k").list_repo_tree(
    sys.argv[2], recursive=True, revision=sys.argv[3])
files = [one for one in tree if hasattr(one, "blob_id")]
print(json.dumps([[one.path, one.size, one.lfs.sha256 if one.lfs else None] for one in files]))
"""


def test_the_hub_s_own_client_reads_the_same_list(
    hub: MirrorServer, root: tuple[Path, str], tmp_path: Path
) -> None:
    """In a process of its own: it reads its settings when it is imported."""
    settings = {"HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1"}
    said = subprocess.run(
        [sys.executable, "-c", _ASK, hub.url, "org/tiny", root[1]],
        env=os.environ | settings,
        capture_output=True,
        check=True,
        timeout=300,
    ).stdout
    ours = [[file.path, file.size, file.sha256] for file in listed(hub.url, "org/tiny", root[1])]
    assert ours == json.loads(said)
    assert len(ours) == 3


def test_a_list_is_the_same_whatever_the_hub_s_library_is_told(
    hub: MirrorServer,
    root: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "abc")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert len(listed(hub.url, "org/tiny", root[1])) == 3
    with pytest.raises(Unauthorized):
        listed(hub.url, "org/tiny", root[1], credentials=None)
    assert capfd.readouterr() == ("", "")
