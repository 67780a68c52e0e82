"""Writing so that it is still there, whole, after a crash; and disk faults as refusals.

Used by the store's modules only. What is renamed into place was synced before, and the folder that
holds the new name is synced after.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from escadre import reasons
from escadre.core.decimals import bytes_text
from escadre.errors import Refusal

__all__ = ["disk_faults", "free_bytes", "remove_tree", "sync_folder", "write_whole"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


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


def remove_tree(folder: Path) -> None:
    """Remove a folder of the store, whose own folders are read-only."""
    if not folder.is_dir() or folder.is_symlink():
        folder.unlink(missing_ok=True)
        return
    folder.chmod(0o755)
    for entry in folder.iterdir():
        remove_tree(entry)
    folder.rmdir()


def free_bytes(folder: Path) -> int:
    """Bytes that the agent may still write to the file system of ``folder``."""
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


@contextmanager
def disk_faults(doing: str, folder: Path) -> Iterator[None]:
    """Turn a disk's faults into StoreFull or StoreUnusable, saying what was done and what is free.

    Args:
        doing: gerund and object, e.g. ``writing params.json``.
        folder: the store.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            free = 0
            with suppress(OSError):
                free = free_bytes(folder)
            message = f"{doing}: no space left in {folder}, {bytes_text(free)} free"
            raise Refusal(reasons.STORE_FULL, message) from error
        message = f"{doing} in the store {folder}: {error.strerror or error}"
        raise Refusal(reasons.STORE_UNUSABLE, message) from error
