"""Pulling a model from a real server, with each fault of the table."""

import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.agent.conftest import (
    COMMIT,
    Puller,
    SampleModel,
    opened_mirror,
    publish,
    sample_model,
    where,
)
from tests.clients.sources.faulty import LOCAL, Answer, Fault, Faulty, flip, refuse, reset, stall

from escadre import reasons
from escadre.agent.pull import handout, pagecache
from escadre.agent.pull.pull import Pull
from escadre.agent.pull.seeking import Question
from escadre.agent.store.disk import Disk, Room
from escadre.agent.store.partial import PartialFile, partial_paths
from escadre.agent.store.store import Store
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.errors import (
    DigestMismatch,
    MirrorError,
    MirrorSlow,
    MirrorUnavailable,
    NotFound,
    Unauthorized,
)
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.retry import Cancelled
from escadre.clients.sources.transport import Timeouts
from escadre.core.weights.manifest import CHUNK_SIZE, Chunk
from escadre.errors import Refusal

BIG = "consolidated.safetensors"

_MISMATCH = (
    r"tekken\.json, chunk 0 \(bytes 0-\d+\) from mirror .*: sha256 [0-9a-f]{64}, approved is "
    r"[0-9a-f]{64}; nothing of the model is served; sample: quarantine/"
)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_model_is_pulled_verified_and_published(
    pull: Puller, model: SampleModel, store: Store, server: Faulty
) -> None:
    work = pull(model)
    record = work.run()
    assert tree(store.models.path(model.digest)) == model.contents
    assert record.bytes == model.manifest.total_bytes
    assert store.models.verified() == {model.digest: record}
    reading = work.meter.reading()
    assert reading.progress.bytes_done == reading.progress.bytes_total == record.bytes
    assert reading.arrived == record.bytes - len(model.contents["sub/again.json"])
    assert len(server.paths()) == len(set(server.paths()))  # a stream each
    assert list((store.root / "partial").iterdir()) == []


def test_folders_and_files_are_read_only_hard_links(
    pull: Puller, small: SampleModel, store: Store
) -> None:
    pull(small).run()
    folder = store.models.path(small.digest)
    assert folder.stat().st_mode & 0o777 == 0o555
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o444
        assert path.stat().st_nlink == 2
        assert not path.is_symlink()


def test_a_file_of_another_model_is_not_pulled_again(
    pull: Puller, model: SampleModel, small: SampleModel, store: Store, server: Faulty
) -> None:
    pull(small).run()
    server.log.clear()
    pull(model).run()
    assert where("params.json") not in server.paths()
    assert set(store.models.verified()) == {model.digest, small.digest}


def test_a_verified_model_needs_no_mirror(
    pull: Puller, small: SampleModel, server: Faulty, store: Store
) -> None:
    pull(small).run()
    server.log.clear()
    assert pull(small).run() == store.models.verified()[small.digest]
    assert server.log == []


def gzip(answer: Answer) -> None:
    answer.headers["Content-Encoding"] = "gzip"


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([flip(3)], id="bit flip once"),
        pytest.param([reset(40 << 20)], id="reset in the chunk"),
        pytest.param([refuse(503), refuse(500)], id="5xx twice"),
        pytest.param([refuse(429, {"Retry-After": "0"})], id="429"),
    ],
)
def test_faults_that_pass_cost_a_retry(
    pull: Puller, model: SampleModel, server: Faulty, store: Store, faults: list[Fault]
) -> None:
    server.faults[where(BIG)] = faults
    pull(model).run()
    assert tree(store.models.path(model.digest)) == model.contents


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        pytest.param(flip(3), DigestMismatch, "approved is", id="bit flip"),
        pytest.param(refuse(401), Unauthorized, "401", id="401"),
        pytest.param(refuse(403), Unauthorized, "403", id="403"),
        pytest.param(refuse(404), NotFound, "tekken.json: HTTP 404", id="404"),
        pytest.param(refuse(500), MirrorUnavailable, "500", id="500"),
        pytest.param(reset(5), MirrorUnavailable, "getting", id="reset"),
        pytest.param(gzip, MirrorUnavailable, "gzip", id="gzip"),
        pytest.param(
            refuse(302, {"Location": "http://elsewhere.example/x"}),
            MirrorUnavailable,
            "list elsewhere.example in spec.redirectHosts",
            id="redirect",
        ),
    ],
)
def test_faults_that_stay_are_typed_and_nothing_is_served(
    pull: Puller,
    model: SampleModel,
    server: Faulty,
    store: Store,
    fault: Fault,
    error: type[MirrorError],
    says: str,
) -> None:
    server.always[where("tekken.json")] = fault
    with pytest.raises(error, match=says):
        pull(model).run()
    assert store.models.verified() == {}
    assert not store.models.path(model.digest).exists()


