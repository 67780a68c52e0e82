"""What lies in between and gives up on a mirror that pauses: a real HAProxy, a real squid."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from e2e.engine.mirror import haproxy, squid
from tests.clients.sources.faulty import LOCAL, Faulty, faulty, stall

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.errors import MirrorUnavailable
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.protocol import RemoteFile, Source
from escadre.clients.sources.reading import Reading
from escadre.clients.sources.retry import RetryPolicy, read_to

PATH = f"/o/m/{'0' * 40}/w"
CONTENT = bytes(range(256)) * 40_000
FILE = RemoteFile("w", len(CONTENT))
KEPT = 5_000_000  # bytes before the pause; what stands in buffers in between may be lost
QUICK = RetryPolicy(tries=3, base=0.001)


@pytest.fixture
def mirror() -> Iterator[Faulty]:
    with faulty({PATH: CONTENT}) as world:
        yield world


def opened(url: str, proxy: str | None = None) -> Source:
    spec = ModelMirrorSpec(type="http", url=url, proxy_url=proxy)
    return open_source("m", spec, repository="o/m", revision="0" * 40, guard=LOCAL)


@pytest.fixture(params=["haproxy", "squid"])
def source(request: pytest.FixtureRequest, mirror: Faulty, tmp_path: Path) -> Iterator[Source]:
    """The mirror behind one that waits a second for it."""
    if request.param == "haproxy":
        if missing := haproxy.why_missing():
            pytest.skip(missing)
        behind = mirror.url.removeprefix("http://")
        front = haproxy.haproxy_front(behind, tmp_path, patience=0.5)
        with front as url, closing(opened(url)) as source:
            yield source
        return
    if missing := squid.why_missing():
        pytest.skip(missing)
    with squid.squid_proxy(patience=1) as proxy, closing(opened(mirror.url, proxy.url)) as source:
        yield source


def test_a_body_that_is_cut_is_told_and_may_be_tried_again(mirror: Faulty, source: Source) -> None:
    mirror.faults[PATH] = [stall(KEPT, mirror.released)]
    got = bytearray()
    with pytest.raises(MirrorUnavailable, match=r"of 10,240,000 bytes") as caught:
        Reading(source).read(FILE, 0, FILE.size, got.extend)
    assert caught.value.transient
    assert 0 < len(got) <= KEPT
    assert bytes(got) == CONTENT[: len(got)]


def test_reading_goes_on_behind_the_cut(mirror: Faulty, source: Source) -> None:
    mirror.faults[PATH] = [stall(KEPT, mirror.released)]
    got = bytearray()
    wait = threading.Event().wait
    read_to(Reading(source), FILE, FILE.size, sink=got.extend, policy=QUICK, wait=wait)
    assert bytes(got) == CONTENT
    first, *further = mirror.log
    assert first.range is None
    assert all(one.range is not None for one in further)
    # On a starved machine the proxy gives up on one of these too.
    begun = [int((one.range or "").removeprefix("bytes=").partition("-")[0]) for one in further]
    assert 0 < begun[0] <= KEPT
    assert begun == sorted(begun)
