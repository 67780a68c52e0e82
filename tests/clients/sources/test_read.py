"""Reading from a mirror over real HTTP: what it sends, and what it makes of each fault."""

import threading
from collections.abc import Iterator

import pytest
from pydantic import ValidationError
from tests.clients.sources.faulty import (
    LOCAL,
    Answer,
    Fault,
    Faulty,
    faulty,
    flip,
    refuse,
    reset,
    stall,
)

from escadre import reasons
from escadre.api.mirror import MirrorType, ModelMirrorSpec
from escadre.clients.sources.credentials import AccessKey, Credentials
from escadre.clients.sources.errors import (
    DigestMismatch,
    MirrorBusy,
    MirrorError,
    MirrorSlow,
    MirrorUnavailable,
    NotFound,
    RangesUnsupported,
    Unauthorized,
)
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.protocol import RemoteFile, Source
from escadre.clients.sources.reading import Reading
from escadre.clients.sources.retry import Cancelled, RetryPolicy, attempt, read_to
from escadre.clients.sources.transport import Timeouts
from escadre.errors import Refusal

COMMIT = "0" * 40
CONTENT = bytes(range(256)) * 16384  # 4 MiB
PATH = f"/hf/org/model/resolve/{COMMIT}/w%20a.safetensors"
FILE = RemoteFile("w a.safetensors", len(CONTENT))
POLICY = RetryPolicy(tries=3, base=0.001)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty({PATH: CONTENT}) as world:
        yield world


@pytest.fixture
def mirror(server: Faulty) -> Iterator[Source]:
    opened = hub(server)
    yield opened
    opened.close()


def hub(
    server: Faulty,
    credentials: Credentials | None = None,
    idle: float = 60,
    first_byte: float | None = None,
) -> Source:
    spec = ModelMirrorSpec(
        type="huggingface", url=f"{server.url}/hf", manifests_url=f"{server.url}/manifests"
    )
    return open_source(
        "internal",
        spec,
        repository="org/model",
        revision=COMMIT,
        credentials=credentials,
        guard=LOCAL,
        timeouts=Timeouts(connect=60, first_byte=first_byte or idle, idle=idle),
    )


def never(_: float) -> bool:
    return False


def read(mirror: Source, offset: int = 0, size: int = len(CONTENT)) -> bytes:
    got = bytearray()
    if (offset, size) == (0, FILE.size):
        read_to(Reading(mirror), FILE, FILE.size, sink=got.extend, policy=POLICY, wait=never)
    else:
        attempt(lambda: mirror.read(FILE, offset, size, got.extend), POLICY, never)
    return bytes(got)


def test_a_range_is_asked_for_and_delivered(server: Faulty, mirror: Source) -> None:
    assert read(mirror, 1000, 3_000_000) == CONTENT[1000:3_001_000]
    (request,) = server.log
    assert request.range == "bytes=1000-3000999"
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in request.headers


def test_connections_are_used_again(server: Faulty, mirror: Source) -> None:
    for offset in range(8):
        read(mirror, offset, 1000)
    assert len({request.port for request in server.log}) == 1


def test_static_tree_urls() -> None:
    spec = ModelMirrorSpec(type="http", url="https://files.bank.example/weights/")
    mirror = open_source("tree", spec, repository="org/model", revision=COMMIT)
    assert mirror.url("a/b#c") == f"https://files.bank.example/weights/org/model/{COMMIT}/a/b%23c"
    assert mirror.manifest_url("sha256:" + "a" * 64) == (
        f"https://files.bank.example/weights/escadre-manifests/{'a' * 64}.manifest"
    )


def test_a_hub_without_a_place_for_manifests_is_refused() -> None:
    spec = ModelMirrorSpec(type="huggingface", url="https://hub.bank.example")
    with pytest.raises(Refusal, match="needs manifestsURL"):
        open_source("hub", spec, repository="org/model", revision=COMMIT)


