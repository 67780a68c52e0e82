"""A folder as a source: what it lists and reads, and what it refuses to follow."""

import os
from pathlib import Path

import pytest

from escadre import reasons
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.errors import DigestMismatch, MirrorUnavailable, NotFound
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.folder import FolderSource
from escadre.clients.sources.protocol import Data, ListedFile, RemoteFile
from escadre.errors import Refusal

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mount" / "org" / "model"
    (root / "sub").mkdir(parents=True)
    (root / "params.json").write_bytes(b"{}")
    (root / "sub" / "weights").write_bytes(b"0123456789")
    return root


def test_it_lists_and_reads_ranges_and_whole_files(root: Path) -> None:
    source = FolderSource("share", root)
    assert source.list() == [ListedFile("params.json", 2), ListedFile("sub/weights", 10)]
    pieces: list[Data] = []
    source.read(RemoteFile("sub/weights", 10), 3, 4, pieces.append)
    assert b"".join(pieces) == b"3456"
    with source.stream(RemoteFile("params.json", 2)) as body:
        assert (body.read(), body.read()) == (b"{}", b"")


def test_links_are_followed_inside_the_mount_only(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    (root / "inside").symlink_to("sub/weights")
    (root / "outside").symlink_to(tmp_path / "secret")
    source = FolderSource("share", root, inside=tmp_path / "mount")
    pieces: list[Data] = []
    source.read(RemoteFile("inside", 10), 0, 10, pieces.append)
    assert b"".join(pieces) == b"0123456789"
    with pytest.raises(MirrorUnavailable, match="leads out of"):
        source.read(RemoteFile("outside", 1), 0, 1, pieces.append)


def test_another_size_a_missing_file_and_a_folder_are_told(root: Path) -> None:
    source = FolderSource("share", root)
    with pytest.raises(DigestMismatch, match="10 bytes, 11 were expected"):
        source.read(RemoteFile("sub/weights", 11), 0, 11, lambda _: None)
    with pytest.raises(NotFound, match="nowhere is not there"):
        source.read(RemoteFile("nowhere", 1), 0, 1, lambda _: None)
    with pytest.raises(MirrorUnavailable, match="no regular file"):
        source.read(RemoteFile("sub", 1), 0, 1, lambda _: None)


def test_a_link_put_there_after_the_look_is_not_followed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "weights").write_bytes(b"not theirs")
    looked = os.path.realpath

    def look(path: Path, *, strict: bool = False) -> str:
        found: str = looked(path, strict=strict)
        if strict:
            (root / "sub").rename(root / "aside")
            (root / "sub").symlink_to(tmp_path / "etc")
        return found

    monkeypatch.setattr(os.path, "realpath", look)
    source = FolderSource("share", root, inside=tmp_path / "mount")
    pieces: list[Data] = []
    with pytest.raises(NotFound, match="sub/weights is not there"):
        source.read(RemoteFile("sub/weights", 10), 0, 10, pieces.append)
    assert pieces == []


def test_links_in_a_circle_are_told(root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    with pytest.raises(MirrorUnavailable, match="links in a circle"):
        FolderSource("share", root).read(RemoteFile("one", 1), 0, 1, lambda _: None)


def test_manifests_stand_in_their_own_folder(root: Path, tmp_path: Path) -> None:
    manifests = tmp_path / "mount" / "escadre-manifests"
    manifests.mkdir()
    source = FolderSource("share", root, manifests=manifests)
    with pytest.raises(NotFound):
        source.manifest(DIGEST)
    (manifests / f"{'a' * 64}.manifest").write_bytes(b"text")
    assert source.manifest(DIGEST) == b"text"


SHARE = ModelMirrorSpec.model_validate({"type": "folder", "folder": {"name": "share"}})


def test_a_mirror_is_the_folder_that_the_platform_mounted_under_that_name(tmp_path: Path) -> None:
    source = open_source(
        "files",
        SHARE,
        repository="org/model",
        revision="0" * 40,
        folders={"share": tmp_path / "share", "other": tmp_path / "other"},
    )
    assert source.url("a/b") == f"{tmp_path}/share/org/model/{'0' * 40}/a/b"
    assert source.manifest_url(DIGEST) == (
        f"{tmp_path}/share/escadre-manifests/{'a' * 64}.manifest"
    )


@pytest.mark.parametrize(
    ("folders", "reason", "says"),
    [
        pytest.param(
            {"other": Path("/mirrors/other")},
            reasons.FOLDER_NOT_MOUNTED,
            "folder share, which ModelMirror files names, is not among those the chart mounts "
            "(agent.mirrorFolders: other)",
            id="another one is mounted",
        ),
        pytest.param(
            {},
            reasons.FOLDER_NOT_MOUNTED,
            "folder share, which ModelMirror files names, is not among those the chart mounts "
            "(agent.mirrorFolders: none)",
            id="none is mounted",
        ),
        pytest.param(
            None,
            reasons.INVALID_SPEC,
            "ModelMirror files: it is the folder share, which only agents have mounted; here a "
            "copy, or the same mount, is read: draft --folder PATH, sign --against PATH",
            id="no agent asks",
        ),
    ],
)
def test_a_folder_that_is_not_there_is_refused(
    folders: dict[str, Path] | None, reason: reasons.Reason, says: str
) -> None:
    with pytest.raises(Refusal) as caught:
        open_source("files", SHARE, repository="o/m", revision="0" * 40, folders=folders)
    assert (caught.value.reason, caught.value.message) == (reason, says)
