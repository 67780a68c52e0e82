"""What every adapter does in the same way, on the servers that people run.

Folder always, nginx, Caddy and HAProxy where they are installed; S3 and OCI with the cluster's
tests, since their servers are built once.
"""

import hashlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from tests.agent.conftest import LIMITS, SampleModel, now, sample_model
from tests.clients.sources.faulty import Answer, faulty
from tests.clients.sources.worlds import CANARY, WORLDS, World

from escadre.agent.pull.meter import Meter
from escadre.agent.pull.pull import Pull
from escadre.agent.store.store import open_store
from escadre.clients.sources.errors import (
    DigestMismatch,
    MirrorError,
    MirrorSlow,
    MirrorUnavailable,
    NotFound,
    Unauthorized,
)
from escadre.clients.sources.probe import probe, sample_of
from escadre.clients.sources.protocol import RemoteFile, Source

BUILT = ("s3", "oci with a password", "oci with tokens", "oci over s3")
LARGE = "consolidated.safetensors"


@pytest.fixture(scope="module")
def content() -> SampleModel:
    return sample_model(
        {
            LARGE: hashlib.shake_256(b"weights").digest(3_000_001),
            "params.json": b'{"dim": 8}',
            "sub/empty": b"",
            "sub/a b+c#d%20.json": b"odd",
            "tekken.json": b"tokens" * 1000,
        }
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.cluster] if name in BUILT else [], id=name)
        for name in WORLDS
    ],
)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, content: SampleModel
) -> Iterator[World]:
    work = tmp_path_factory.mktemp("world")
    with WORLDS[request.param](work, content) as raised:
        yield raised


@pytest.fixture
def source(world: World) -> Iterator[Source]:
    with closing(world.opened()) as opened:
        yield opened


def ranged(source: Source, file: RemoteFile, offset: int, size: int) -> bytes:
    got = bytearray()
    source.read(file, offset, size, got.extend)
    return bytes(got)


def whole(source: Source, file: RemoteFile) -> bytes:
    got = bytearray()
    with source.stream(file) as body:
        while piece := body.read():
            got += piece
    return bytes(got)


def large(content: SampleModel) -> RemoteFile:
    return RemoteFile(LARGE, len(content.contents[LARGE]))


def test_the_list_is_true_or_there_is_none(
    world: World, source: Source, content: SampleModel
) -> None:
    assert source.capabilities.lists == (world.spec["type"] != "http")
    if not source.capabilities.lists:
        return
    listed = {one.path: one for one in source.list()}
    assert {path: one.size for path, one in listed.items()} == {
        path: len(text) for path, text in content.contents.items()
    }
    told = {path: one.sha256 for path, one in listed.items() if one.sha256}
    true = {path: hashlib.sha256(text).hexdigest() for path, text in content.contents.items()}
    assert told == (true if world.spec["type"] == "oci" else {})


def test_files_come_whole_and_in_ranges(source: Source, content: SampleModel) -> None:
    for path, text in content.contents.items():
        assert whole(source, RemoteFile(path, len(text))) == text
    file, text = large(content), content.contents[LARGE]
    for offset, size in ((0, 1), (0, len(text)), (1_000_000, 1_500_000), (len(text) - 1, 1)):
        assert ranged(source, file, offset, size) == text[offset : offset + size]


def test_the_same_model_is_pulled_to_the_same_digest(
    source: Source, content: SampleModel, tmp_path: Path
) -> None:
    with closing(open_store(tmp_path / "store", now)) as store:
        pull = Pull(
            digest=content.digest,
            total=content.manifest.total_bytes,
            mirror=source,
            store=store,
            meter=Meter(time.monotonic),
            stop=threading.Event(),
            limits=LIMITS,
        )
        assert pull.run().bytes == content.manifest.total_bytes
        model = tmp_path / "store" / "models" / content.digest.removeprefix("sha256:")
        for path, text in content.contents.items():
            assert (model / path).read_bytes() == text


def test_a_probe_finds_what_it_can_do(world: World, source: Source, content: SampleModel) -> None:
    sample = sample_of(content.manifest.files, content.digest)
    probed = probe(source, sample, time.monotonic)
    assert probed.fault is None
    assert probed.ranges is True
    assert probed.redirect_hosts == tuple(world.spec.get("redirectHosts", ()))
    asked = [one.subject for one in probed.findings]
    lists = ["list"] if source.capabilities.lists else []
    assert asked == ["manifest", *lists, "ranges", "content"]


