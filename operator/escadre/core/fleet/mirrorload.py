"""What each mirror is busy with, as far as a planning pass has come. Pure.

core/fleet/pulls.py adds pulls as it decides on them and asks before each further one. Whoever waits
is told what for: with thousands in the queue, looking through all pulls for each would take longer
than all the rest of the pass.
"""

from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["MirrorLoad", "Place"]


class Place(NamedTuple):
    """Weights on a node."""

    node: str
    digest: str


class MirrorLoad:
    """Mutable inside one pass only; ``add`` is the only change."""

    def __init__(self) -> None:
        self._nodes: dict[str, set[str]] = {}
        self._pulling: dict[str, list[Place]] = {}

    def add(self, mirror: str, place: Place, *, counted: bool) -> None:
        """A node pulls from a mirror, once for each place; ``counted``: it is at work on it."""
        self._nodes.setdefault(mirror, set()).add(place.node)
        if counted:
            insort(self._pulling.setdefault(mirror, []), place)

    def pulling(self, mirror: str) -> Sequence[Place]:
        """What is pulled from a mirror now, in order."""
        return self._pulling.get(mirror, ())

    def has_room(self, mirror: str, node: str, most: int) -> bool:
        """Whether a node may pull too: it does already, or fewer nodes than ``most`` do."""
        busy = self._nodes.get(mirror, ())
        return node in busy or len(busy) < most
