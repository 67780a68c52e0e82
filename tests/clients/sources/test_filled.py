"""Bodies read into one buffer: from a real server, by length and in chunks, whole and cut."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.clients.sources.faulty import LOCAL, Answer, Faulty, faulty, reset

from escadre.clients.sources.errors import MirrorUnavailable
from escadre.clients.sources.origins import origin
from escadre.clients.sources.reach import Reach
from escadre.clients.sources.transport import Link, Timeouts, Transport

CONTENT = bytes(range(251)) * 20_000  # 5 MB


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty({"/x": CONTENT}) as world:
        yield world


@pytest.fixture
def transport(server: Faulty) -> Iterator[Transport]:
    reach = Reach(frozenset({origin(server.url)}))
    opened = Transport(Link(reach, LOCAL, timeouts=Timeouts(connect=60)), None)
    yield opened
    opened.close()


def whole(transport: Transport, url: str) -> bytes:
    got = bytearray()
    with transport.get(url) as body:
        while piece := body.read():
            got += piece
    return bytes(got)


def test_a_body_is_whole_and_its_connection_is_used_again(
    server: Faulty, transport: Transport
) -> None:
    for _ in range(3):
        assert whole(transport, f"{server.url}/x") == CONTENT
    assert len({request.port for request in server.log}) == 1


def test_a_body_in_chunks_is_whole_too(server: Faulty, transport: Transport) -> None:
    def in_chunks(answer: Answer) -> None:
        answer.headers |= {"Transfer-Encoding": "chunked"}
        answer.body = b"".join(
            b"%x\r\n%b\r\n" % (len(part), part) for part in (CONTENT[:7], CONTENT[7:], b"")
        )

    server.always["/x"] = in_chunks
    for _ in range(2):
        assert whole(transport, f"{server.url}/x") == CONTENT
    assert len({request.port for request in server.log}) == 1


def test_after_a_body_that_was_cut_there_is_another_connection(
    server: Faulty, transport: Transport
) -> None:
    server.faults["/x"] = [reset(1_000_000)]
    with suppress(MirrorUnavailable):  # or it ends as if it were whole: who reads it counts
        assert len(whole(transport, f"{server.url}/x")) < len(CONTENT)
    assert whole(transport, f"{server.url}/x") == CONTENT
    assert len({request.port for request in server.log}) == 2


def test_a_piece_lasts_until_the_next(server: Faulty, transport: Transport) -> None:
    with transport.get(f"{server.url}/x") as body:
        first = body.read()
        kept = bytes(first)
        assert CONTENT.startswith(kept)
        body.read()
        assert bytes(first) != kept