def test_another_size_than_the_approved_one_is_told(source: Source, content: SampleModel) -> None:
    more = RemoteFile(LARGE, large(content).size + 1)
    got = bytearray()
    with pytest.raises(DigestMismatch, match="3,000,001"):
        source.read(more, 10, 100, got.extend)
    assert not got
    with pytest.raises(DigestMismatch, match="3,000,001"):
        whole(source, more)


def test_what_is_not_there_is_told(world: World, source: Source) -> None:
    with pytest.raises(NotFound):
        ranged(source, RemoteFile("missing.json", 10), 0, 10)
    with pytest.raises(NotFound):
        source.manifest("sha256:" + "0" * 64)
    with closing(world.opened(revision="f" * 40)) as other:
        with pytest.raises(NotFound):
            ranged(other, RemoteFile("params.json", 10), 0, 10)
        if other.capabilities.lists:
            with pytest.raises(NotFound):
                other.list()


def test_wrong_credentials_are_told_and_secrets_are_not(
    world: World, content: SampleModel, caplog: pytest.LogCaptureFixture
) -> None:
    if world.right is None:
        assert world.spec["type"] == "folder"
        return
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    with structlog.testing.capture_logs() as logs:
        with closing(world.opened(wrong=True)) as refused:
            for ask in (
                lambda: ranged(refused, large(content), 0, 10),
                lambda: refused.manifest(content.digest),
                *([refused.list] if refused.capabilities.lists else []),
            ):
                with pytest.raises(Unauthorized) as caught:
                    ask()
                said.append(f"{caught.value} {caught.value!r} {caught.value.__cause__!r}")
        with closing(world.opened()) as taken:
            ranged(taken, large(content), 0, 10)
            said += [repr(taken), repr(world.right), taken.url(LARGE)]
    text = " ".join([*said, caplog.text, str(logs)])
    assert "canary" not in text
    assert CANARY not in text


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_mirror_that_never_answers_is_given_up(
    world: World, content: SampleModel, silent: str
) -> None:
    if world.spec["type"] == "folder":
        return
    with closing(world.opened(url=silent, first_byte=0.2)) as source:
        with pytest.raises(MirrorSlow, match=r"no byte for 0\.2 s before an answer"):
            ranged(source, large(content), 0, 10)
        if source.capabilities.lists and world.spec["type"] != "huggingface":
            with pytest.raises(MirrorSlow):
                source.list()


def test_a_redirect_to_an_unlisted_host_is_not_followed(world: World, content: SampleModel) -> None:
    if world.spec["type"] == "folder":
        return

    def away(answer: Answer) -> None:
        answer.status, answer.headers = 307, {"Location": f"{elsewhere.url}/steal"}

    with faulty() as elsewhere, faulty() as front:
        front.everything = away
        source = world.opened(url=front.url)
        with closing(source), pytest.raises(MirrorUnavailable, match="not followed"):
            ranged(source, large(content), 0, 10)
        assert elsewhere.log == []


def test_presigned_urls_are_followed_to_listed_hosts_alone(
    world: World, content: SampleModel
) -> None:
    if "redirectHosts" not in world.spec:
        return
    (listed,) = world.spec["redirectHosts"]
    source = world.opened(without="redirectHosts")
    says = f"list {listed} in spec.redirectHosts of the ModelMirror"
    with closing(source), pytest.raises(MirrorUnavailable, match=says) as caught:
        ranged(source, large(content), 0, 10)
    assert "X-Amz" not in caught.value.message


def test_errors_for_a_moment_are_transient(world: World, content: SampleModel) -> None:
    if world.spec["type"] == "folder":
        return

    def busy(answer: Answer) -> None:
        answer.status, answer.headers = 503, {"Retry-After": "7"}

    with faulty() as front:
        front.everything = busy
        source = world.opened(url=front.url)
        with closing(source), pytest.raises(MirrorError) as caught:
            ranged(source, large(content), 0, 10)
    assert (caught.value.transient, caught.value.delay) == (True, 7.0)
