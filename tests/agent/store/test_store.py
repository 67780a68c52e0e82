"""The store across starts, crashes, tampering, other disks and full disks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.agent.conftest import (
    COMMIT,
    LIMITS,
    Puller,
    SampleModel,
    now,
    publish,
    reopened,
    sample_model,
    where,
)
from tests.clients.sources.faulty import Faulty, stall

from escadre import reasons
from escadre.agent.pull.pull import Pull
from escadre.agent.store.quarantine import MAX_SAMPLES, BadBytes, set_aside
from escadre.agent.store.store import Store, open_store
from escadre.clients.sources.protocol import Source
from escadre.core.weights import manifest as manifests
from escadre.core.weights.manifest import CHUNK_SIZE, Manifest, ManifestFile
from escadre.errors import Refusal


def blob_of(store: Store, model: SampleModel, path: str) -> Path:
    return next(store.blobs.path(f.sha256) for f in model.manifest.files if f.path == path)


def overwrite(path: Path, content: bytes) -> None:
    """Change a file's bytes in place, as root or its owner can, and forge its times."""
    stat = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(0o444)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_the_id_is_made_once(disk: Path) -> None:
    first = open_store(disk / "s", now)
    again = reopened(first)
    assert again.id == first.id
    assert again.intact()
    again.close()
    other = open_store(disk / "t", now)
    assert other.id != first.id
    other.close()


def test_one_agent_at_a_time(store: Store) -> None:
    with pytest.raises(Refusal, match="another agent has the store") as caught:
        open_store(store.root, now)
    assert caught.value.reason == reasons.STORE_UNUSABLE