@pytest.mark.parametrize("field", ["url", "manifests_url", "proxy_url"])
@pytest.mark.parametrize("url", ["http://[1:2]/x", "https://hub.bank.example:70000", "http://h:0"])
def test_a_url_that_leads_to_no_host_is_refused_by_its_field(field: str, url: str) -> None:
    given = {"url": "https://hub.bank.example", "manifests_url": "https://m.bank.example"}
    spec = ModelMirrorSpec.model_validate({"type": "huggingface", **given, field: url})
    with pytest.raises(Refusal, match="has no host that can be connected to") as caught:
        open_source("hub", spec, repository="org/model", revision=COMMIT)
    assert caught.value.reason == reasons.INVALID_SPEC
    assert url in caught.value.message


@pytest.mark.parametrize("url", ["http://[::1", "http://[zz]/", "http://h:1:2", "http://h:/x"])
def test_a_url_that_is_none_is_not_stored(url: str) -> None:
    with pytest.raises(ValidationError):
        ModelMirrorSpec(type="http", url=url)


@pytest.mark.parametrize("url", ["http://[fd00::1]:8080/a/", "http://minio_1:9000", "http://h"])
def test_a_url_with_a_host_is_opened(url: str) -> None:
    open_source("m", ModelMirrorSpec(type="http", url=url), repository="o/m", revision=COMMIT)


@pytest.mark.parametrize("kind", ["huggingface", "http"])
def test_keys_that_no_request_could_carry_are_refused(kind: MirrorType) -> None:
    url = "https://hub.bank.example"
    spec = ModelMirrorSpec(type=kind, url=url, manifests_url=url)
    given = Credentials(access_key=AccessKey("AK", "secret"))
    with pytest.raises(Refusal, match="needs username and password, or token, in") as caught:
        open_source("hub", spec, repository="org/model", revision=COMMIT, credentials=given)
    assert caught.value.reason == reasons.SECRET_NOT_FOUND


def test_a_ca_bundle_that_is_not_pem_is_refused() -> None:
    spec = ModelMirrorSpec(type="http", url="https://hub.bank.example", ca_bundle="nonsense")
    with pytest.raises(Refusal, match="not PEM"):
        open_source("hub", spec, repository="org/model", revision=COMMIT)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([refuse(500)], id="500 once"),
        pytest.param([refuse(503), refuse(502)], id="503 and 502"),
        pytest.param([refuse(429, {"Retry-After": "0"})], id="429 with Retry-After"),
        pytest.param([refuse(408)], id="408"),
        pytest.param([reset(0)], id="reset before the body"),
        pytest.param([reset(2_000_000)], id="reset in the body"),
        pytest.param([reset(1_500_000)] * 2 + [refuse(503)], id="progress starts the count anew"),
        pytest.param([reset(2_000_000), refuse(500)], id="reset, then 500 on the rest"),
    ],
)
def test_faults_that_pass_are_ridden_out(
    server: Faulty, mirror: Source, faults: list[Fault]
) -> None:
    server.faults[PATH] = faults
    assert read(mirror) == CONTENT


def test_a_broken_read_goes_on_where_it_stopped(server: Faulty, mirror: Source) -> None:
    server.faults[PATH] = [reset(3 << 20)]
    assert read(mirror) == CONTENT
    assert [request.range for request in server.log] == [
        None,
        f"bytes={3 << 20}-{len(CONTENT) - 1}",
    ]


def test_a_broken_read_of_a_server_without_ranges_passes_over_what_is_there(
    server: Faulty, mirror: Source
) -> None:
    server.ranges = False
    server.faults[PATH] = [reset(3 << 20)]
    assert read(mirror) == CONTENT
    assert [request.range for request in server.log] == [
        None,
        f"bytes={3 << 20}-{len(CONTENT) - 1}",
        None,
    ]


def header(name: str, value: str) -> Fault:
    def fault(answer: Answer) -> None:
        answer.headers[name] = value

    return fault


def longer(answer: Answer) -> None:
    answer.body = bytes(answer.body) + b"more"


