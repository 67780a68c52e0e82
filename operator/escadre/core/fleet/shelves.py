"""Nodes in the order in which a planning pass takes them, kept sorted while GPUs are given out.

The order is: agent ready, smallest block of free GPUs broken up, fewest GPUs left over, name.
Free GPUs are blocks of 8, 4, 2 and 1, as a number is in binary: one GPU of five leaves the four
together, one GPU of four does not, and a layout of four would need them.
core/fleet/pool.py keeps shelves of each product, and of those nodes of it that have some weights:
the best of a few among many thousand is found without looking at the others. Pure.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

__all__ = ["Rank", "Shelves"]

Rank = tuple[bool, int]  # agent not ready, free GPUs


class Shelves:
    """Names of nodes by rank; whoever puts one here says when its rank changes."""

    def __init__(self, names: dict[Rank, list[str]] | None = None) -> None:
        self._names: dict[Rank, list[str]] = names or {}

    def copy(self) -> "Shelves":
        """The same nodes on shelves of their own."""
        return Shelves({rank: list(names) for rank, names in self._names.items()})

    def put(self, rank: Rank, name: str) -> None:
        """A node that is not here yet."""
        insort(self._names.setdefault(rank, []), name)

    def move(self, name: str, old: Rank, new: Rank) -> None:
        """A node that is here has another rank now."""
        self.remove(old, name)
        self.put(new, name)

    def remove(self, rank: Rank, name: str) -> None:
        """A node that is here goes."""
        shelf = self._names[rank]
        del shelf[bisect_left(shelf, name)]
        if not shelf:
            del self._names[rank]

    def in_order(self, gpus: int) -> Iterator[str]:
        """Those with so many free GPUs, best first."""
        able = [rank for rank in self._names if rank[1] >= gpus]
        for rank in sorted(able, key=lambda rank: (rank[0], _broken(rank[1], gpus), rank[1])):
            yield from self._names[rank]

    def rooms(self, gpus: int) -> int:
        """How often that many GPUs can be had, each time of one node."""
        return sum(len(names) * (free // gpus) for (_, free), names in self._names.items())


def _broken(free: int, gpus: int) -> int:
    """The largest block that is there before and not after, as a power of two; 0 for no GPUs."""
    return (free ^ (free - gpus)).bit_length()
