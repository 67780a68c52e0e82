"""Moves the missing files of one model into the store: which chunk next, by how many threads.

Several ranged reads are in flight, spread over several files, the largest begun first. A mirror
without byte ranges is read as one stream per file. The first fault ends the transfer; chunks that
are marked by then stay for the next try. Called by agent/pull/pull.py; agent/pull/fetch.py does the
reading.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from escadre.agent.pull.fetch import Fetcher
from escadre.agent.store.blobs import Blobs
from escadre.agent.store.partial import PartialFile
from escadre.clients.sources.errors import RangesUnsupported
from escadre.clients.sources.retry import Cancelled, RetryPolicy
from escadre.core.weights.manifest import Chunk, ManifestFile

__all__ = ["Transfer", "TransferLimits"]


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """How much goes on at once, and how patiently."""

    files: int = 4
    chunks: int = 8
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(slots=True)
class _Open:
    """A file whose chunks are being handed out."""

    partial: PartialFile
    chunks: Iterator[Chunk]
    left: int


class Transfer:
    """One run over the missing files of one model; use it once.

    Args:
        files: what to fetch; each content once.
        blobs: where it goes.
        fetcher: reads and verifies.
        stop: set from outside to call the transfer off, and here at the first fault.
        limits: how much at once.
    """

    def __init__(
        self,
        files: Iterable[ManifestFile],
        *,
        blobs: Blobs,
        fetcher: Fetcher,
        stop: threading.Event,
        limits: TransferLimits,
    ) -> None:
        self._todo = sorted(files, key=lambda file: (-file.size, file.path))
        self._blobs = blobs
        self._fetcher = fetcher
        self._stop = stop
        self._limits = limits
        self._lock = threading.Lock()
        self._waiting = iter(self._todo)
        self._turn: deque[_Open] = deque()
        self._opened: list[PartialFile] = []
        self._committed: set[str] = set()
        self._no_ranges = threading.Event()
        self._faults: list[BaseException] = []

    def run(self) -> None:
        """Fetch the files and make them blobs; raises the first fault, or Cancelled."""
        self._in_threads(self._limits.chunks, self._chunk_worker)
        if self._no_ranges.is_set():
            self._waiting = iter(
                [file for file in self._todo if file.sha256 not in self._committed]
            )
            self._in_threads(self._limits.files, self._stream_worker)

    def _chunk_worker(self) -> None:
        while not self._stop.is_set() and not self._no_ranges.is_set():
            with self._lock:
                task = self._next_chunk()
            if task is None:
                return
            opened, chunk = task
            try:
                self._fetcher.chunk(opened.partial, chunk)
            except RangesUnsupported:
                self._no_ranges.set()
                return
            with self._lock:
                opened.left -= 1
                whole = not opened.left
            if whole:
                self._commit(opened.partial)

    def _stream_worker(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                file = next(self._waiting, None)
            if file is None:
                return
            with self._blobs.partial(file) as partial:
                self._fetcher.stream(partial)
                self._blobs.commit(partial)

    def _next_chunk(self) -> tuple[_Open, Chunk] | None:
        """The next chunk of the files whose turn it is, one of each in turn; holds the lock."""
        while True:
            while len(self._turn) < self._limits.files and (file := next(self._waiting, None)):
                self._open(file)
            if not self._turn:
                return None
            opened = self._turn.popleft()
            if chunk := next(opened.chunks, None):
                self._turn.append(opened)
                return opened, chunk

    def _open(self, file: ManifestFile) -> None:
        partial = self._blobs.partial(file)
        self._opened.append(partial)
        missing = list(partial.missing())
        if missing:
            self._turn.append(_Open(partial, iter(missing), len(missing)))
        else:
            self._commit(partial)  # an empty file, or one that was whole at the last crash

    def _commit(self, partial: PartialFile) -> None:
        self._blobs.commit(partial)
        self._committed.add(partial.file.sha256)
        self._opened.remove(partial)
        partial.close()

    def _in_threads(self, count: int, worker: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                worker()
            except BaseException as error:  # noqa: BLE001 - raised again below, in the caller
                with self._lock:
                    self._faults.append(error)
                self._stop.set()

        # Daemon threads: a read that blocks must not hold up the end of the process; the store
        # is as good after a kill.
        threads = [threading.Thread(target=guarded, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for partial in self._opened:
            partial.close()
        self._opened.clear()
        self._turn.clear()
        if self._faults:
            # Threads that stop because of another's fault say Cancelled, after it.
            raise next((f for f in self._faults if not isinstance(f, Cancelled)), self._faults[0])
        if self._stop.is_set():
            raise Cancelled("the pull was called off")
