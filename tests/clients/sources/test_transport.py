"""One exchange with a server: what each request carries, and what is bounded."""

import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from tests.clients.sources.faulty import LOCAL, Faulty, faulty, refuse
from typing_extensions import override

from escadre import __version__
from escadre.clients.sources.credentials import Authorize
from escadre.clients.sources.errors import (
    AddressRefused,
    MirrorBusy,
    MirrorSlow,
    MirrorUnavailable,
    Unauthorized,
)
from escadre.clients.sources.guard import Guard, guard_of
from escadre.clients.sources.origins import origin
from escadre.clients.sources.reach import Reach
from escadre.clients.sources.transport import Link, Timeouts, Transport


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty({"/a": b"text", "/b": b"text"}) as world:
        yield world


def transport(server: Faulty, authorize: Authorize | None = None) -> Transport:
    reach = Reach(frozenset({origin(server.url)}))
    return Transport(Link(reach, LOCAL, timeouts=Timeouts(connect=60)), authorize)


def test_each_request_is_signed_anew(server: Faulty) -> None:
    server.always["/a"] = refuse(307, {"Location": "/b"})

    def sign(method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        return {"X-Signed": f"{method} {url.removeprefix(server.url)} {headers['Range']}"}

    opened = transport(server, sign)
    with opened.get(f"{server.url}/a", (0, 1), headers={"Accept": "text/plain"}) as body:
        assert bytes(body.read()) == b"te"
    assert [seen.headers["X-Signed"] for seen in server.log] == [
        "GET /a bytes=0-1",
        "GET /b bytes=0-1",
    ]
    assert {seen.headers["Accept"] for seen in server.log} == {"text/plain"}
    opened.close()


def test_what_is_fetched_whole_is_bounded(server: Faulty) -> None:
    opened = transport(server)
    fetched = opened.fetch(f"{server.url}/a", 4)
    assert (fetched.text, fetched.answer.header("content-length")) == (b"text", "4")
    with pytest.raises(MirrorUnavailable, match="/a: over 3 B"):
        opened.fetch(f"{server.url}/a", 3)
    opened.close()


def test_a_challenge_is_kept_for_the_protocol_that_answers_it(server: Faulty) -> None:
    server.always["/a"] = refuse(401, {"WWW-Authenticate": 'Bearer realm="https://auth/token"'})
    opened = transport(server)
    with pytest.raises(Unauthorized) as caught:
        opened.fetch(f"{server.url}/a", 4)
    assert caught.value.challenge == 'Bearer realm="https://auth/token"'
    opened.close()


def test_nothing_but_the_mirror_s_own_hosts_is_asked(server: Faulty) -> None:
    with faulty({"/x": b"text"}) as other:
        opened = transport(server)
        with pytest.raises(MirrorUnavailable, match="none of the hosts that the ModelMirror names"):
            opened.fetch(f"{other.url}/x", 4)
        assert other.log == []
        opened.close()


def test_it_says_who_it_is(server: Faulty) -> None:
    opened = transport(server)
    opened.fetch(f"{server.url}/a", 4)
    assert server.log[0].headers["User-Agent"] == f"escadre/{__version__}"
    opened.close()


def test_a_name_is_resolved_once(server: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is connected to: asked again, a name might lead elsewhere."""
    asked: list[str] = []
    resolve = socket.getaddrinfo

    def recording(host: str, *args: Any, **options: Any) -> Any:
        asked.append(host)
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", recording)
    url = server.url.replace("127.0.0.1", "localhost")
    guard = guard_of(["127.0.0.0/8"], [])
    opened = Transport(Link(Reach(frozenset({origin(url)})), guard), None)
    assert opened.fetch(f"{url}/a", 4).text == b"text"
    assert asked == ["localhost", "127.0.0.1"]
    opened.close()


def test_a_name_that_leads_to_a_refused_address_is_not_connected_to(server: Faulty) -> None:
    url = server.url.replace("127.0.0.1", "localhost")
    opened = Transport(Link(Reach(frozenset({origin(url)})), Guard()), None)
    with pytest.raises(AddressRefused, match=r"localhost is at .*, which is a loopback address"):
        opened.fetch(f"{url}/a", 4)
    assert server.log == []
    opened.close()


def test_a_name_nobody_knows_is_told() -> None:
    url = "http://mirror.invalid"
    opened = Transport(Link(Reach(frozenset({origin(url)})), LOCAL), None)
    with pytest.raises(MirrorUnavailable, match=r"connecting for http://mirror\.invalid/a: "):
        opened.fetch(f"{url}/a", 4)
    opened.close()


def test_a_server_that_takes_a_connection_and_no_part_in_tls_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        link = Link(Reach(frozenset({origin(url)})), LOCAL, timeouts=Timeouts(connect=0.3))
        opened = Transport(link, None)
        with pytest.raises(
            MirrorBusy, match=r"connecting for https.*: no answer to TLS or from .* in [0-9.]+ s$"
        ):
            opened.fetch(f"{url}/a", 4)
        opened.close()


def test_a_server_that_takes_a_request_and_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        link = Link(Reach(frozenset({origin(url)})), LOCAL, timeouts=Timeouts(first_byte=0.3))
        opened = Transport(link, None)
        with pytest.raises(MirrorSlow, match=r"no byte for 0\.3 s before an answer"):
            opened.fetch(f"{url}/a", 4)
        opened.close()


def test_the_query_of_a_url_shows_nowhere(
    server: Faulty, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The library itself warns of odd headers with the whole URL, which a signature is part of."""
    server.files["/a?X-Amz-Signature=secret"] = b"text"
    server.always["/a?X-Amz-Signature=secret"] = refuse(200, {"X-Odd": "a\r\nno colon here"})
    opened = transport(server)
    assert opened.fetch(f"{server.url}/a?X-Amz-Signature=secret", 10).text == b"refused"
    opened.close()
    assert "secret" not in caplog.text
    assert capfd.readouterr() == ("", "")


@contextmanager
def answering(answer: bytes, family: socket.AddressFamily) -> Iterator[str]:
    """A server on loopback that says this to each request; its URL."""

    class Handler(socketserver.StreamRequestHandler):
        @override
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    class Server(socketserver.TCPServer):
        address_family = family

    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with Server((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            shown = f"[{host}]" if ":" in host else host
            yield f"http://{shown}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def asking(url: str, guard: Guard) -> Transport:
    return Transport(Link(Reach(frozenset({origin(url)})), guard), None)


@pytest.mark.parametrize(
    ("date", "after", "delay"),
    [
        ("Tue, 01 Jan 2036 00:00:00 GMT", "Tue, 01 Jan 2036 00:00:07 GMT", 7.0),
        ("Tue, 01 Jan 2036 00:00:07 GMT", "Tue, 01 Jan 2036 00:00:00 GMT", 0.0),
        ("Tue, 01 Jan 2036 00:00:00 GMT", "soon", None),
        ("yesterday", "Tue, 01 Jan 2036 00:00:07 GMT", None),
    ],
)
def test_a_date_to_wait_for_counts_by_the_mirror_s_own_clock(
    date: str, after: str, delay: float | None
) -> None:
    head = f"HTTP/1.1 503 no\r\nDate: {date}\r\nRetry-After: {after}\r\nContent-Length: 0\r\n\r\n"
    with answering(head.encode(), socket.AF_INET) as url:
        opened = asking(url, LOCAL)
        with pytest.raises(MirrorBusy) as caught:
            opened.fetch(f"{url}/a", 4)
        opened.close()
    assert caught.value.delay == delay


def test_a_mirror_with_an_ipv6_address_alone_is_read_where_it_may_be() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntext", socket.AF_INET6) as url:
        opened = asking(url, guard_of(["::1/128"], []))
        assert opened.fetch(f"{url}/a", 4).text == b"text"
        opened.close()
        refused = asking(url, LOCAL)
        with pytest.raises(AddressRefused, match="::1 is a loopback address"):
            refused.fetch(f"{url}/a", 4)
        refused.close()
