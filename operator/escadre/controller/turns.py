"""Whether a condition of an approval or a mirror turned since it was told of last."""

from collections.abc import Iterable
from typing import NamedTuple

from escadre.controller.context import Context
from escadre.core.status.conditions import Leaf
from escadre.core.status.told import Past
from escadre.reasons import Reason

__all__ = ["Turned", "turned"]


class Turned(NamedTuple):
    """How it stood before, None where nobody knows."""

    before: tuple[str, Reason] | None


def turned(context: Context, uid: str, stored: Iterable[Past], leaf: Leaf) -> Turned | None:
    """None when it stands as it did; remembers how it stands now.

    ``stored`` are the conditions as stored: what counts for an operator that has just begun.
    """
    said = (one for one in stored if one.type == leaf.type)
    before = next(((one.status, one.reason) for one in said), None)
    before, now = context.memory.told.get(uid, before), (leaf.status, leaf.reason)
    context.memory.told[uid] = now
    return None if before == now else Turned(before)
