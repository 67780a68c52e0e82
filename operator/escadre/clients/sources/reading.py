"""Reads a file of a mirror with every fall-back; the one place that knows them.

From its beginning a file is asked for whole: that is what caches on the way handle best. From
anywhere else it is asked for by range, and where a mirror has no ranges it is read from its
beginning again, passing over what is not wanted. One try: retry.py decides about another when
drafting, agent/pull when pulling.
"""

from dataclasses import dataclass

from escadre.clients.sources.errors import DigestMismatch, MirrorUnavailable, RangesUnsupported
from escadre.clients.sources.origins import shown
from escadre.clients.sources.protocol import Reader, RemoteFile, Sink, Source

__all__ = ["Reading"]


@dataclass(slots=True)
class Reading:
    """The files of one source; shared by threads.

    Args:
        source: where they are.
        ranges: whether it serves byte ranges, as far as is known.
    """

    source: Source
    ranges: bool = True

    def read(self, file: RemoteFile, begin: int, end: int, sink: Sink) -> None:
        """Hand the bytes ``begin`` to ``end`` to ``sink``, in order.

        While bytes are passed over, ``sink`` is handed empty pieces. Raises MirrorError; what
        ``sink`` was given until then is the beginning of what was asked for.
        """
        if self.ranges and (begin, end) != (0, file.size):
            try:
                self.source.read(file, begin, end - begin, sink)
            except RangesUnsupported:
                self.ranges = False
            else:
                return
        with self.source.stream(file) as body:
            self._through(file, body, range(begin, end), sink)

    def _through(self, file: RemoteFile, body: Reader, wanted: range, sink: Sink) -> None:
        at = 0
        while at < wanted.stop and (piece := body.read()):
            sink(piece[max(0, wanted.start - at) : wanted.stop - at])
            at += len(piece)
        where = f"getting {shown(self.source.url(file.path))}"
        if at < wanted.stop:
            raise MirrorUnavailable(
                f"{where}: the body ended after {at:,} of {file.size:,} bytes", transient=True
            )
        if at > file.size or (wanted.stop == file.size and body.read()):
            raise DigestMismatch(f"{where}: it is longer than the expected {file.size:,} bytes")
