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
from contextlib import suppress
from pathlib import Path
from typing import Final

from escadre import reasons
from escadre.agent.store.disk import Disk, Need, Room, allocated, shortage, unwritten
from escadre.agent.store.durable import disk_faults
from escadre.agent.store.links import Names
from escadre.agent.store.partial import PartialFile, partial_paths
from escadre.agent.store.quarantine import BadBytes, set_aside
from escadre.agent.store.records import BlobRecord, chunks_digest, read_record, write_record
from escadre.core.decimals import bytes_text
from escadre.core.weights.manifest import Chunk, ManifestFile, chunks_of
from escadre.errors import Refusal

__all__ = ["Blobs", "Check"]

_PIECE: Final = 1024 * 1024

Check = Callable[[], None]  # called now and then during long work; raises to call it off


class Blobs:
    """The files of one store.

    Args:
        root: the store.
        now: the time as RFC 3339 text, for samples of bad bytes.
        disk: the file system below.
    """

    def __init__(self, root: Path, now: Callable[[], str], disk: Disk) -> None:
        self._root = root
        self._folder = root / "blobs" / "sha256"
        self._disk = disk
        self.names = Names(self._folder, root / "records" / "blobs")
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
        known = self._known(file)
        return bool(known and known[0].agrees(known[1]))

    def stands(self, file: ManifestFile, check: Check) -> bool:
        """Whether what was verified of the blob stands.

        Where the number of its links is another one, and nothing else, the bytes decide.
        """
        known = self._known(file)
        if known is None or known[0].agrees(known[1]):
            return known is not None
        record, stat = known
        if not record.relinked(stat) or self._first_bad_chunk(file, check):
            return False
        with suppress(OSError):  # on a full disk it is hashed again at the next look
            self._remember(file, stat)
        return True

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
        """Give a good blob one more name."""
        if not self.agrees(file) or not self.names.add(file.sha256, target):
            path = self.path(file.sha256)
            raise Refusal(reasons.STORE_UNUSABLE, f"blob {path} changed while it was being linked")

    def recheck(self, files: list[ManifestFile], check: Check) -> None:
        """Hash what is marked as verified of partial files that changed since they were closed."""
        for file in files:
            if partial_paths(self._partial, file.sha256)[0].exists():
                with (
                    disk_faults(f"verifying the partial file of {file.path}", self._root),
                    self.partial(file) as partial,
                ):
                    partial.recheck(check)

    def reserve(self, files: list[ManifestFile], folders: int = 0) -> None:
        """Reserve room for all ``files`` before the first byte; raises StoreFull.

        Args:
            files: what is to be pulled.
            folders: how many the model's tree has.
        """
        if short := shortage(self._need(files, folders), self._room(files), self._root):
            raise Refusal(reasons.STORE_FULL, short)
        for file in files:
            with self.partial(file) as partial:
                try:
                    size = bytes_text(file.size)
                    with disk_faults(f"reserving {size} for {file.path}", self._root):
                        partial.reserve(self._disk)
                except Refusal:
                    self._discard(files)
                    raise

    def promised(self, but: frozenset[Path] = frozenset()) -> int:
        """Bytes that partial files, without those given, will take and the disk calls free yet."""
        return sum(unwritten(path) for path in self._partial.glob("*.data") if path not in but)

    def _need(self, files: list[ManifestFile], folders: int) -> Need:
        """Each file is two inodes: its data, and its marks, in whose place its record comes."""
        paths = [partial_paths(self._partial, file.sha256) for file in files]
        return Need(
            bytes=sum(
                file.size - allocated(data, file.size)
                for file, (data, _) in zip(files, paths, strict=True)
            ),
            files=folders + sum(not path.exists() for pair in paths for path in pair),
        )

    def _room(self, files: list[ManifestFile]) -> Room:
        own = frozenset(partial_paths(self._partial, file.sha256)[0] for file in files)
        room = self._disk.room()
        return room._replace(free=room.free - self.promised(own))

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
        return self.names.record(file.sha256)

    def _known(self, file: ManifestFile) -> tuple[BlobRecord, os.stat_result] | None:
        """The record of the blob as this manifest's, and how the blob looks now."""
        record = read_record(self._record(file), BlobRecord)
        if record is None or record.chunks != chunks_digest(file):
            return None
        try:
            return record, self.path(file.sha256).lstat()
        except OSError:
            return None

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
        other = record and record.chunks != chunks_digest(file)
        if record and other and record.agrees(self.path(file.sha256).lstat()):
            raise Refusal(
                reasons.DIGEST_MISMATCH,
                f"{file.path}: this manifest and one verified before give the file digest "
                f"{file.sha256} but different chunk digests, so one of them is wrong; "
                "draft both approvals again from the files",
            )

    def _drop(self, file: ManifestFile, chunk: Chunk, sample: bytes) -> None:
        self.set_aside(str(self.path(file.sha256)), file, chunk, sample)
        self.names.drop(file.sha256)

    def _discard(self, files: list[ManifestFile]) -> None:
        for file in files:
            with PartialFile(self._partial, file) as partial:
                partial.discard()