REFUSES = "the mirror refuses the credentials, or wants some"


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        pytest.param(refuse(401), Unauthorized, f"HTTP 401: {REFUSES}", id="401"),
        pytest.param(refuse(403), Unauthorized, f"HTTP 403: {REFUSES}", id="403"),
        pytest.param(refuse(404), NotFound, f"{PATH}: HTTP 404", id="404"),
        pytest.param(refuse(400), MirrorUnavailable, "HTTP 400", id="400"),
        pytest.param(refuse(500), MirrorUnavailable, "HTTP 500", id="500 for ever"),
        pytest.param(
            refuse(429, {"Retry-After": "3600"}),
            MirrorUnavailable,
            "HTTP 429",
            id="429 for an hour",
        ),
        pytest.param(reset(10), MirrorUnavailable, "getting http", id="reset for ever"),
        pytest.param(
            header("Content-Encoding", "gzip"), MirrorUnavailable, "compression", id="gzip"
        ),
        pytest.param(header("Content-Range", "bytes 0-9/10"), RangesUnsupported, "0-9", id="range"),
        pytest.param(header("Content-Range", "lies"), RangesUnsupported, "lies", id="no range"),
        pytest.param(
            header("Content-Range", f"bytes 5-1004/{len(CONTENT) + 1}"),
            DigestMismatch,
            "4,194,304 were expected",
            id="other size",
        ),
        pytest.param(longer, DigestMismatch, "more than the 1,000", id="extra bytes"),
        pytest.param(
            refuse(302, {"Location": "http://huggingface.co/x?token=secret"}),
            MirrorUnavailable,
            "http://huggingface.co/x, none of the mirror's hosts, which is not followed",
            id="cross-origin redirect",
        ),
        pytest.param(
            refuse(302, {"Location": PATH}), MirrorUnavailable, "5 redirects", id="redirect loop"
        ),
    ],
)
def test_faults_that_stay_end_in_a_typed_error(
    server: Faulty, mirror: Source, fault: Fault, error: type[MirrorError], says: str
) -> None:
    server.always[PATH] = fault
    with pytest.raises(error, match=says) as caught:
        read(mirror, 5, 1000)
    assert "secret" not in caught.value.message


def test_a_missing_content_range_is_seen(server: Faulty, mirror: Source) -> None:
    server.always[PATH] = lambda answer: answer.headers.clear()
    with pytest.raises(RangesUnsupported, match="missing"):
        read(mirror, 5, 1000)


def test_a_server_without_ranges_is_seen_and_its_small_files_are_read(
    server: Faulty, mirror: Source
) -> None:
    server.ranges = False
    assert read(mirror) == CONTENT
    with pytest.raises(RangesUnsupported, match="got the whole file"):
        read(mirror, 5, 1000)


def test_a_range_beyond_a_truncated_file_is_seen(server: Faulty, mirror: Source) -> None:
    server.files[PATH] = CONTENT[:100]
    with pytest.raises(RangesUnsupported, match="416"):
        read(mirror, 1000, 1000)
    with pytest.raises(DigestMismatch, match="has 100 bytes"), mirror.stream(FILE):
        pass


def test_silence_is_told_apart_from_refusal(server: Faulty) -> None:
    server.faults[PATH] = [stall(100, server.released)] * 3
    impatient = hub(server, idle=0.3)
    with pytest.raises(MirrorSlow, match=r"no byte for 0\.3 s"):
        read(impatient)
    impatient.close()


def test_a_body_may_begin_as_late_as_an_answer(server: Faulty) -> None:
    """A cache that fills itself sends the head at once and the body when it has it."""
    begin = threading.Event()

    def late(answer: Answer) -> None:
        answer.late = begin

    server.faults[PATH] = [late]
    mirror = hub(server, idle=0.1, first_byte=60)
    timer = threading.Timer(0.4, begin.set)
    timer.start()
    try:
        assert read(mirror) == CONTENT
    finally:
        timer.join()
        mirror.close()
    assert [request.range for request in server.log].count(None) == 1