def test_silence_is_mirror_slow(
    pull: Puller, small: SampleModel, server: Faulty, store: Store
) -> None:
    server.always[where("a.safetensors")] = stall(100, server.released)
    made = pull(small)
    impatient = opened_mirror(server, idle=0.3)
    work = Pull(made.digest, made.total, impatient, store, made.meter, made.stop, made.limits)
    with pytest.raises(MirrorSlow, match="no byte for"):
        work.run()
    impatient.close()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"tokens" * 999, id="truncated"),
        pytest.param(b"tokens" * 1000 + b"x", id="extra bytes"),
        pytest.param(b"", id="emptied"),
    ],
)
@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_of_another_size_is_refused(
    pull: Puller, model: SampleModel, server: Faulty, content: bytes, ranges: bool
) -> None:
    server.files[where("tekken.json")] = content
    server.ranges = ranges
    with pytest.raises(DigestMismatch, match="6,000 were expected"):
        pull(model).run()


def test_bad_bytes_are_set_aside_with_their_story(
    pull: Puller, model: SampleModel, server: Faulty, store: Store
) -> None:
    server.always[where("tekken.json")] = flip(0)
    with pytest.raises(DigestMismatch, match=_MISMATCH):
        pull(model).run()
    (sample,) = (store.root / "quarantine").glob("*.bin")
    assert sample.read_bytes()[1:] == model.contents["tekken.json"][1:]
    story = sample.with_suffix(".json").read_text()
    assert "tekken.json" in story
    assert server.url in story


def test_a_server_that_ignores_ranges_is_read_as_streams(
    pull: Puller, model: SampleModel, server: Faulty, store: Store
) -> None:
    server.ranges = False
    pull(model).run()
    assert tree(store.models.path(model.digest)) == model.contents


def test_a_wrong_content_range_leads_to_a_stream(
    pull: Puller, model: SampleModel, server: Faulty, store: Store
) -> None:
    def lies(answer: Answer) -> None:
        if answer.status == 206:
            answer.headers["Content-Range"] = "bytes 0-1/2"

    server.always[where(BIG)] = lies
    pull(model).run()
    assert tree(store.models.path(model.digest)) == model.contents


def in_streams(server: Faulty, path: str, faults: list[Fault]) -> Fault:
    """Apply ``faults`` to requests without a range only, one each."""

    def fault(answer: Answer) -> None:
        asked = [entry.range for entry in server.log if entry.path == path]
        if asked[-1] is None and faults:
            faults.pop(0)(answer)

    return fault


@pytest.mark.parametrize("times", [1, 2])
def test_a_stream_with_bad_bytes_is_read_once_more(
    pull: Puller, model: SampleModel, server: Faulty, store: Store, times: int
) -> None:
    server.ranges = False
    server.always[where(BIG)] = in_streams(server, where(BIG), [flip(CHUNK_SIZE + 5)] * times)
    work = pull(model)
    if times == 1:
        work.run()
        assert tree(store.models.path(model.digest)) == model.contents
    else:
        with pytest.raises(DigestMismatch, match="chunk 1"):
            work.run()


def test_a_broken_stream_is_begun_again_and_keeps_its_chunks(
    pull: Puller, model: SampleModel, server: Faulty, store: Store
) -> None:
    server.ranges = False
    server.always[where(BIG)] = in_streams(server, where(BIG), [reset(CHUNK_SIZE + 100)])
    work = pull(model)
    work.run()
    assert tree(store.models.path(model.digest)) == model.contents
    progress = work.meter.reading().progress
    assert progress.bytes_done == progress.bytes_total


