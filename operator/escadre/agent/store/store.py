"""The store of a node: verified weights on a disk of its own, found again after any crash.

::

    store.json           identity: a random id, written once into an empty store
    blobs/sha256/        verified files by content
    partial/             files being pulled, with the marks of their verified chunks
    quarantine/          samples of bytes that were not the approved ones
    manifests/           manifests by digest
    models/              one folder of hard links per model: what pods mount
    records/             what was verified, written last

One agent at a time (a lock). Verified weights are never deleted here.
"""

import fcntl
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from escadre import reasons
from escadre.agent.store.blobs import Blobs
from escadre.agent.store.disk import Disk
from escadre.agent.store.durable import disk_faults, write_whole
from escadre.agent.store.models import Models
from escadre.errors import Refusal

__all__ = ["Space", "Store", "open_store"]

_FORMAT: Final = 1  # of store.json, and of the layout above
_FOLDERS: Final = (
    "blobs/sha256",
    "partial",
    "quarantine",
    "manifests",
    "models",
    "records/blobs",
    "records/models",
)


@dataclass(frozen=True, slots=True)
class Space:
    """The file system of the store, in bytes; what is promised to pulls is not free.

    ``reserves``: whether the file system sets space aside; where it cannot, a pull may still find
    it full.
    """

    capacity: int
    free: int
    reserves: bool = True


@dataclass(frozen=True, slots=True)
class Store:
    """An open store."""

    root: Path
    id: str
    blobs: Blobs
    models: Models
    disk: Disk
    reserves: bool
    _lock: BinaryIO

    def space(self) -> Space:
        """How large the file system is and how much of it is free for new weights."""
        with disk_faults("reading the free space", self.root):
            room, promised = self.disk.room(), self.blobs.promised()
        return Space(room.capacity, max(0, room.free - promised), self.reserves)

    def intact(self) -> bool:
        """Whether the disk below is still the one that was opened."""
        try:
            return _read_id(self.root / "store.json") == self.id
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """Let another agent have the store; closing twice does no harm."""
        self._lock.close()


def open_store(root: Path, now: Callable[[], str], disk: Disk | None = None) -> Store:
    """Open the store, or make one in an empty folder.

    Args:
        root: its folder; made when missing.
        now: the time as RFC 3339 text.
        disk: the file system below; that of the folder unless a test has one of its own.

    Raises:
        Refusal: StoreUnusable, saying what the disk answers; StoreFull.
    """
    with disk_faults("opening", root):
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        lock = _lock(root)
        try:
            store_id = _identity(root)
            disk = disk or Disk(root)
            reserves = disk.reserves()
        except BaseException:
            lock.close()
            raise
    blobs = Blobs(root, now, disk)
    models = Models(root, store_id, blobs, now)
    return Store(root, store_id, blobs, models, disk, reserves, lock)


def _lock(root: Path) -> BinaryIO:
    handle = (root / "store.lock").open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise Refusal(reasons.STORE_UNUSABLE, f"another agent has the store {root} open") from error
    return handle


def _identity(root: Path) -> str:
    """The id in store.json; a new one when there is none, which disowns all older records."""
    path = root / "store.json"
    try:
        return _read_id(path)
    except FileNotFoundError:
        pass
    except ValueError as error:
        raise Refusal(
            reasons.STORE_UNUSABLE, f"{path} is damaged or of another version: {error}"
        ) from error
    store_id = str(uuid.uuid4())
    write_whole(path, json.dumps({"format": 1, "storeID": store_id}).encode())
    return store_id


def _read_id(path: Path) -> str:
    content = json.loads(path.read_bytes())
    number = content.get("format") if isinstance(content, dict) else None
    if number != _FORMAT:
        known = f"this version of the agent reads format {_FORMAT}"
        raise ValueError(f"it is of format {number}; {known}" if number else "it has no format")
    return str(uuid.UUID(str(content.get("storeID"))))
