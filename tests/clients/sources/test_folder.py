"""A folder as a source: what it lists and reads, and what it refuses to follow."""

from pathlib import Path

import pytest

from escadre.clients.sources.errors import DigestMismatch, MirrorUnavailable, NotFound
from escadre.clients.sources.folder import FolderSource
from escadre.clients.sources.protocol import ListedFile, RemoteFile

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
    pieces: list[bytes] = []
    source.read(RemoteFile("sub/weights", 10), 3, 4, pieces.append)
    assert b"".join(pieces) == b"3456"
    with source.stream(RemoteFile("params.json", 2)) as body:
        assert (body.read(), body.read()) == (b"{}", b"")


def test_links_are_followed_inside_the_mount_only(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    (root / "inside").symlink_to("sub/weights")
    (root / "outside").symlink_to(tmp_path / "secret")
    source = FolderSource("share", root, inside=tmp_path / "mount")
    pieces: list[bytes] = []
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


def test_manifests_stand_in_their_own_folder(root: Path, tmp_path: Path) -> None:
    manifests = tmp_path / "mount" / "escadre-manifests"
    manifests.mkdir()
    source = FolderSource("share", root, manifests=manifests)
    with pytest.raises(NotFound):
        source.manifest(DIGEST)
    (manifests / f"{'a' * 64}.manifest").write_bytes(b"text")
    assert source.manifest(DIGEST) == b"text"