def test_another_manifest_is_a_mismatch(pull: Puller, small: SampleModel, server: Faulty) -> None:
    server.files[f"/escadre-manifests/{small.digest[7:]}.manifest"] = small.text + b"\n"
    with pytest.raises(DigestMismatch, match=f"approved is {small.digest}"):
        pull(small).run()


def test_a_missing_manifest_names_its_url(pull: Puller, small: SampleModel, server: Faulty) -> None:
    server.files.clear()
    where = f"getting http://.*/escadre-manifests/{small.digest[7:]}"
    said = where + r"\.manifest: HTTP 404: the mirror has no such file"
    with pytest.raises(NotFound, match=said):
        pull(small).run()


def test_manifest_and_approval_have_to_agree(
    pull: Puller, small: SampleModel, store: Store
) -> None:
    made = pull(small)
    wrong = Pull(made.digest, 1, made.mirror, store, made.meter, made.stop, made.limits)
    with pytest.raises(Refusal, match="draft the approval again"):
        wrong.run()


def test_too_little_space_is_told_before_the_first_byte(
    pull: Puller, model: SampleModel, server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "room", lambda _: Room(1 << 40, 70 << 20))
    with pytest.raises(
        Refusal,
        match=r"MB more are needed and [\d.]+ MB kept back, but the store .* has 73.4 MB free",
    ) as c:
        pull(model).run()
    assert c.value.reason == reasons.STORE_FULL
    assert len(server.log) == 1  # the manifest


def beside(work: Pull) -> tuple[threading.Thread, list[BaseException]]:
    """Runs a pull in a thread; in the list stands that it was called off, once it was."""
    outcome: list[BaseException] = []

    def run() -> None:
        try:
            work.run()
        except Cancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def test_a_pull_that_is_called_off_keeps_its_chunks(
    pull: Puller, model: SampleModel, server: Faulty, store: Store
) -> None:
    server.always[where("tekken.json")] = stall(10, server.released)
    made = pull(model)
    impatient = opened_mirror(server, idle=1)
    work = Pull(made.digest, made.total, impatient, store, made.meter, made.stop, made.limits)
    thread, outcome = beside(work)
    marks = store.root / "partial"
    deadline = time.monotonic() + 60
    blob = store.blobs.path(model.manifest.files[0].sha256)
    while not blob.exists() and time.monotonic() < deadline and thread.is_alive():
        thread.join(0.01)
    work.stop.set()
    thread.join(60)
    impatient.close()
    assert [type(error) for error in outcome] == [Cancelled]
    assert blob.exists()
    assert {path.suffix for path in marks.iterdir()} == {".data", ".chunks"}
    server.always.clear()
    server.log.clear()
    pull(model).run()
    assert where(BIG) not in server.paths()


def test_a_mirror_that_lets_two_in_is_read_by_two(
    pull: Puller, server: Faulty, store: Store
) -> None:
    model = sample_model({f"f{n}": bytes([n]) * (3 << 20) for n in range(8)})
    publish(server, model)
    server.most, server.pace = 2, 0.02
    pull(model).run()
    assert tree(store.models.path(model.digest)) == model.contents
    assert len(server.log) <= 1 + len(model.contents) + 1  # a third was tried once, not again


def test_a_fault_that_stays_costs_no_other_its_chunk(
    pull: Puller, model: SampleModel, server: Faulty, store: Store
) -> None:
    server.pace = 0.002
    server.always[where("tekken.json")] = refuse(404)
    work = pull(model)
    with pytest.raises(NotFound):
        work.run()
    _, marks = partial_paths(store.root / "partial", model.manifest.files[0].sha256)
    assert marks.read_bytes().split(b"\n")[1].startswith(b"x.")
    assert work.meter.reading().progress.bytes_done >= CHUNK_SIZE


