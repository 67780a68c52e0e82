"""The file system below a store: what is left of it, and space set aside before the first byte.

Free space is bytes and inodes: a disk with terabytes free takes no file more when its inodes are
used up. Tests put a disk of their own in its place; everything that asks for room asks here.
"""

import ctypes
import errno
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from escadre.core.decimals import bytes_text

__all__ = ["FULL", "Disk", "Need", "Room", "allocated", "room_of", "shortage", "unwritten"]

RESERVE: Final = 16 * 1024 * 1024  # bytes kept free for records, manifests and samples
RESERVE_FILES: Final = 64  # inodes kept free for the same
_BLOCK: Final = 512  # unit of st_blocks, whatever the file system's own is
_PROBE: Final = 4096
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_CANNOT: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class Room(NamedTuple):
    """A file system at one moment; ``inodes`` is 0 where it does not count them (btrfs)."""

    capacity: int  # bytes
    free: int  # bytes that the agent may still write
    inodes: int = 0
    inodes_free: int = 0


class Need(NamedTuple):
    """What a pull adds to the disk: bytes, and files and folders with an inode of their own."""

    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system of a folder."""

    folder: Path

    def room(self) -> Room:
        """What is left now."""
        return room_of(self.folder)

    def reserves(self) -> bool:
        """Whether the file system can set space aside (NFS before 4.2 and FUSE often cannot).

        A full one that has no room for the question can: nobody is told otherwise for that.
        """
        try:
            with tempfile.TemporaryFile(dir=self.folder) as probe:
                return self.reserve(probe.fileno(), _PROBE)
        except OSError as error:
            if error.errno in FULL:
                return True
            raise

    def reserve(self, descriptor: int, size: int) -> bool:
        """Set ``size`` bytes aside for an open file; False where the file system cannot.

        By the call itself: glibc's posix_fallocate writes to every block where the file system
        cannot, so that each byte would be written twice. Raises OSError, ENOSPC for one.
        """
        if _libc.fallocate(descriptor, 0, ctypes.c_int64(0), ctypes.c_int64(size)) == 0:
            return True
        number = ctypes.get_errno()
        if number in _CANNOT:
            return False
        raise OSError(number, os.strerror(number))


_libc: Final = ctypes.CDLL(None, use_errno=True)


def room_of(folder: Path) -> Room:
    """What is left of the file system of ``folder``."""
    told = os.statvfs(folder)
    size = told.f_frsize
    return Room(told.f_blocks * size, told.f_bavail * size, told.f_files, told.f_favail)


def allocated(path: Path, size: int) -> int:
    """Bytes of a file that have their place on the disk, ``size`` at most; 0 if it is not there."""
    try:
        return min(size, path.lstat().st_blocks * _BLOCK)
    except OSError:
        return 0


def unwritten(path: Path) -> int:
    """Bytes of a file's size that have no place on the disk yet; 0 once it is gone."""
    try:
        told = path.lstat()
    except FileNotFoundError:
        return 0
    return max(0, told.st_size - told.st_blocks * _BLOCK)


def shortage(need: Need, room: Room, store: Path) -> str:
    """What of ``room`` does not suffice, with numbers; "" when all does."""
    if need.bytes + RESERVE > room.free:
        return (
            f"{bytes_text(need.bytes)} more are needed and {bytes_text(RESERVE)} kept back, "
            f"but the store {store} has {bytes_text(max(0, room.free))} free"
        )
    if room.inodes and need.files + RESERVE_FILES > room.inodes_free:
        return (
            f"inodes for {need.files:,} files and folders more are needed and {RESERVE_FILES} "
            f"kept back, but the file system of the store {store} has {room.inodes_free:,} of "
            f"{room.inodes:,} inodes free ({bytes_text(room.free)} are free, which does not help)"
        )
    return ""
