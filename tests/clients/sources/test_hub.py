"""Listing a repository through huggingface_hub, from the project's own mirror."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.engine.checkpoint import write_checkpoint
from e2e.engine.mirror.server import MirrorServer
from e2e.engine.mirror.tree import Tree
from tests.clients.sources.faulty import faulty, refuse

from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.errors import MirrorUnavailable, NotFound, Unauthorized
from escadre.clients.sources.hub import list_files


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("hub")
    commit = Tree(folder / "root").publish(write_checkpoint(folder / "model"), "org/tiny")
    return folder / "root", commit


@pytest.fixture
def hub(root: tuple[Path, str]) -> Iterator[MirrorServer]:
    with MirrorServer(root[0], token="t0k", page_size=2) as server:
        yield server


def test_files_are_listed_over_pages(hub: MirrorServer, root: tuple[Path, str]) -> None:
    credentials = Credentials.bearer("t0k")
    files = list_files(hub.url, "org/tiny", root[1], credentials=credentials, ca_bundle=None)
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
        list_files(hub.url, "org/tiny", root[1], credentials=None, ca_bundle=None)
    with pytest.raises(NotFound, match="org/none"):
        list_files(
            hub.url, "org/none", root[1], credentials=Credentials.bearer("t0k"), ca_bundle=None
        )


def test_credentials_stay_on_the_mirror() -> None:
    with faulty() as elsewhere, faulty() as mirror:
        path = "/api/models/org/tiny/tree/main?recursive=true&expand=false"
        mirror.always[path] = refuse(302, {"Location": f"{elsewhere.url}/x"})
        with pytest.raises(MirrorUnavailable, match="another origin"):
            list_files(
                mirror.url,
                "org/tiny",
                "main",
                credentials=Credentials.bearer("t0k"),
                ca_bundle=None,
            )
        assert elsewhere.log == []
        assert mirror.log


def test_what_is_no_hub_is_told() -> None:
    page = {"/api/models/o/m/tree/main?recursive=true&expand=false": b"<html>"}
    with (
        faulty(page) as server,
        pytest.raises(MirrorUnavailable, match="listing o/m at main"),
    ):
        list_files(server.url, "o/m", "main", credentials=None, ca_bundle=None)
