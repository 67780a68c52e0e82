"""Writing so that it is still there, whole, after a crash; and disk faults as refusals.

Used by the store's modules only. What is renamed into place was synced before, and the folder that
holds the new name is synced after.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from escadre import reasons
from escadre.agent.store.disk import FULL, room_of
from escadre.core.decimals import bytes_text
from escadre.errors import Refusal

__all__ = ["disk_faults", "sync_folder", "write_whole"]


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Put a small file in place at once: readers see the old content or the new, never a part."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    sync_folder(path.parent)


@contextmanager
def disk_faults(doing: str, folder: Path) -> Iterator[None]:
    """Turn a disk's faults into StoreFull or StoreUnusable: what was done, and what is used up.

    Args:
        doing: gerund and object, e.g. ``writing params.json``.
        folder: the store.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise Refusal(reasons.STORE_FULL, f"{doing}: {_used_up(error, folder)}") from error
        message = f"{doing} in the store {folder}: {error.strerror or error}"
        raise Refusal(reasons.STORE_UNUSABLE, message) from error


def _used_up(error: OSError, folder: Path) -> str:
    """Which of the disk's limits was met; a full disk answers alike for bytes and inodes."""
    try:
        room = room_of(folder)
    except OSError:
        return f"no space left in {folder}"
    if error.errno == errno.EDQUOT:
        return f"the agent's disk quota in {folder} is used up, {bytes_text(room.free)} are free"
    if room.inodes and not room.inodes_free:
        return (
            f"no inodes left in {folder}: all {room.inodes:,} are taken, each file takes one; "
            f"{bytes_text(room.free)} are free, which does not help"
        )
    return f"no space left in {folder}, {bytes_text(room.free)} free"
