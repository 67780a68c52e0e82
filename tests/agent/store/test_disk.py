"""Room on the disk below a store: bytes, inodes, and file systems that reserve nothing."""

import ctypes
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.agent.conftest import LIMITS, Puller, SampleModel, now, publish, sample_model
from tests.clients.sources.faulty import Faulty
from typing_extensions import override

from escadre import reasons
from escadre.agent.pull.pull import Pull
from escadre.agent.store import disk as disks
from escadre.agent.store.disk import Disk, Need, Room, shortage
from escadre.agent.store.durable import disk_faults
from escadre.agent.store.store import Space, Store, open_store
from escadre.clients.sources.protocol import Source
from escadre.core.weights.manifest import (
    CHUNK_SIZE,
    MAX_FILES,
    Manifest,
    ManifestError,
    ManifestFile,
    chunks_of,
    render,
)
from escadre.errors import Refusal

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class FakeDisk(Disk):
    """A disk of any size that reserves nothing; it knows what it was asked for."""

    told: Room = field(default_factory=lambda: Room(1 << 50, 1 << 50))
    asked: list[int] = field(default_factory=list)

    @override
    def room(self) -> Room:
        return self.told

    @override
    def reserve(self, descriptor: int, size: int) -> bool:
        self.asked.append(size)
        return False


