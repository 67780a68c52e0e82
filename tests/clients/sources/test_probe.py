"""A probe that nobody asks any more, and one whose bytes do not come to an end."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from escadre import reasons
from escadre.clients.sources.probe import Sample, probe
from escadre.clients.sources.protocol import (
    Capabilities,
    ListedFile,
    Met,
    Reader,
    RemoteFile,
    Sink,
)
from escadre.clients.sources.retry import Cancelled

LARGE, SMALL = RemoteFile("model.safetensors", 1 << 30), RemoteFile("params.json", 1 << 20)


class Dripping:
    """Sends a byte a minute, for ever."""

    name = "internal"
    capabilities = Capabilities(lists=False)
    met = Met()

    def __init__(self) -> None:
        self.minutes = 0

    def url(self, path: str) -> str:
        return path

    def list(self) -> list[ListedFile]:
        return []

    def manifest_url(self, digest: str) -> str:
        return digest

    def manifest(self, _: str) -> bytes:
        return b""

    def read(
        self, file: RemoteFile, offset: int, size: int, sink: Sink, patience: float | None = None
    ) -> None:
        del file, offset, size, patience
        while True:
            sink(self._byte())

    @contextmanager
    def stream(self, _: RemoteFile) -> Iterator[Reader]:
        yield self._Body(self)

    def close(self) -> None:
        pass

    def _byte(self) -> bytes:
        self.minutes += 1
        return b"x"

    class _Body:
        def __init__(self, source: "Dripping") -> None:
            self._source = source

        def read(self) -> bytes:
            return self._source._byte()


def test_bytes_that_come_one_by_one_are_read_for_minutes_only() -> None:
    source = Dripping()
    found = probe(source, Sample(LARGE, (SMALL, "0" * 64)), lambda: 60.0 * source.minutes)
    assert [one.subject for one in found.findings] == ["ranges", "content"]
    for one in found.findings:
        assert one.fault is not None
        assert one.fault.reason == reasons.MIRROR_SLOW
        assert "does not come to an end within 600 s" in one.words


@pytest.mark.parametrize("minutes", [0, 3])
def test_who_is_asked_for_nothing_any_more_reads_no_further_piece(minutes: int) -> None:
    source = Dripping()
    with pytest.raises(Cancelled):
        probe(
            source, Sample(LARGE), lambda: float(source.minutes), lambda: source.minutes >= minutes
        )
    assert source.minutes == minutes
