"""What the store remembers about verified bytes: small JSON files, written last.

A record says "these bytes were verified" only together with the file's identity then (inode, size,
ctime): ctime cannot be set by hand, so a file that was changed no longer agrees with its record.

Records outlive the agent that wrote them. A field this version does not know is ignored, one that
an earlier version did not write has its default (so every field added here needs one), and what is
a default is not written. ``format`` is missing in format 1; it is raised only when an earlier
reader would take something for verified that is not. Such a record of a newer version counts for
nothing: the bytes are hashed again, never pulled again.
"""

import hashlib
import json
import os
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from escadre.agent.store.durable import write_whole
from escadre.core.weights.manifest import ManifestFile

__all__ = ["BlobRecord", "ModelRecord", "chunks_digest", "read_record", "write_record"]

FORMAT: Final = 1
_NO_NUMBER: Final = -1


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """A blob as it was when all its chunks had been verified."""

    chunks: str  # chunks_digest of the manifest it was verified against
    size: int
    inode: int
    ctime_ns: int
    links: int = 0  # 0 in a record of 0.1.0, which did not tell links and mtime_ns; see ``doubted``
    mtime_ns: int = 0

    @classmethod
    def of(cls, stat: os.stat_result, file: ManifestFile) -> "BlobRecord":
        """The record of a verified blob that looked like ``stat`` when its verification began."""
        return cls(chunks_digest(file), **_looks(stat))

    def agrees(self, stat: os.stat_result) -> bool:
        """Whether the file is still the one that was verified."""
        same = self.size, self.inode, self.ctime_ns
        return same == (stat.st_size, stat.st_ino, stat.st_ctime_ns)

    def relinked(self, stat: os.stat_result) -> bool:
        """Whether it has more names now, or fewer, and shows no other change.

        That explains another ctime, and says nothing about the bytes: they are to be hashed.
        """
        return self.links not in (0, stat.st_nlink) and self.same_bytes(stat)

    def same_bytes(self, stat: os.stat_result) -> bool:
        """Whether nothing shows that the file was written to; a forged mtime does not."""
        same = self.size, self.inode, self.mtime_ns
        return same == (stat.st_size, stat.st_ino, stat.st_mtime_ns)

    def doubted(self) -> "BlobRecord":
        """The same, with a number of links that no file has: to be hashed at the next look."""
        return replace(self, links=_NO_NUMBER)

    def renewed(self, stat: os.stat_result) -> "BlobRecord":
        """The same verification, of the file as it looks now."""
        return BlobRecord(self.chunks, **_looks(stat))


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model whose folder was complete and verified."""

    store_id: str
    bytes: int
    verified_at: str  # RFC 3339

    def __post_init__(self) -> None:
        """Refuses what could not be told in a status (ValueError)."""
        datetime.fromisoformat(self.verified_at)


def _looks(stat: os.stat_result) -> dict[str, int]:
    return {
        "size": stat.st_size,
        "inode": stat.st_ino,
        "ctime_ns": stat.st_ctime_ns,
        "links": stat.st_nlink,
        "mtime_ns": stat.st_mtime_ns,
    }


_Record = TypeVar("_Record", BlobRecord, ModelRecord)


def chunks_digest(file: ManifestFile) -> str:
    """One digest over all chunk digests of a file: what the bytes were verified against."""
    return hashlib.sha256("\n".join(file.chunks).encode()).hexdigest()


def write_record(path: Path, record: BlobRecord | ModelRecord) -> None:
    """Write a record durably."""
    content = {
        field.name: value
        for field in fields(record)
        if (value := getattr(record, field.name)) != field.default
    }
    write_whole(path, json.dumps(content, sort_keys=True).encode())


def read_record(path: Path, kind: type[_Record]) -> _Record | None:
    """Read a record; None when there is none or it is damaged, which means: not verified."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        if content.get("format", 1) > FORMAT:
            return None
        known = {field.name: content[field.name] for field in fields(kind) if field.name in content}
        record = kind(**known)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    # A record of the right shape with values of the wrong type is damaged too.
    whole = all(_is_a(known.get(field.name, field.default), field.type) for field in fields(kind))
    return record if whole else None


def _is_a(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
