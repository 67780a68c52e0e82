"""What the agent records on a node's disk, read by later and earlier versions."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.agent.conftest import Puller, SampleModel, now, reopened
from tests.clients.sources.faulty import Faulty

from escadre.agent.store.disk import Disk
from escadre.agent.store.partial import PartialFile, partial_paths
from escadre.agent.store.records import BlobRecord, ModelRecord, read_record, write_record
from escadre.agent.store.store import Store, open_store
from escadre.core.weights.manifest import CHUNK_SIZE, ManifestFile, chunks_of
from escadre.errors import Refusal

# As 0.1.0 wrote them.
BLOB_0_1_0 = '{"chunks": "ab", "ctime_ns": 3, "inode": 2, "size": 1}'
MODEL_0_1_0 = '{"bytes": 5, "store_id": "s", "verified_at": "2026-11-22T00:00:00Z"}'
BLOB = BlobRecord("ab", size=1, inode=2, ctime_ns=3)
MODEL = ModelRecord("s", 5, "2026-11-22T00:00:00Z")


@dataclass(frozen=True, slots=True)
class NewerModelRecord(ModelRecord):
    """The record of a later version."""

    last_used: str | None = None
    leases: int = 0


def records(store: Store) -> list[Path]:
    return sorted((store.root / "records").glob("*/*.json"))


def change(path: Path, **more: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


def test_records_of_0_1_0_are_read_and_written_as_they_were(tmp_path: Path) -> None:
    blob, model = tmp_path / "blob.json", tmp_path / "model.json"
    blob.write_text(BLOB_0_1_0)
    model.write_text(MODEL_0_1_0)
    assert read_record(blob, BlobRecord) == BLOB
    assert read_record(model, ModelRecord) == MODEL
    write_record(blob, BLOB)
    write_record(model, MODEL)
    assert (blob.read_text(), model.read_text()) == (BLOB_0_1_0, MODEL_0_1_0)


def test_a_field_added_later_is_missing_in_older_records_and_written_when_it_says_something(
    tmp_path: Path,
) -> None:
    path = tmp_path / "record.json"
    path.write_text(MODEL_0_1_0)
    newer = NewerModelRecord("s", 5, "2026-11-22T00:00:00Z")
    assert read_record(path, NewerModelRecord) == newer
    write_record(path, newer)
    assert path.read_text() == MODEL_0_1_0
    used = NewerModelRecord("s", 5, "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z", 2)
    write_record(path, used)
    assert read_record(path, NewerModelRecord) == used
    assert read_record(path, ModelRecord) == MODEL, "the version before it reads what it knows"


@pytest.mark.parametrize(
    "more",
    [
        {"bytes": "5"},
        {"bytes": True},
        {"store_id": None},
        {"verified_at": "yesterday"},
        {"format": 2},
        {"format": "1"},
    ],
)
def test_a_wrong_value_or_a_newer_format_means_not_verified(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**json.loads(MODEL_0_1_0), **more}))
    assert read_record(path, ModelRecord) is None


@pytest.mark.parametrize("text", ["[]", "7", "null", "{", "[[]]"])
def test_a_record_that_is_no_object_means_not_verified(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    assert read_record(path, BlobRecord) is None


def test_a_store_of_a_newer_agent_is_believed_without_hashing(
    pull: Puller, small: SampleModel, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = pull(small).run()
    for path in (*records(store), store.root / "store.json"):
        change(path, lastUsed="2026-11-23T00:00:00Z", leases=["a"])
    monkeypatch.setattr(os, "pread", None)  # nothing may read blobs
    again = reopened(store)
    assert again.models.verified() == {small.digest: record}
    again.close()


def test_records_of_a_newer_format_are_hashed_again_not_pulled(
    pull: Puller, small: SampleModel, store: Store, server: Faulty
) -> None:
    pull(small).run()
    for path in records(store):
        change(path, format=2)
    assert store.models.verified() == {}
    server.log.clear()
    pull(small).run()
    assert server.log == []
    assert set(store.models.verified()) == {small.digest}


def test_a_store_of_a_newer_format_is_left_alone(store: Store) -> None:
    store.close()
    path = store.root / "store.json"
    change(path, format=2)
    before = path.read_text()
    with pytest.raises(Refusal, match="of format 2; this version of the agent reads format 1"):
        open_store(store.root, now)
    assert path.read_text() == before


def test_a_partial_file_of_another_format_begins_anew(disk: Path) -> None:
    file = ManifestFile("f", CHUNK_SIZE + 1, "a" * 64, ("b" * 64, "c" * 64))
    with PartialFile(disk, file) as partial:
        partial.reserve(Disk(disk))
        partial.mark(next(chunks_of(file)))
    with PartialFile(disk, file) as partial:
        assert partial.done_bytes == CHUNK_SIZE
    marks = partial_paths(disk, file.sha256)[1]
    marks.write_bytes(marks.read_bytes().replace(b"/v1 ", b"/v2 "))
    with PartialFile(disk, file) as partial:
        assert partial.done_bytes == 0
