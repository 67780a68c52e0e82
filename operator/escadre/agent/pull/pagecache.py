"""Whether the pages of what is pulled may stay in memory.

Where they fit into memory that nobody uses, they stay: the engine that waits for the weights reads
them from there. Where they do not, they would push out each other and what other pods read, so
each chunk's are dropped once it is on the disk. Called by agent/pull/pull.py.
"""

from pathlib import Path
from typing import Final

__all__ = ["fits", "unused_memory"]

_MEMINFO: Final = Path("/proc/meminfo")
_UNUSED: Final = frozenset({"MemFree", "Inactive(file)"})  # the latter: read once, not again


def fits(size: int) -> bool:
    """Whether so many bytes fit into unused memory; yes where that cannot be told."""
    try:
        return size <= unused_memory(_MEMINFO.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return True


def unused_memory(meminfo: str) -> int:
    """Bytes, from the text of /proc/meminfo; ValueError when it says nothing of them."""
    rows = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    if not rows.keys() >= _UNUSED:
        raise ValueError("no MemFree or Inactive(file) in /proc/meminfo")
    return sum(int(rows[name].split()[0]) * 1024 for name in _UNUSED)
