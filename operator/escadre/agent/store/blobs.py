"""The store's files by content: ``blobs/sha256/<digest of the file>``, shared by all models.

A blob counts only with a record that agrees with the file as it is (records.py); without one it is
hashed again, chunk by chunk, against the manifest that wants it. The digest of the whole file need
not be computed for that: chunk digests and file digest stand in the same manifest, and approving
its digest approves both. Two manifests that give one file digest but different chunks contradict
each other; the second is refused, never served the first's bytes.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from escadre import reasons
from escadre.agent.store.durable import disk_faults, free_bytes, sync_folder
from escadre.agent.store.partial import PartialFile, partial_paths
from escadre.agent.store.quarantine import BadBytes, set_aside
from escadre.agent.store.records import BlobRecord, chunks_digest, read_record, write_record
from escadre.core.decimals import bytes_text
from escadre.core.weights.manifest import Chunk, ManifestFile, chunks_of
from escadre.errors import Refusal

__all__ = ["RESERVE", "Blobs", "Check"]

RESERVE: Final = 16 * 1024 * 1024  # kept free for records, manifests and samples
_PIECE: Final = 1024 * 1024

Check = Callable[[], None]  # called now and then during long work; raises to call it off


class Blobs:
    """The files of one store.

    Args:
        root: the store.
        now: the time as RFC 3339 text, for samples of bad bytes.
    """

    def __init__(self, root: Path, now: Callable[[], str]) -> None:
        self._root = root
        self._folder = root / "blobs" / "sha256"
        self._records = root / "records" / "blobs"
        self._partial = root / "partial"
        self._quarantine = root / "quarantine"
        self._now = now

    @property
    def root(self) -> Path:
        """The store, for messages."""
        return self._root

    def path(self, sha256: str) -> Path:
        """Where the blob with this digest is, or would be."""
        return self._folder / sha256

    def agrees(self, file: ManifestFile) -> bool:
        """Whether the blob is there, verified for this manifest's chunks, and unchanged since."""
        record = read_record(self._record(file), BlobRecord)
        return bool(
            record and record.chunks == chunks_digest(file) and self._unchanged(record, file)
        )

    def holds(self, file: ManifestFile, check: Check) -> bool:
        """Whether the blob is there and good; hashes it when its record does not say so.

        A blob with other bytes is set aside. Raises DigestMismatch when the blob was verified
        for another manifest whose chunks contradict this one's.
        """
        if self.agrees(file):
            return True
        with disk_faults(f"verifying blob {file.sha256[:16]}", self._root):
            if not self.path(file.sha256).exists():
                return False
            # What is recorded is the look before hashing: a change meanwhile shows at the next.
            before = self.path(file.sha256).lstat()
            bad = self._first_bad_chunk(file, check)
            if bad is None:
                self._remember(file, before)
                return True
            self._refuse_contradiction(file)
            self._drop(file, *bad)
        return False

    def link(self, file: ManifestFile, target: Path) -> None:
        """Give a good blob one more name, and record the ctime that this changes."""
        path = self.path(file.sha256)
        if not self.agrees(file):
            raise Refusal(reasons.STORE_UNUSABLE, f"blob {path} changed while it was being linked")
        target.hardlink_to(path)
        self._remember(file, path.lstat())

    def reserve(self, files: list[ManifestFile]) -> None:
        """Reserve the space of all ``files`` before the first byte; raises StoreFull."""
        need = sum(file.size - self._allocated(file) for file in files)
        free = free_bytes(self._root)
        if need + RESERVE > free:
            raise Refusal(
                reasons.STORE_FULL,
                f"{bytes_text(need)} more are needed and {bytes_text(RESERVE)} kept back, "
                f"but the store {self._root} has {bytes_text(free)} free",
            )
        for file in files:
            with self.partial(file) as partial:
                try:
                    size = bytes_text(file.size)
                    with disk_faults(f"reserving {size} for {file.path}", self._root):
                        partial.reserve()
                except Refusal:
                    self._discard(files)
                    raise

    def partial(self, file: ManifestFile) -> PartialFile:
        """The partial file to go on with."""
        with disk_faults(f"opening the partial file of {file.path}", self._root):
            return PartialFile(self._partial, file)

    def commit(self, partial: PartialFile) -> None:
        """Make a verified partial file a blob."""
        file = partial.file
        with disk_faults(f"finishing {file.path}", self._root):
            partial.finish(self.path(file.sha256))
            self._remember(file, self.path(file.sha256).lstat())

    def set_aside(self, origin: str, file: ManifestFile, chunk: Chunk, sample: bytes) -> str:
        """Keep a chunk with wrong bytes for inspection; says where."""
        got = hashlib.sha256(sample).hexdigest()
        bad = BadBytes(origin, file.path, chunk.index, chunk.sha256, got, self._now())
        return set_aside(self._quarantine, bad, sample)

    def _remember(self, file: ManifestFile, stat: os.stat_result) -> None:
        write_record(self._record(file), BlobRecord.of(stat, file))

    def _record(self, file: ManifestFile) -> Path:
        return self._records / f"{file.sha256}.json"

    def _unchanged(self, record: BlobRecord, file: ManifestFile) -> bool:
        try:
            return record.agrees(self.path(file.sha256).lstat())
        except OSError:
            return False

    def _first_bad_chunk(self, file: ManifestFile, check: Check) -> tuple[Chunk, bytes] | None:
        path = self.path(file.sha256)
        with path.open("rb", buffering=0) as blob:
            if os.fstat(blob.fileno()).st_size != file.size:
                whole = Chunk(0, 0, file.size, file.chunks[0] if file.chunks else file.sha256)
                return whole, os.pread(blob.fileno(), _PIECE, 0)
            for chunk in chunks_of(file):
                hasher = hashlib.sha256()
                for offset in range(chunk.offset, chunk.offset + chunk.size, _PIECE):
                    check()
                    left = chunk.offset + chunk.size - offset
                    hasher.update(os.pread(blob.fileno(), min(_PIECE, left), offset))
                if hasher.hexdigest() != chunk.sha256:
                    return chunk, os.pread(blob.fileno(), chunk.size, chunk.offset)
        return None

    def _refuse_contradiction(self, file: ManifestFile) -> None:
        record = read_record(self._record(file), BlobRecord)
        if record and record.chunks != chunks_digest(file) and self._unchanged(record, file):
            raise Refusal(
                reasons.DIGEST_MISMATCH,
                f"{file.path}: this manifest and one verified before give the file digest "
                f"{file.sha256} but different chunk digests, so one of them is wrong; "
                "draft both approvals again from the files",
            )

    def _drop(self, file: ManifestFile, chunk: Chunk, sample: bytes) -> None:
        path = self.path(file.sha256)
        self.set_aside(str(path), file, chunk, sample)
        self._record(file).unlink(missing_ok=True)
        path.unlink()
        sync_folder(self._folder)

    def _allocated(self, file: ManifestFile) -> int:
        data, _ = partial_paths(self._partial, file.sha256)
        try:
            return min(file.size, data.lstat().st_blocks * 512)
        except OSError:
            return 0

    def _discard(self, files: list[ManifestFile]) -> None:
        for file in files:
            with PartialFile(self._partial, file) as partial:
                partial.discard()
