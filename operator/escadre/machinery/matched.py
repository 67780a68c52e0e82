"""Which live objects were found to be as intended, so that they are not compared in every pass.

Comparing a workload with its intent field by field takes a third of a millisecond, rendering the
intent as long again, and nearly all comparisons are of what was compared before. That it matched
depends on the live object and on what the intent is made from: it is known for as long as both are
the same, and of either only what tells that is kept.
"""

from collections.abc import Hashable, Iterable

from escadre.machinery.compact import Compact

__all__ = ["Matched"]


class Matched:
    """What matched last, by owner (its uid) and child (its kind and name).

    ``source`` is all that the intent was made from beside the live object.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[str, tuple[bytes, Hashable]]] = {}

    def __len__(self) -> int:
        return sum(len(children) for children in self._known.values())

    def has(self, owner: str, child: str, live: Compact, source: Hashable) -> bool:
        """Whether the live object was found to be what ``source`` asks for."""
        before = self._known.get(owner, {}).get(child)
        return before is not None and before == (live.packed, source)

    def knew(self, owner: str, child: str) -> bool:
        """Whether a child of that kind and name was there before, as intended then."""
        return child in self._known.get(owner, {})

    def knows(self, owner: str) -> bool:
        """Whether any child of that owner was compared yet."""
        return owner in self._known

    def note(self, owner: str, child: str, live: Compact, source: Hashable) -> None:
        """These two match."""
        self._known.setdefault(owner, {})[child] = (live.packed, source)

    def keep_only(self, owners: Iterable[str]) -> None:
        """Forgets the children of others."""
        for owner in self._known.keys() - set(owners):
            del self._known[owner]
