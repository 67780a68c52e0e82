"""One exchange with a server: what each request carries, and what is bounded."""

from collections.abc import Iterator, Mapping

import pytest
from tests.clients.sources.faulty import Faulty, faulty, refuse

from escadre.clients.sources.credentials import Authorize
from escadre.clients.sources.errors import MirrorUnavailable, Unauthorized
from escadre.clients.sources.transport import Timeouts, Transport


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty({"/a": b"text", "/b": b"text"}) as world:
        yield world


def transport(authorize: Authorize | None = None) -> Transport:
    return Transport(
        authorize=authorize, ca_bundle=None, connections=1, timeouts=Timeouts(connect=60)
    )


def test_each_request_is_signed_anew(server: Faulty) -> None:
    server.always["/a"] = refuse(307, {"Location": "/b"})

    def sign(method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        return {"X-Signed": f"{method} {url.removeprefix(server.url)} {headers['Range']}"}

    opened = transport(sign)
    with opened.get(f"{server.url}/a", (0, 1), headers={"Accept": "text/plain"}) as body:
        assert body.read() == b"te"
    assert [seen.headers["X-Signed"] for seen in server.log] == [
        "GET /a bytes=0-1",
        "GET /b bytes=0-1",
    ]
    assert {seen.headers["Accept"] for seen in server.log} == {"text/plain"}
    opened.close()


def test_what_is_fetched_whole_is_bounded(server: Faulty) -> None:
    opened = transport()
    fetched = opened.fetch(f"{server.url}/a", 4)
    assert (fetched.text, fetched.answer.header("content-length")) == (b"text", "4")
    with pytest.raises(MirrorUnavailable, match="/a: over 3 B"):
        opened.fetch(f"{server.url}/a", 3)
    opened.close()


def test_a_challenge_is_kept_for_the_protocol_that_answers_it(server: Faulty) -> None:
    server.always["/a"] = refuse(401, {"WWW-Authenticate": 'Bearer realm="https://auth/token"'})
    opened = transport()
    with pytest.raises(Unauthorized) as caught:
        opened.fetch(f"{server.url}/a", 4)
    assert caught.value.challenge == 'Bearer realm="https://auth/token"'
    opened.close()
