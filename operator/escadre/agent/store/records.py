"""What the store remembers about verified bytes: small JSON files, written last.

A record says "these bytes were verified" only together with the file's identity then (inode, size,
ctime): ctime cannot be set by hand, so a file that was changed no longer agrees with its record.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from escadre.agent.store.durable import write_whole
from escadre.core.weights.manifest import ManifestFile

__all__ = ["BlobRecord", "ModelRecord", "chunks_digest", "read_record", "write_record"]


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """A blob as it was when all its chunks had been verified."""

    chunks: str  # chunks_digest of the manifest it was verified against
    size: int
    inode: int
    ctime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result, file: ManifestFile) -> "BlobRecord":
        """The record of a verified blob that looked like ``stat`` when its verification began."""
        return cls(chunks_digest(file), stat.st_size, stat.st_ino, stat.st_ctime_ns)

    def agrees(self, stat: os.stat_result) -> bool:
        """Whether the file is still the one that was verified."""
        return (self.size, self.inode, self.ctime_ns) == (
            stat.st_size,
            stat.st_ino,
            stat.st_ctime_ns,
        )


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model whose folder was complete and verified."""

    store_id: str
    bytes: int
    verified_at: str  # RFC 3339


_Record = TypeVar("_Record", BlobRecord, ModelRecord)


def chunks_digest(file: ManifestFile) -> str:
    """One digest over all chunk digests of a file: what the bytes were verified against."""
    return hashlib.sha256("\n".join(file.chunks).encode()).hexdigest()


def write_record(path: Path, record: BlobRecord | ModelRecord) -> None:
    """Write a record durably."""
    write_whole(path, json.dumps(asdict(record), sort_keys=True).encode())


def read_record(path: Path, kind: type[_Record]) -> _Record | None:
    """Read a record; None when there is none or it is damaged, which means: not verified."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        record = kind(**content)
    except (OSError, ValueError, TypeError):
        return None
    expected = {name: type(value) for name, value in asdict(record).items()}
    # A record of the right shape with values of the wrong type is damaged too.
    wanted = {"chunks": str, "store_id": str, "verified_at": str}
    return record if all(expected[n] is wanted.get(n, int) for n in expected) else None