def small_file(name: str, size: int = 1) -> ManifestFile:
    chunks = tuple("c" * 64 for _ in range(-(-size // CHUNK_SIZE)))
    return ManifestFile(name, size, name * 64, chunks)


@pytest.mark.parametrize(
    ("need", "room", "says"),
    [
        pytest.param(
            Need(40 * GIB, 10),
            Room(100 * GIB, 41 * GIB, 1000, 900),
            "",
            id="all suffices",
        ),
        pytest.param(
            Need(48_000_000_000, 10),
            Room(100 * GIB, 48_000_000_000),
            "48.0 GB more are needed and 16.8 MB kept back, but the store /s has 48.0 GB free",
            id="bytes that are kept back are not there",
        ),
        pytest.param(
            Need(1000, 1200),
            Room(100 * GIB, 268_218_368, 65_536, 1250),
            "inodes for 1,200 files and folders more are needed and 64 kept back, but the file "
            "system of the store /s has 1,250 of 65,536 inodes free (268.2 MB are free, which "
            "does not help)",
            id="no inodes left is told as such",
        ),
        pytest.param(
            Need(1000, 1200), Room(100 * GIB, 9 * GIB, 0, 0), "", id="btrfs counts no inodes"
        ),
        pytest.param(
            Need(1000, 1),
            Room(GIB, -5, 10, 0),
            "1.0 kB more are needed and 16.8 MB kept back, but the store /s has 0 B free",
            id="promised to others",
        ),
    ],
)
def test_what_is_short_is_told_with_numbers(need: Need, room: Room, says: str) -> None:
    assert shortage(need, room, Path("/s")) == says


def test_missing_inodes_are_told_before_the_first_byte(
    pull: Puller, model: SampleModel, server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "room", lambda _: Room(1 << 40, 1 << 40, 5000, 73))
    # Four contents are two inodes each, and the tree has two folders.
    with pytest.raises(Refusal, match="inodes for 10 files and folders more are needed") as caught:
        pull(model).run()
    assert caught.value.reason == reasons.STORE_FULL
    assert len(server.log) == 1  # the manifest


@pytest.mark.parametrize(
    ("number", "room", "says"),
    [
        pytest.param(
            errno.ENOSPC,
            Room(GIB, 268_218_368, 65_536, 0),
            "writing w: no inodes left in /s: all 65,536 are taken, each file takes one; 268.2 MB "
            "are free, which does not help",
            id="inodes",
        ),
        pytest.param(
            errno.ENOSPC,
            Room(GIB, 12_000, 65_536, 9),
            "writing w: no space left in /s, 12.0 kB free",
            id="bytes",
        ),
        pytest.param(
            errno.ENOSPC, Room(GIB, 0), "writing w: no space left in /s, 0 B free", id="btrfs"
        ),
        pytest.param(
            errno.EDQUOT,
            Room(GIB, 5_000_000_000),
            "writing w: the agent's disk quota in /s is used up, 5.0 GB are free",
            id="quota",
        ),
    ],
)
def test_a_fault_while_writing_names_what_is_used_up(
    number: int, room: Room, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escadre.agent.store.durable.room_of", lambda _: room)
    with pytest.raises(Refusal) as caught, disk_faults("writing w", Path("/s")):
        raise OSError(number, os.strerror(number))
    assert caught.value.reason == reasons.STORE_FULL
    assert caught.value.message == says


def test_a_disk_that_reserves_nothing_is_not_written_twice(disk: Path) -> None:
    fake = FakeDisk(disk)
    store = open_store(disk / "s", now, fake)
    file = small_file("a", 40 * CHUNK_SIZE)
    fake.asked.clear()
    store.blobs.reserve([file])
    (data,) = (disk / "s" / "partial").glob("*.data")
    assert fake.asked == [file.size]
    assert data.stat().st_size == file.size
    assert data.stat().st_blocks == 0
    assert not store.space().reserves
    store.close()


def test_what_is_promised_is_not_free_and_not_promised_again(disk: Path) -> None:
    room = Room(100 * GIB, 60 * GIB)
    store = open_store(disk / "s", now, FakeDisk(disk, room))
    first, second = small_file("a", 40 * GIB), small_file("b", 30 * GIB)
    store.blobs.reserve([first])
    assert store.space().free == 20 * GIB
    with pytest.raises(Refusal, match=r"32.2 GB more are needed .* has 21.5 GB free"):
        store.blobs.reserve([second])
    store.blobs.reserve([first])  # its own promise does not stand in its way
    with store.blobs.partial(first) as partial:
        partial.write(0, b"x" * (1 << 20))
    assert store.space().free == 20 * GIB + (1 << 20)
    store.close()
    again = open_store(disk / "s", now, FakeDisk(disk, room))
    assert again.space().free == 20 * GIB + (1 << 20)
    again.close()


def test_a_file_that_is_finished_while_the_disk_is_looked_at_is_no_fault(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(disk / "s", now, FakeDisk(disk, Room(100 * GIB, 60 * GIB)))
    store.blobs.reserve([small_file("a", GIB), small_file("b", GIB)])
    listed = Path.glob

    def finished(folder: Path, pattern: str) -> Iterator[Path]:
        for path in list(listed(folder, pattern)):
            path.unlink()  # as the pull renames it, between the list and the look at each
            yield path

    monkeypatch.setattr(Path, "glob", finished)
    assert store.space().free == 60 * GIB
    monkeypatch.undo()
    store.close()


def test_a_file_of_terabytes_is_kept_by_chunk(disk: Path) -> None:
    store = open_store(disk / "s", now, FakeDisk(disk))
    file = small_file("a", 3 * (1 << 40) + 5)
    store.blobs.reserve([file])
    chunks = list(chunks_of(file))
    with store.blobs.partial(file) as partial:
        partial.write(chunks[-1].offset, b"12345")
        for chunk in (chunks[-1], chunks[700]):
            partial.mark(chunk)
    with store.blobs.partial(file) as partial:
        assert partial.read(3 * (1 << 40), 9) == b"12345"
        assert partial.done_bytes == CHUNK_SIZE + 5
        assert len(list(partial.missing())) == len(chunks) - 2
    store.close()


def test_more_files_than_a_manifest_lists_are_refused_with_the_limit() -> None:
    files = tuple(ManifestFile(f"f{n:05}", 0, "a" * 64, ()) for n in range(10_000))
    with pytest.raises(ManifestError, match=f"lists 1 to {MAX_FILES} files, not 10000"):
        render(Manifest(files))


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_only_the_answer_of_the_file_system_counts(
    disk: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Libc:
        @staticmethod
        def fallocate(*_: object) -> int:
            return -1

    monkeypatch.setattr(disks, "_libc", Libc)
    monkeypatch.setattr(ctypes, "get_errno", lambda: number)
    assert not Disk(disk).reserves()
    monkeypatch.setattr(ctypes, "get_errno", lambda: errno.ENOSPC)
    assert Disk(disk).reserves()  # it is full, which is another matter
    with (disk / "f").open("wb") as file, pytest.raises(OSError, match="No space left"):
        Disk(disk).reserve(file.fileno(), 1)


def mounted(folder: Path, options: str) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", options, "escadre-test", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")


@pytest.fixture
def ext2(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB that has no fallocate; needs root and mkfs.ext2."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    for command in (
        ["mkfs.ext2", "-q", "-F", str(image)],
        ["mount", "-o", "loop", str(image), str(folder)],
    ):
        if os.geteuid() or shutil.which(command[0]) is None:
            pytest.skip("making a file system needs root and mkfs.ext2")
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip(f"{command[0]} does not work here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_file_system_without_fallocate_is_counted_and_not_written_twice(
    ext2: Path, server: Faulty, mirror: Source, pull: Puller
) -> None:
    model = sample_model({"w": b"w" * (30 << 20)})
    publish(server, model)
    store = open_store(ext2 / "s", now)
    free = store.space().free
    assert not store.space().reserves
    (file,) = model.manifest.files
    store.blobs.reserve([file])
    (data,) = (ext2 / "s" / "partial").glob("*.data")
    assert data.stat().st_blocks == 0
    assert free - store.space().free >= file.size
    made = pull(model)
    Pull(made.digest, made.total, mirror, store, made.meter, made.stop, LIMITS).run()
    assert set(store.models.verified()) == {model.digest}
    with pytest.raises(Refusal, match=r"31\.5 MB more are needed"):
        store.blobs.reserve([small_file("b", 30 << 20)])
    store.close()


@pytest.fixture
def few_inodes(disk: Path) -> Iterator[Path]:
    """A file system with 100 inodes; needs root."""
    mounted(disk, "size=200m,nr_inodes=100")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_inodes_of_a_real_disk_are_counted(
    few_inodes: Path, server: Faulty, mirror: Source, pull: Puller
) -> None:
    model = sample_model({f"f{number}": b"%d" % number for number in range(20)})
    publish(server, model)
    store = open_store(few_inodes, now)
    made = pull(model)
    work = Pull(made.digest, made.total, mirror, store, made.meter, made.stop, LIMITS)
    with pytest.raises(Refusal, match="inodes for 41 files and folders more are needed"):
        work.run()
    assert list((few_inodes / "partial").iterdir()) == []
    store.close()


@pytest.fixture
def full_disk(disk: Path) -> Iterator[Path]:
    """A file system of 80 MiB; needs root."""
    mounted(disk, "size=80m")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_store_on_a_full_disk_opens_and_keeps_its_word(
    full_disk: Path, server: Faulty, mirror: Source, pull: Puller, small: SampleModel
) -> None:
    store = open_store(full_disk, now)
    made = pull(small)
    Pull(made.digest, made.total, mirror, store, made.meter, made.stop, LIMITS).run()
    store.close()
    with suppress(OSError), (full_disk / "other").open("wb", buffering=0) as other:
        while True:
            other.write(bytes(4096))
    again = open_store(full_disk, now)
    assert set(again.models.verified()) == {small.digest}
    assert again.space() == Space(again.space().capacity, 0, reserves=True)
    again.close()
    assert server.log


def test_a_disk_that_others_fill_meanwhile_keeps_what_is_verified(
    full_disk: Path, server: Faulty, mirror: Source, pull: Puller, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = sample_model({"a": b"a" * (8 << 20), "b": b"b" * (48 << 20)})
    publish(server, model)
    monkeypatch.setattr(Disk, "reserve", lambda *_: False)
    store = open_store(full_disk, now)
    made = pull(model)
    work = Pull(made.digest, made.total, mirror, store, made.meter, made.stop, LIMITS)
    other = full_disk / "other"
    reserve = store.blobs.reserve

    def fills(files: list[ManifestFile], folders: int = 0) -> None:
        reserve(files, folders)
        other.write_bytes(b"o" * (40 << 20))

    monkeypatch.setattr(type(store.blobs), "reserve", lambda _, *files: fills(*files))
    with pytest.raises(Refusal, match=r"writing [ab]: no space left in .*, [\d.]+ k?B free"):
        work.run()
    monkeypatch.undo()
    assert store.models.verified() == {}
    other.unlink()
    again = pull(model)
    Pull(again.digest, again.total, mirror, store, again.meter, again.stop, LIMITS).run()
    assert set(store.models.verified()) == {model.digest}
    store.close()


def test_a_pull_on_a_disk_that_reserves_nothing(
    disk: Path, mirror: Source, pull: Puller, model: SampleModel
) -> None:
    store: Store = open_store(disk / "s", now, FakeDisk(disk))
    made = pull(model)
    Pull(made.digest, made.total, mirror, store, made.meter, made.stop, LIMITS).run()
    assert set(store.models.verified()) == {model.digest}
    assert store.blobs.promised() == 0
    store.close()
