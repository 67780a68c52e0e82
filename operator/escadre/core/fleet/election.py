"""Which node does what one of them is to do for all: probing a mirror. Pure.

Rendezvous hashing: each node draws a number for each task, the lowest does it. Nobody remembers
who did it before, a node that comes or goes moves only what it draws, and tasks spread over nodes.
"""

import hashlib
from collections.abc import Iterable

__all__ = ["elected"]


def elected(task: str, candidates: Iterable[str]) -> str | None:
    """The one of the candidates that does the task; None when there is none."""
    return min(candidates, key=lambda name: (_drawn(task, name), name), default=None)


def _drawn(task: str, name: str) -> bytes:
    return hashlib.sha256(f"{task}\0{name}".encode()).digest()
