"""What reaches the disk of a partial file, and when it is taken for verified again."""

import hashlib
import os
import queue
from pathlib import Path

import pytest

from escadre.agent.pull.flusher import Flusher
from escadre.agent.store.partial import PartialFile
from escadre.core.weights.manifest import CHUNK_SIZE, Chunk, ManifestFile, chunks_of
from escadre.errors import Refusal

CONTENT = (b"a" * CHUNK_SIZE, b"b" * 4096)
FILE = ManifestFile(
    "w",
    sum(map(len, CONTENT)),
    hashlib.sha256(b"".join(CONTENT)).hexdigest(),
    tuple(hashlib.sha256(one).hexdigest() for one in CONTENT),
)


def first(partial: PartialFile) -> Chunk:
    """Writes the first chunk and marks it."""
    chunk = next(chunks_of(FILE))
    os.truncate(partial._data, FILE.size)
    partial.write(chunk.offset, CONTENT[0])
    partial.mark(chunk)
    return chunk


def test_bytes_are_synced_before_the_word_that_lets_them_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = PartialFile(tmp_path, FILE)
    first(partial)
    synced: list[int] = []
    sync, write = os.fdatasync, os.pwrite

    def noted(handle: int, *given: object) -> int:
        assert partial._data in synced
        return write(handle, *given)  # type: ignore[arg-type]

    def counted(handle: int) -> None:
        sync(handle)
        synced.append(handle)

    monkeypatch.setattr(os, "fdatasync", counted)
    monkeypatch.setattr(os, "pwrite", noted)
    partial.close()
    monkeypatch.undo()
    with PartialFile(tmp_path, FILE) as again:
        assert [chunk.index for chunk in again.missing()] == [1]


def test_a_disk_that_does_not_sync_leaves_nothing_that_counts_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = PartialFile(tmp_path, FILE)
    first(partial)

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(OSError, match="Input/output"):
        partial.close()
    monkeypatch.undo()
    with PartialFile(tmp_path, FILE) as again:
        assert len(list(again.missing())) == 2  # until it was hashed
        again.recheck(lambda: None)
        assert [chunk.index for chunk in again.missing()] == [1]


def test_a_closed_file_is_not_flushed(tmp_path: Path) -> None:
    partial = PartialFile(tmp_path, FILE)
    chunk = first(partial)
    assert partial.flush()
    partial.close()
    partial.close()
    assert not partial.flush()
    partial.forget([chunk])


def test_a_sync_that_failed_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells each descriptor once: the sync before a file becomes a blob succeeds."""
    partial = PartialFile(tmp_path, FILE)
    first(partial)
    partial.write(CHUNK_SIZE, CONTENT[1])
    partial.mark(list(chunks_of(FILE))[1])

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="Input/output"):
            partial.flush()
    with pytest.raises(OSError, match="Input/output"):
        partial.finish(tmp_path / "blob")
    partial.close()
    assert not (tmp_path / "blob").exists()
    with PartialFile(tmp_path, FILE) as again:
        assert len(list(again.missing())) == 2


def test_the_flusher_tells_what_the_disk_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = PartialFile(tmp_path, FILE)
    chunk = first(partial)
    told: queue.Queue[BaseException] = queue.Queue()

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        flusher = Flusher(tmp_path, keep_pages=True, failed=told.put)
        flusher.start()
        flusher.written(partial, chunk)
        error = told.get(timeout=20)
    flusher.end()
    partial.close()
    assert isinstance(error, Refusal)
    assert "Input/output error" in error.message


def test_the_flusher_flushes_and_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partial = PartialFile(tmp_path, FILE)
    chunk = first(partial)
    forgotten: queue.Queue[list[Chunk]] = queue.Queue()
    monkeypatch.setattr(PartialFile, "forget", lambda _, chunks: forgotten.put(chunks))
    flusher = Flusher(tmp_path, keep_pages=False, failed=lambda _: None)
    flusher.start()
    flusher.written(partial, chunk)
    assert forgotten.get(timeout=20) == [chunk]
    flusher.end()
    partial.close()
