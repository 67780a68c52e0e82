"""The names of blobs: every hard link that the store makes or takes away.

Both change the blob's ctime, by which its record knows it. The record is renewed after each, so no
model that shares the blob is ever withdrawn for it; where the process ends in between, or the disk
takes no new record, the record tells another number of links than the file has, and the next look
hashes the bytes before it says anything (``Blobs.stands``). Nothing else in the store may make or
remove a name of a blob.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from escadre.agent.store.durable import sync_folder
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
        blob, path = self.blobs / sha256, self.record(sha256)
        record, before = read_record(path, BlobRecord), blob.lstat()
        if record is None or not record.agrees(before):
            return False
        if not record.links:
            record = record.renewed(before)
            write_record(path, record)
        target.hardlink_to(blob)
        self._renew(record, blob, path)
        return True

    def drop(self, sha256: str) -> None:
        """Remove a blob, its record first: what models still link of it is no verified file."""
        self.record(sha256).unlink(missing_ok=True)
        (self.blobs / sha256).unlink()
        sync_folder(self.blobs)

    def remove_tree(self, folder: Path) -> None:
        """Remove a folder of links, or what stands in its place."""
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
                self._take(path, blob)

    def _take(self, name: Path, sha256: str) -> None:
        """Take a name from a blob.

        Doubt is written down first: without a new record the number of links could be that of the
        old one again, and the ctime would look like somebody's doing.
        """
        blob, path = self.blobs / sha256, self.record(sha256)
        record, before = read_record(path, BlobRecord), blob.lstat()
        if record is None or not (record.agrees(before) or record.relinked(before)):
            name.unlink()
            return
        good = record.agrees(before)
        if not record.links:
            record = record.renewed(before)
        write_record(path, record.doubted())
        name.unlink()
        if good:
            self._renew(record, blob, path)

    @staticmethod
    def _renew(record: BlobRecord, blob: Path, path: Path) -> None:
        """Make the record agree again; a file that shows another change is left for the look."""
        after = blob.lstat()
        if record.same_bytes(after):
            write_record(path, record.renewed(after))