def test_who_cannot_wait_for_a_range_is_told_so(server: Faulty, mirror: Source) -> None:
    server.faults[PATH] = [stall(0, server.released)]
    with pytest.raises(MirrorSlow, match=r"no byte for 0\.2 s"):
        mirror.read(FILE, 5, 1000, lambda _: None, patience=0.2)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked", ["999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_mirror_has_a_pull_wait_for_more_than_an_hour(
    server: Faulty, mirror: Source, status: int, asked: str
) -> None:
    server.always[PATH] = refuse(status, {"Retry-After": asked})
    with pytest.raises(MirrorBusy) as caught:
        mirror.read(FILE, 0, 10, lambda _: None)
    assert caught.value.delay == 3600


def test_a_closed_port_is_named() -> None:
    with faulty() as gone:
        pass
    mirror = hub(gone)
    with pytest.raises(MirrorUnavailable, match=r"connecting for http.*refused"):
        read(mirror)


def test_redirects_within_the_mirror_are_followed_with_credentials(server: Faulty) -> None:
    server.files["/cache/1"] = CONTENT
    server.always[PATH] = refuse(307, {"Location": "/cache/1"})
    mirror = hub(server, Credentials.bearer("t0k"))
    assert read(mirror) == CONTENT
    assert [entry.headers["Authorization"] for entry in server.log] == ["Bearer t0k"] * 2
    mirror.close()


def test_credentials_never_leave_the_mirror(server: Faulty) -> None:
    with faulty({"/x": CONTENT}) as other:
        server.always[PATH] = refuse(302, {"Location": f"{other.url}/x"})
        mirror = hub(server, Credentials.bearer("t0k"))
        with pytest.raises(MirrorUnavailable, match=r"list 127.0.0.1:[0-9]+ in spec.redirectHosts"):
            read(mirror)
        assert other.log == []
        mirror.close()


def test_a_stream_is_the_whole_file(server: Faulty, mirror: Source) -> None:
    got = b""
    with mirror.stream(FILE) as reader:
        while piece := reader.read():
            got += piece
    assert got == CONTENT
    assert server.log[0].range is None


def test_manifests_are_fetched_by_their_digest(server: Faulty, mirror: Source) -> None:
    server.files[f"/manifests/{'a' * 64}.manifest"] = b"text"
    assert mirror.manifest("sha256:" + "a" * 64) == b"text"
    with pytest.raises(NotFound, match=f"/manifests/{'b' * 64}.manifest"):
        mirror.manifest("sha256:" + "b" * 64)


def test_work_that_is_called_off_stops_at_the_next_piece(mirror: Source) -> None:
    taken: list[int] = []
    with pytest.raises(Cancelled):
        read_to(
            Reading(mirror),
            FILE,
            FILE.size,
            sink=lambda piece: taken.append(len(piece)),
            policy=POLICY,
            wait=lambda _: True,
        )
    assert len(taken) == 1


def test_attempts_end_with_the_last_error(server: Faulty, mirror: Source) -> None:
    digest = "sha256:" + "a" * 64
    path = f"/manifests/{'a' * 64}.manifest"
    server.faults[path] = [refuse(503)] * 2
    server.files[path] = b"text"
    assert attempt(lambda: mirror.manifest(digest), POLICY, never) == b"text"
    server.faults[path] = [refuse(503)] * 3
    with pytest.raises(MirrorUnavailable, match="503"):
        attempt(lambda: mirror.manifest(digest), POLICY, never)


def test_a_flipped_byte_passes_this_layer(server: Faulty, mirror: Source) -> None:
    server.faults[PATH] = [flip(7)]
    assert read(mirror) != CONTENT  # judging bytes is the agent's business


def test_a_manifest_that_does_not_come_to_an_end_is_given_up(
    server: Faulty, mirror: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escadre.clients.sources.http._LONGEST", -1.0)
    server.files[f"/manifests/{'a' * 64}.manifest"] = b"text"
    with pytest.raises(MirrorSlow, match="does not come to an end"):
        mirror.manifest("sha256:" + "a" * 64)
