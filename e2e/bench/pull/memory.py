"""Memory that stays with this machine between the contenders.

A virtual machine gives back to its host what lies free in whole blocks of 2 MiB, and pays for each
page again when it is next used: up to four times the CPU of a whole pull, by whichever contender
comes to it. So as much as a pull takes is used once and freed but for one page in each part of a
block, which is then never whole; and before each contender as much is written and freed again, for
others on the machine take of it meanwhile. Called by __main__.py.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["kept", "touched"]

_PART: Final = 256 * 1024  # bytes; far less than a block, for pages do not lie in it in order
_MORE: Final = 1.25  # of what is asked for
_PIECE: Final = 1024 * 1024


@contextmanager
def kept(size: int) -> Iterator[None]:
    """So many free bytes, which the host does not take back meanwhile."""
    length = round(size * _MORE / _PART) * _PART
    with mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.madvise(mmap.MADV_NOHUGEPAGE)
        for at in range(0, length, mmap.PAGESIZE):
            held[at] = 1
        for at in range(0, length, _PART):
            held.madvise(mmap.MADV_DONTNEED, at + mmap.PAGESIZE, _PART - mmap.PAGESIZE)
        yield


def touched(folder: Path, size: int) -> None:
    """So many bytes of the folder's memory are used, and free again."""
    path, piece = folder / "touched", bytes(_PIECE)
    with path.open("wb", buffering=0) as file:
        for _ in range(size // _PIECE + 1):
            file.write(piece)
    path.unlink()
