"""Which live objects were found to be as intended, so that they are not compared in every pass.

Comparing a workload with its intent field by field takes a third of a millisecond, and nearly all
comparisons are of what was compared before. That it matched depends on the two objects alone: it
is known for as long as both are the same, and of either only what tells that is kept.
"""

import hashlib
import marshal
from collections.abc import Iterable, Mapping
from typing import Any

from escadre.machinery.compact import Compact

__all__ = ["Matched"]


class Matched:
    """What matched last, by owner and child."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, tuple[bytes, bytes]]] = {}

    def __len__(self) -> int:
        return sum(len(children) for children in self._known.values())

    def has(self, owner: str, live: Compact, intent: Mapping[str, Any]) -> bool:
        """Whether exactly these two were found to match; ``owner`` is the owner's uid."""
        before = self._known.get(owner, {}).get(_child(intent))
        return before is not None and before == (live.packed, _digest(intent))

    def knew(self, owner: str, intent: Mapping[str, Any]) -> bool:
        """Whether a child of that kind and name was there before, as intended then."""
        return _child(intent) in self._known.get(owner, {})

    def knows(self, owner: str) -> bool:
        """Whether any child of that owner was compared yet."""
        return owner in self._known

    def note(self, owner: str, live: Compact, intent: Mapping[str, Any]) -> None:
        """These two match."""
        self._known.setdefault(owner, {})[_child(intent)] = (live.packed, _digest(intent))

    def keep_only(self, owners: Iterable[str]) -> None:
        """Forgets the children of others."""
        for owner in self._known.keys() - set(owners):
            del self._known[owner]


def _child(intent: Mapping[str, Any]) -> str:
    return f"{intent['kind']}/{intent['metadata']['name']}"


def _digest(intent: Mapping[str, Any]) -> bytes:
    # Never read back, and a third of the time of JSON. An intent is rendered in the same order each
    # time, so its keys are not sorted; version 0 does not tell interned text from other.
    return hashlib.blake2b(marshal.dumps(dict(intent), 0), digest_size=16).digest()
