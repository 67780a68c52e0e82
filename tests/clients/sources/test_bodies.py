"""What is made of bodies whose headers lie, and of what comes in place of a file."""

from collections.abc import Iterator

import pytest
from tests.clients.sources.faulty import LOCAL, Answer, Fault, Faulty, faulty

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.errors import DigestMismatch, MirrorUnavailable, RangesUnsupported
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.protocol import RemoteFile, Source

PATH = f"/o/m/{'0' * 40}/w"
CONTENT = bytes(range(256)) * 16
DIGEST = "sha256:" + "a" * 64
LOGIN = b"\n<!DOCTYPE html><title>Log in</title>" + b" " * 200
SAYS = "an HTML page came (text/html); a proxy or login in between?"


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty({PATH: CONTENT}) as world:
        yield world


@pytest.fixture
def source(server: Faulty) -> Iterator[Source]:
    spec = ModelMirrorSpec(type="http", url=server.url)
    opened = open_source("m", spec, repository="o/m", revision="0" * 40, guard=LOCAL)
    yield opened
    opened.close()


def ranged(source: Source, size: int = len(CONTENT), offset: int = 0, part: int = 100) -> bytes:
    got = bytearray()
    source.read(RemoteFile("w", size), offset, part, got.extend)
    return bytes(got)


def whole(source: Source, size: int = len(CONTENT)) -> bytes:
    got = bytearray()
    with source.stream(RemoteFile("w", size)) as body:
        while piece := body.read():
            got += piece
    return bytes(got)


def headed(**headers: str) -> Fault:
    def fault(answer: Answer) -> None:
        answer.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    return fault


def page(answer: Answer) -> None:
    answer.status, answer.body = 200, LOGIN
    answer.headers = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize("encoding", ["aws-chunked", "AWS-Chunked, identity", "identity", ""])
def test_plain_bytes_under_a_header_that_changes_none_are_read(
    server: Faulty, source: Source, encoding: str
) -> None:
    server.always[PATH] = headed(Content_Encoding=encoding)
    assert ranged(source, offset=5) == CONTENT[5:105]
    assert whole(source) == CONTENT


@pytest.mark.parametrize("encoding", ["gzip", "aws-chunked,gzip", "br", "x" * 5000])
def test_a_compressed_body_is_refused_by_name(
    server: Faulty, source: Source, encoding: str
) -> None:
    server.always[PATH] = headed(Content_Encoding=encoding)
    with pytest.raises(MirrorUnavailable, match="switch compression off") as caught:
        ranged(source)
    assert f"the body is {encoding.rpartition(',')[2][:80]} though" in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("size", [len(LOGIN), len(LOGIN) - 1, 10_000])
def test_a_page_in_place_of_a_file_is_told_whatever_its_size(
    server: Faulty, source: Source, size: int
) -> None:
    server.always[PATH] = page
    with pytest.raises(MirrorUnavailable) as caught:
        whole(source, size)
    assert caught.value.message == f"getting {server.url}{PATH}: {SAYS}"
    with pytest.raises(MirrorUnavailable) as caught:
        ranged(source, size, 0, size)
    assert caught.value.message.endswith(SAYS)
    with pytest.raises(RangesUnsupported):  # and then it is read as a stream
        ranged(source, size, 5, 10)


def test_a_page_in_place_of_a_manifest_is_told(server: Faulty, source: Source) -> None:
    path = f"/escadre-manifests/{'a' * 64}.manifest"
    server.files[path] = b""
    server.always[path] = page
    with pytest.raises(MirrorUnavailable, match="an HTML page came"):
        source.manifest(DIGEST)


def test_a_file_that_is_only_labelled_a_page_is_read(server: Faulty, source: Source) -> None:
    server.always[PATH] = headed(Content_Type="text/html")
    assert ranged(source, offset=5) == CONTENT[5:105]
    assert whole(source) == CONTENT


def test_another_size_that_is_no_page_stays_an_incident(source: Source) -> None:
    with pytest.raises(DigestMismatch, match="10,000 were expected"):
        whole(source, 10_000)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        pytest.param(f"bytes 5-104/{'9' * 5000}", RangesUnsupported, id="digits"),
        pytest.param("bytes -1--1/4096", RangesUnsupported, id="negative"),
        pytest.param("b" * 9000, MirrorUnavailable, id="long"),
    ],
)
def test_a_range_beyond_all_bounds_is_a_typed_fault(
    server: Faulty, source: Source, value: str, error: type[Exception]
) -> None:
    server.always[PATH] = headed(Content_Range=value)
    with pytest.raises(error) as caught:
        ranged(source, offset=5)
    assert len(str(caught.value)) < 500


def test_a_length_that_nobody_can_count_is_none(server: Faulty, source: Source) -> None:
    """The body then ends with the connection; whether it is all, the size asked for says."""

    def fault(answer: Answer) -> None:
        answer.headers["Content-Length"] = "9" * 5000
        answer.cut = len(answer.body)

    server.always[PATH] = fault
    assert ranged(source, offset=5) == CONTENT[5:105]
