"""Moves the missing files of one model into the store: threads that do what the handout says.

The decisions are agent/pull/handout.py's, the bytes agent/pull/intake.py's; here are the threads,
the lock and the requests. The first fault that stays ends the transfer, once each worker has
finished the chunk it is in. Called by agent/pull/pull.py.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from escadre.agent.pull.flusher import Flusher
from escadre.agent.pull.handout import Handout, Outcome
from escadre.agent.pull.intake import Enough, Intake, Setting
from escadre.agent.pull.piece import Piece
from escadre.agent.pull.seeking import PATIENCE, Question
from escadre.agent.pull.throttle import Throttle
from escadre.agent.store.durable import disk_faults
from escadre.agent.store.partial import PartialFile
from escadre.clients.sources.errors import MirrorError, MirrorSlow, RangesUnsupported
from escadre.clients.sources.protocol import Data, RemoteFile
from escadre.clients.sources.reading import Reading
from escadre.clients.sources.retry import Cancelled, RetryPolicy
from escadre.core.weights.manifest import Chunk, ManifestFile, chunks_of

__all__ = ["Transfer", "TransferLimits"]

_LOOK: Final = 0.2  # seconds between looks of a worker that has nothing to do
_TAIL: Final = 64 * 1024  # bytes that a look for ranges reads


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """How much goes on at once, and how patiently."""

    files: int = 4
    chunks: int = 8
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    rate: int = 0  # bytes per second; 0: as many as come


class Transfer:
    """One run over the missing chunks of one model; use it once.

    Args:
        handout: what there is to do.
        setting: of the pull.
        stop: set from outside to call the transfer off.
        limits: how much at once.
    """

    def __init__(
        self, handout: Handout, setting: Setting, stop: threading.Event, limits: TransferLimits
    ) -> None:
        self._handout, self._setting = handout, setting
        self._stop, self._workers = stop, limits.chunks
        self._throttle = Throttle(limits.rate) if limits.rate else None
        self._turn = threading.Condition()
        self._reading = Reading(setting.source)
        self._opened: dict[str, PartialFile] = {}
        self._ended = False
        self._alive = limits.chunks
        self._flusher = Flusher(
            setting.blobs.root, keep_pages=setting.keep_pages, failed=self._disk_failed
        )

    def run(self, probe: ManifestFile | None) -> None:
        """Fetch the chunks and make whole files blobs; raises the first fault, or Cancelled.

        Args:
            probe: a file by whose end to find out first whether the mirror seeks.
        """
        if probe:
            self._probe(probe)
        # Daemon threads: a read that blocks must not hold up the end of the process; the store
        # is as good after a kill.
        threads = [
            threading.Thread(target=self._guarded, daemon=True) for _ in range(self._workers)
        ]
        self._flusher.start()
        for thread in threads:
            thread.start()
        with self._turn:
            while self._alive and not self._only_waits():
                self._turn.wait(_LOOK)
            self._ended = True
        self._flusher.end()
        for partial in self._opened.values():
            with disk_faults(f"closing {partial.file.path}", self._setting.blobs.root):
                partial.close()
        if self._handout.fault:
            raise self._handout.fault
        if self._stop.is_set():
            raise Cancelled("the pull was called off")

    def _only_waits(self) -> bool:
        """Whether nothing is to come that is waited for; after a fault, first bytes are not."""
        asking = self._handout.asking
        if any(piece.held for piece in asking):
            return False
        faulty = self._handout.fault is not None and all(piece.heard is None for piece in asking)
        return self._stop.is_set() or faulty

    def _probe(self, file: ManifestFile) -> None:
        begun = time.monotonic()
        offset = max(0, file.size - _TAIL)

        def first(_: Data) -> None:
            raise Enough

        try:
            remote = RemoteFile(file.path, file.size)
            self._setting.source.read(remote, offset, file.size - offset, first, PATIENCE)
        except Enough:
            took = time.monotonic() - begun
            self._handout.question = Question(took, offset)
        except RangesUnsupported:
            self._handout.ranges = self._reading.ranges = False
        except MirrorSlow:
            self._handout.seeks = False
        except MirrorError:
            return  # what it is, the first stream says

    def _guarded(self) -> None:
        error: BaseException | None = None
        try:
            self._work()
        except Cancelled:
            pass  # run says so
        except BaseException as caught:  # noqa: BLE001 - raised again by run, in the caller
            error = caught
        with self._turn:
            self._handout.fault = self._handout.fault or error
            self._alive -= 1
            self._turn.notify_all()

    def _work(self) -> None:
        while not self._stop.is_set():
            with self._turn:
                if self._handout.over:
                    return
                self._handout.ranges = self._handout.ranges and self._reading.ranges
                piece = self._handout.next(time.monotonic())
                if piece is None:
                    self._turn.wait(_LOOK)
                    continue
            self._fetch(piece)

    def _fetch(self, piece: Piece) -> None:
        intake = Intake(piece, self._partial(piece.file), self, self._setting)
        try:
            while not intake.done:
                try:
                    self._read(piece, intake)
                except MirrorError as error:
                    if self._returned(piece, error) or not self._rest(piece, error):
                        return
        finally:
            intake.abandon()
            with self._turn:
                self._handout.ended(piece)
                self._turn.notify_all()

    def _read(self, piece: Piece, intake: Intake) -> None:
        file = RemoteFile(piece.file.path, piece.file.size)
        begin, end = intake.ask()
        with suppress(Enough):
            if piece.beside:
                source = self._reading.source
                source.read(file, begin, end - begin, intake.take, piece.patience)
            else:
                self._reading.read(file, begin, end, intake.take)

    def _returned(self, piece: Piece, error: MirrorError) -> bool:
        """Whether a range beside a stream came to nothing, which costs nobody anything."""
        unranged = isinstance(error, RangesUnsupported)
        slow = isinstance(error, MirrorSlow) and piece.heard is None
        if not piece.beside or not (unranged or slow):
            return False
        with self._turn:
            self._handout.returned(piece, unranged=unranged)
        return True

    def _rest(self, piece: Piece, error: MirrorError) -> bool:
        """Wait until the piece may be asked for again, if it is to; ``error`` when it stays."""
        with self._turn:
            outcome = self._handout.failed(piece, error, time.monotonic())
            if outcome is Outcome.GIVE_UP:
                raise error
            self._turn.notify_all()
            if outcome is Outcome.LEAVE:
                return False
            if error.delay and not self._handout.asking:
                self._setting.meter.waits(error.delay)
            while not self._handout.admit(piece, time.monotonic()):
                self._turn.wait(_LOOK)
                if self._handout.fault or self._stop.is_set():
                    raise Cancelled("the pull has ended") from error
        return True

    @contextmanager
    def holding(self, piece: Piece, count: int) -> Iterator[None]:
        """While bytes are taken: nothing is closed under them, and none of them are another's."""
        with self._turn:
            if self._ended or self._stop.is_set():
                raise Cancelled(f"called off while reading {piece.file.path}")
            piece.held, piece.hand = True, count
        try:
            yield
        finally:
            piece.held, piece.hand = False, 0
            if self._stop.is_set():
                with self._turn:
                    self._turn.notify_all()

    def pace(self, count: int) -> None:
        """Wait, where so many bytes came faster than a node may pull."""
        if self._throttle:
            with self._turn:
                pause = self._throttle.pause(count, time.monotonic())
            self._stop.wait(pause)

    def heard(self, piece: Piece) -> None:
        """The first byte of a request came."""
        with self._turn:
            self._handout.heard(piece, time.monotonic())
            self._turn.notify_all()

    def joined(self, piece: Piece) -> bool:
        """What a piece is to bring of a chunk is here."""
        with self._turn:
            return self._handout.joined(piece)

    def verified(self, piece: Piece, partial: PartialFile, chunk: Chunk) -> None:
        """A chunk is good; a file that is whole with it becomes a blob."""
        self._flusher.written(partial, chunk)
        with self._turn:
            whole = self._handout.verified(piece, time.monotonic())
            if whole:
                del self._opened[piece.file.sha256]
            self._turn.notify_all()
        if whole:
            with partial:
                self._setting.blobs.commit(partial)
                if not self._setting.keep_pages:
                    partial.forget(chunks_of(partial.file))  # what the flusher had not got to

    def _disk_failed(self, error: BaseException) -> None:
        """What the flusher met is as final as what a worker meets."""
        with self._turn:
            self._handout.fault = self._handout.fault or error
            self._turn.notify_all()

    def advance(self, piece: Piece) -> bool | None:
        """The next chunk of a request."""
        with self._turn:
            return self._handout.advance(piece)

    def _partial(self, file: ManifestFile) -> PartialFile:
        with self._turn:
            if self._ended:
                raise Cancelled("the pull has ended")
            if file.sha256 not in self._opened:
                self._opened[file.sha256] = self._setting.blobs.partial(file)
            return self._opened[file.sha256]
