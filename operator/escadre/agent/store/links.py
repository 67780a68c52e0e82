"""The names of blobs: every hard link that the store makes or takes away.

Both change the blob's ctime, by which its record knows it. The record is renewed after each, so no
model that shares the blob is ever withdrawn for it; where the process ends in between, the record
tells another number of links than the file has, and the next look hashes the bytes before it says
anything (``Blobs.stands``). Nothing else in the store may make or remove a name of a blob.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from escadre.agent.store.records import BlobRecord, read_record, write_record

__all__ = ["Names"]


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one store's blobs.

    Args:
        blobs: folder of the blobs.
        records: folder of their records.
    """

    blobs: Path
    records: Path

    def record(self, sha256: str) -> Path:
        """Where the record of a blob is, or would be."""
        return self.records / f"{sha256}.json"

    def add(self, sha256: str, target: Path) -> bool:
        """Give a verified blob one more name; False, and none given, when it is not verified."""
        with self._renewing(sha256) as verified:
            if verified:
                target.hardlink_to(self.blobs / sha256)
        return verified

    def remove_tree(self, folder: Path) -> None:
        """Remove a folder of links, or what stands in its place.

        The one way in which names of blobs are taken away.
        """
        by_inode = {one.inode(): one.name for one in os.scandir(self.blobs)}
        self._remove(folder, by_inode)

    def _remove(self, path: Path, by_inode: dict[int, str]) -> None:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
            for entry in path.iterdir():
                self._remove(entry, by_inode)
            path.rmdir()
        elif os.path.lexists(path):
            blob = by_inode.get(path.lstat().st_ino)
            if blob is None:
                path.unlink()
            else:
                with self._renewing(blob):
                    path.unlink()

    @contextmanager
    def _renewing(self, sha256: str) -> Iterator[bool]:
        """Renews the record after its blob's number of links was changed; tells if it was good.

        A record that did not agree before, or a file that shows another change after, is left:
        the next look finds it.
        """
        blob, path = self.blobs / sha256, self.record(sha256)
        record, before = read_record(path, BlobRecord), blob.lstat()
        if record is None or not record.agrees(before):
            yield False
            return
        if not record.links:
            record = record.renewed(before)
            write_record(path, record)
        yield True
        after = blob.lstat()
        if record.same_bytes(after):
            write_record(path, record.renewed(after))