def test_an_agent_that_was_killed_leaves_the_store_to_the_next(disk: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from escadre.agent.store.store import open_store\n"
        "store = open_store(Path(sys.argv[1]), lambda: '')\n"
        "sys.stdout.write('open'); sys.stdout.flush(); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(disk / "s")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.read(4) == b"open"
            with pytest.raises(Refusal, match="another agent has the store"):
                open_store(disk / "s", now)
        finally:
            other.kill()
    again = open_store(disk / "s", now)
    again.close()


def test_a_start_believes_records_without_hashing(
    pull: Puller, model: SampleModel, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = pull(model).run()
    monkeypatch.setattr(os, "pread", None)  # nothing may read blobs
    again = reopened(store)
    assert again.models.verified() == {model.digest: record}
    again.close()


def test_changed_bytes_are_found_by_a_look_and_pulled_anew(
    pull: Puller, small: SampleModel, store: Store, server: Faulty
) -> None:
    pull(small).run()
    overwrite(blob_of(store, small, "a.safetensors"), b"B")
    assert store.models.verified() == {}
    server.log.clear()
    pull(small).run()
    assert server.paths() == [where("a.safetensors")]
    assert store.models.path(small.digest).joinpath("a.safetensors").read_bytes() == b"A" * 5000
    assert len(list((store.root / "quarantine").glob("*.bin"))) == 1


def test_touched_but_good_bytes_are_hashed_not_pulled(
    pull: Puller, small: SampleModel, store: Store, server: Faulty
) -> None:
    pull(small).run()
    folder = store.models.path(small.digest).stat().st_ino
    blob_of(store, small, "a.safetensors").chmod(0o400)
    assert store.models.verified() == {}
    server.log.clear()
    pull(small).run()
    assert server.log == []
    assert set(store.models.verified()) == {small.digest}
    assert store.models.path(small.digest).stat().st_ino == folder  # pods keep their mount


@pytest.mark.parametrize("how", ["removed", "replaced", "added", "linked"])
def test_a_folder_that_differs_is_withdrawn_and_mended(
    pull: Puller, small: SampleModel, store: Store, server: Faulty, how: str
) -> None:
    pull(small).run()
    folder = store.models.path(small.digest)
    folder.chmod(0o755)
    if how == "removed":
        (folder / "z").unlink()
    elif how == "replaced":
        (folder / "a.safetensors").unlink()
        (folder / "a.safetensors").write_bytes(b"A" * 5000)
    elif how == "added":
        (folder / "evil.py").write_bytes(b"")
    else:
        (folder / "up").symlink_to("..")
    assert store.models.verified() == {}
    server.log.clear()
    pull(small).run()
    assert server.log == []
    assert {path.name for path in folder.iterdir()} == {"a.safetensors", "params.json", "z"}


def test_a_disk_with_another_identity_is_not_believed(
    pull: Puller, small: SampleModel, store: Store
) -> None:
    pull(small).run()
    (store.root / "store.json").unlink()
    assert not store.intact()
    again = reopened(store)
    assert again.id != store.id
    assert again.models.verified() == {}
    again.close()


def test_a_damaged_identity_stops_the_agent(store: Store) -> None:
    store.close()
    (store.root / "store.json").write_text("{}")
    with pytest.raises(Refusal, match="damaged"):
        open_store(store.root, now)
    (store.root / "store.json").unlink()
    again = open_store(store.root, now)
    again.close()


def test_a_damaged_record_means_not_verified(
    pull: Puller, small: SampleModel, store: Store
) -> None:
    pull(small).run()
    (record,) = (store.root / "records" / "models").iterdir()
    record.write_bytes(b'{"store_id": 7}')
    assert store.models.verified() == {}


def test_a_path_that_cannot_be_a_store_is_told(disk: Path) -> None:
    (disk / "file").write_bytes(b"")
    with pytest.raises(Refusal, match="Not a directory") as caught:
        open_store(disk / "file", now)
    assert caught.value.reason == reasons.STORE_UNUSABLE


def test_manifests_that_contradict_each_other_are_refused(
    pull: Puller, large: bytes, store: Store, server: Faulty, mirror: Source
) -> None:
    honest = sample_model({"w": large})
    publish(server, honest)
    (true,) = honest.manifest.files
    lying = ManifestFile("w", true.size, true.sha256, (true.chunks[0], "0" * 64))
    text = manifests.render(Manifest((lying,)))
    liar = SampleModel({"w": large}, Manifest((lying,)), text, manifests.digest(text))
    server.files[f"/escadre-manifests/{liar.digest[7:]}.manifest"] = text
    pull(honest).run()
    with pytest.raises(Refusal, match="one of them is wrong") as caught:
        pull(liar).run()
    assert caught.value.reason == reasons.DIGEST_MISMATCH
    assert set(store.models.verified()) == {honest.digest}
    assert mirror.name in "tree"


def test_samples_are_bounded(disk: Path) -> None:
    for number in range(MAX_SAMPLES + 3):
        bad = BadBytes("http://x", "a", 0, "e" * 64, f"{number:016}" * 4, now())
        assert set_aside(disk, bad, b"x").startswith(disk.name)
    assert len(list(disk.glob("*.bin"))) == MAX_SAMPLES
    assert len(list(disk.glob("*.json"))) == MAX_SAMPLES


@pytest.fixture
def tiny_disk(disk: Path) -> Iterator[Path]:
    """A file system of 40 MiB; needs root."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "escadre-test", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("size", [20 << 20, 30 << 20, 60 << 20])
def test_a_full_disk_is_told_with_numbers_and_left_as_it_was(
    tiny_disk: Path, server: Faulty, mirror: Source, size: int, pull: Puller
) -> None:
    model = sample_model({"w": b"w" * size})
    publish(server, model)
    with_store = open_store(tiny_disk, now)
    free = with_store.space().free
    made = pull(model)
    work = Pull(made.digest, made.total, mirror, with_store, made.meter, made.stop, LIMITS)
    if size < free - (16 << 20):
        work.run()
    else:
        with pytest.raises(Refusal, match=r"[\d.]+ [kMGT]?B free") as caught:
            work.run()
        assert caught.value.reason == reasons.STORE_FULL
        assert with_store.space().free > free - (1 << 20)
    with_store.close()


@pytest.mark.parametrize("round_", [1, 2])
def test_kill_9_costs_only_the_chunks_in_flight(
    store: Store, server: Faulty, pull: Puller, large: bytes, round_: int
) -> None:
    model = sample_model({"w.safetensors": large[:CHUNK_SIZE] * 2 + large, "x": b"x" * round_})
    publish(server, model)
    server.always[where("w.safetensors")] = stall(2 * CHUNK_SIZE + 100, server.released)
    marks = store.root / "partial" / f"{model.manifest.files[0].sha256}.chunks"
    store.close()
    arguments = [str(store.root), server.url, model.digest, str(model.manifest.total_bytes), COMMIT]
    process = subprocess.Popen([sys.executable, "-m", "tests.agent.pull.pull_process", *arguments])
    try:
        deadline = time.monotonic() + 120
        done = 0
        while done < 2 and time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError):
                done = marks.read_bytes().rpartition(b"\n")[2].count(b"x")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = marks.read_bytes().rpartition(b"\n")[2]
    assert kept.count(b"x") == 2
    server.always.clear()
    server.log.clear()
    again = open_store(store.root, now)
    made = pull(model)
    Pull(made.digest, made.total, made.mirror, again, made.meter, made.stop, LIMITS).run()
    asked = [entry.range or "" for entry in server.log if entry.path == where("w.safetensors")]
    runs = [[int(end) for end in each.removeprefix("bytes=").split("-")] for each in asked]
    again_asked = {
        n for first, last in runs for n in range(first // CHUNK_SIZE, last // CHUNK_SIZE + 1)
    }
    assert again_asked == {n for n, mark in enumerate(kept[:4]) if mark == ord(".")}
    assert set(again.models.verified()) == {model.digest}
    again.close()


def test_a_change_while_hashing_is_not_taken_for_verified(
    pull: Puller, small: SampleModel, store: Store
) -> None:
    pull(small).run()
    file = small.manifest.files[0]
    blob = store.blobs.path(file.sha256)
    blob.chmod(0o400)  # the record no longer agrees, so the blob is hashed

    def meanwhile() -> None:
        overwrite(blob, b"A")  # the same byte: the hash is good, the look is not

    assert store.blobs.holds(file, meanwhile)
    assert not store.blobs.agrees(file)