def test_a_first_byte_may_be_as_late_as_the_mirror_is_given(
    pull: Puller, small: SampleModel, server: Faulty, store: Store
) -> None:
    begin = threading.Event()

    def late(answer: Answer) -> None:
        answer.late = begin

    server.always[where("a.safetensors")] = late
    made = pull(small)
    mirror = open_source(
        "tree",
        ModelMirrorSpec(type="http", url=server.url),
        repository="org/model",
        revision=COMMIT,
        timeouts=Timeouts(connect=60, first_byte=60, idle=0.1),
        guard=LOCAL,
    )
    work = Pull(made.digest, made.total, mirror, store, made.meter, made.stop, made.limits)
    timer = threading.Timer(0.5, begin.set)
    timer.start()
    work.run()
    timer.join()
    mirror.close()
    assert server.paths().count(where("a.safetensors")) == 1


def judged_as_if_quiet(monkeypatch: pytest.MonkeyPatch, patience: float) -> None:
    """What first bytes mean hangs on other load; test_handout.py judges it in virtual time."""
    monkeypatch.setattr(Question, "answer", lambda *_: True)
    monkeypatch.setattr(handout, "allowed", lambda *_: patience)
    monkeypatch.setattr(handout, "halve", lambda *_: None)


def test_ranges_beside_a_stream_are_added_where_the_mirror_seeks(
    pull: Puller, server: Faulty, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = large[:CHUNK_SIZE] * 3 + large
    model = sample_model({"big": big, "small": bytes(16 << 20)})
    publish(server, model)
    server.pace = 0.005
    judged_as_if_quiet(monkeypatch, patience=60)
    pull(model).run()
    asked = [entry.range for entry in server.log if entry.path == where("big")]
    assert asked[0] is None
    assert f"bytes={4 * CHUNK_SIZE}-{len(big) - 1}" in asked[1:]
    assert len(asked) <= 5


def test_a_range_that_comes_late_is_left_and_none_is_asked_for_again(
    pull: Puller,
    server: Faulty,
    store: Store,
    large: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    big = large[:CHUNK_SIZE] * 3 + large
    model = sample_model({"big": big, "small": bytes(16 << 20)})
    publish(server, model)
    server.pace = 0.005
    judged_as_if_quiet(monkeypatch, patience=0.2)

    def fills(answer: Answer) -> None:
        if answer.status == 206:
            answer.late = server.released

    server.always[where("big")] = fills
    pull(model).run()
    asked = [entry.range for entry in server.log if entry.path == where("big")]
    assert asked == [None, f"bytes={4 * CHUNK_SIZE}-{len(big) - 1}"]
    assert tree(store.models.path(model.digest)) == model.contents


def test_a_node_pulls_no_faster_than_it_may(pull: Puller, server: Faulty, store: Store) -> None:
    model = sample_model({"a": bytes(3 << 20), "b": b"b" * (3 << 20)})
    publish(server, model)
    made = pull(model)
    rate = 10_000_000
    limits = replace(made.limits, rate=rate)
    began = time.monotonic()
    Pull(made.digest, made.total, made.mirror, store, made.meter, made.stop, limits).run()
    assert time.monotonic() - began >= made.total / rate - 0.3


def test_pages_that_do_not_fit_are_dropped_and_nothing_else(
    pull: Puller, model: SampleModel, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: set[str] = set()

    def forget(_: PartialFile, chunks: Iterable[Chunk]) -> None:
        dropped.update(chunk.sha256 for chunk in chunks)

    monkeypatch.setattr(pagecache, "fits", lambda _: False)
    monkeypatch.setattr(PartialFile, "forget", forget)
    pull(model).run()
    assert dropped == {sha256 for file in model.manifest.files for sha256 in file.chunks}
    assert tree(store.models.path(model.digest)) == model.contents


def test_a_manifest_that_hangs_holds_up_no_pull_that_is_called_off(
    pull: Puller, model: SampleModel, server: Faulty, store: Store
) -> None:
    """The mirror may have been given a day for its first byte, by mistake."""
    server.always[f"/escadre-manifests/{model.digest[7:]}.manifest"] = stall(1, server.released)
    made = pull(model)
    mirror = opened_mirror(server, idle=86400)
    work = Pull(made.digest, made.total, mirror, store, made.meter, made.stop, made.limits)
    thread, outcome = beside(work)
    work.stop.set()
    thread.join(20)
    held_up = thread.is_alive()
    server.released.set()
    thread.join(20)
    mirror.close()
    assert not held_up
    assert [type(error) for error in outcome] == [Cancelled]
