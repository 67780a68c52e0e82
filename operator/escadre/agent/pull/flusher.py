"""Brings what was written to the disk while more arrives, in a thread of its own.

So that no worker waits for the disk, and never more waits to be written than came during one sync:
a file system that is left to itself keeps a good part of the memory dirty, and stops everybody at
the end.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from escadre.agent.store.durable import disk_faults
from escadre.agent.store.partial import PartialFile
from escadre.core.weights.manifest import Chunk

__all__ = ["Flusher"]


class Flusher:
    """One for each transfer.

    Args:
        root: of the store, for messages.
        keep_pages: whether what is on the disk may stay in memory (agent/pull/pagecache.py).
        failed: told of a fault of the disk, which ends the transfer.
    """

    def __init__(
        self, root: Path, *, keep_pages: bool, failed: Callable[[BaseException], None]
    ) -> None:
        self._root, self._keep_pages, self._failed = root, keep_pages, failed
        self._turn = threading.Condition()
        self._waiting: dict[PartialFile, list[Chunk]] = {}
        self._ended = False
        # A daemon: a disk that hangs must not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, daemon=True, name="flush")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def written(self, partial: PartialFile, chunk: Chunk) -> None:
        """A chunk is complete."""
        with self._turn:
            self._waiting.setdefault(partial, []).append(chunk)
            self._turn.notify()

    def end(self) -> None:
        """No more is flushed than what is under way; closing a file flushes the rest."""
        with self._turn:
            self._ended = True
            self._turn.notify()

    def _run(self) -> None:
        try:
            while True:
                with self._turn:
                    while not self._waiting and not self._ended:
                        self._turn.wait()
                    if self._ended:
                        return
                    partial, chunks = self._waiting.popitem()
                with disk_faults(f"syncing {partial.file.path}", self._root):
                    if partial.flush() and not self._keep_pages:
                        partial.forget(chunks)
        except BaseException as error:  # noqa: BLE001 - raised again by the transfer
            self._failed(error)
