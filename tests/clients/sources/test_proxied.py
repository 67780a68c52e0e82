"""A mirror behind a forward proxy, a real squid: what goes through it, and what is said of it."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e.engine.mirror.squid import Squid, squid_proxy, why_missing
from e2e.engine.ports import free_port
from tests.clients.sources.certificates import Authority, tls_server
from tests.clients.sources.faulty import LOCAL, Faulty, faulty
from typing_extensions import override

from escadre import reasons
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.errors import (
    AddressRefused,
    MirrorBusy,
    MirrorError,
    MirrorUnavailable,
)
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.guard import Guard, guard_of
from escadre.clients.sources.protocol import RemoteFile, Source
from escadre.clients.sources.proxied import proxy_fault

PATH = f"/o/m/{'0' * 40}/w"
MANIFEST = f"/escadre-manifests/{'a' * 64}.manifest"
CONTENT = bytes(range(256))
FILE = RemoteFile("w", 256)


@pytest.fixture(scope="module")
def squid() -> Iterator[Squid]:
    if missing := why_missing():
        pytest.skip(missing)
    with squid_proxy() as proxy:
        yield proxy


@pytest.fixture
def mirror() -> Iterator[Faulty]:
    with faulty({PATH: CONTENT, MANIFEST: b"text"}) as world:
        yield world


def opened(url: str, proxy: str | None, guard: Guard = LOCAL, ca: str | None = None) -> Source:
    return open_source(
        "m",
        ModelMirrorSpec(type="http", url=url, proxy_url=proxy, ca_bundle=ca),
        repository="o/m",
        revision="0" * 40,
        credentials=Credentials.bearer("t0k"),
        guard=guard,
    )


def read(source: Source) -> bytes:
    got = bytearray()
    try:
        source.read(FILE, 10, 100, got.extend)
    finally:
        source.close()
    return bytes(got)


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """A proxy that answers each CONNECT so."""

    class Handler(socketserver.StreamRequestHandler):
        @override
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_plain_http_goes_through_it_with_the_whole_url(mirror: Faulty, squid: Squid) -> None:
    assert read(opened(mirror.url, squid.url)) == CONTENT[10:110]
    assert f"GET {mirror.url}{PATH}" in squid.requests()
    assert mirror.log[0].headers["Authorization"] == "Bearer t0k"
    assert "Via" in mirror.log[0].headers


def test_https_goes_through_it_unseen(squid: Squid, tmp_path: Path) -> None:
    bank = Authority("bank")
    with tls_server(bank.issue("127.0.0.1").file(tmp_path / "server.pem")) as server:
        source = opened(server.url, squid.url, ca=bank.pem)
        assert source.manifest("sha256:" + "a" * 64) == b"text"
        source.close()
        assert f"CONNECT {server.url.removeprefix('https://')}" in squid.requests()


def test_the_environment_s_proxies_are_not_used(
    mirror: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert read(opened(mirror.url, None)) == CONTENT[10:110]


def test_only_the_proxy_resolves_the_mirror_s_name(squid: Squid) -> None:
    """So the guard sees the proxy's address, and the proxy's own rules are what holds."""
    with pytest.raises(MirrorUnavailable) as caught:
        read(opened("http://refused.bank.example", squid.url))
    assert caught.value.message == (
        f"getting http://refused.bank.example{PATH} through spec.proxyURL: the proxy answers HTTP "
        "403 (ERR_ACCESS_DENIED): its own rules refuse this host or port"
    )


def test_a_squid_that_cannot_reach_the_mirror_says_so_itself(squid: Squid) -> None:
    with pytest.raises(MirrorBusy, match=r"the proxy answers HTTP 503 \(ERR_CONNECT_FAIL\)$"):
        read(opened(f"http://127.0.0.1:{free_port()}", squid.url))


@pytest.mark.parametrize(
    ("head", "reason", "says"),
    [
        (
            "407 no\r\nProxy-Authenticate: Basic",
            reasons.MIRROR_UNAVAILABLE,
            "HTTP 407: the proxy of spec.proxyURL wants credentials, and there are none for it",
        ),
        (
            "403 no\r\nProxy-Status: edge.bank.example; error=http_request_denied",
            reasons.MIRROR_UNAVAILABLE,
            "answers HTTP 403 (http_request_denied): its own rules refuse this host or port",
        ),
        (
            "400 no\r\nX-Squid-Error: ERR_INVALID_URL 0",
            reasons.MIRROR_UNAVAILABLE,
            "through spec.proxyURL: the proxy answers HTTP 400 (ERR_INVALID_URL)",
        ),
        (
            "403 no",
            reasons.UNAUTHORIZED,
            "wants some; or the proxy of spec.proxyURL refuses: over plain http the two look alike",
        ),
        (
            "401 no",
            reasons.UNAUTHORIZED,
            "HTTP 401: the mirror refuses the credentials, or wants some",
        ),
        ("404 no", reasons.MIRROR_FILE_NOT_FOUND, "HTTP 404: the mirror has no such file"),
    ],
)
def test_over_plain_http_a_proxy_is_named_where_it_can_be_it_that_answers(
    head: str, reason: reasons.Reason, says: str
) -> None:
    answer = f"HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n".encode()
    with saying(answer) as proxy, pytest.raises(MirrorError) as caught:
        read(opened("http://hub.bank.example", proxy))
    assert caught.value.reason == reason
    assert caught.value.message.endswith(says)


def test_a_proxy_that_nobody_named_is_told_as_such() -> None:
    says = "HTTP 407: a proxy in between wants credentials, which spec.proxyURL does not name"
    answer = b"HTTP/1.1 407 no\r\nContent-Length: 0\r\n\r\n"
    with saying(answer) as url, pytest.raises(MirrorUnavailable, match=f"{says}$"):
        read(opened(url, None))


def test_a_mirror_s_own_word_through_a_tunnel_is_not_the_proxy_s() -> None:
    """Whatever its headers pretend: the proxy cannot see it."""
    headers = {"X-Squid-Error": "ERR_ACCESS_DENIED 0"}
    assert proxy_fault("x", 403, headers, "tunnel") is None
    assert proxy_fault("x", 403, headers, "none") is None


def test_what_a_proxy_says_to_a_tunnel_is_told(squid: Squid) -> None:
    with pytest.raises(MirrorError, match=r"through spec\.proxyURL: the proxy answers HTTP 403"):
        read(opened("https://refused.bank.example", squid.url))


def test_a_proxy_that_is_not_there_is_told_apart_from_the_mirror(mirror: Faulty) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    for url in (mirror.url, mirror.url.replace("http://", "https://")):
        with pytest.raises(MirrorBusy, match=r"through spec\.proxyURL: .*refused"):
            read(opened(url, gone))


def test_the_guard_checks_the_proxy_s_address(mirror: Faulty, squid: Squid) -> None:
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1 is a loopback address"):
        read(opened(mirror.url, squid.url, guard=guard_of([], [])))
    assert mirror.log == []


@pytest.mark.parametrize(
    ("status", "says", "transient"),
    [
        (403, "the proxy answers HTTP 403: its own rules refuse this host or port", False),
        (407, "HTTP 407: the proxy of spec.proxyURL wants credentials, and there are none", False),
        (503, "the proxy answers HTTP 503", True),
    ],
)
def test_a_tunnel_s_refusal_is_told_without_the_proxy_s_own_words(
    status: int, says: str, transient: bool
) -> None:
    answer = f"HTTP/1.1 {status} user anna, ticket secret\r\n\r\n".encode()
    with saying(answer) as proxy, pytest.raises(MirrorError) as caught:
        read(opened("https://hub.bank.example", proxy))
    assert f"through spec.proxyURL: {says}" in caught.value.message
    assert "secret" not in caught.value.message
    assert caught.value.transient is transient
