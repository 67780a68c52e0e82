"""Whether a condition turned since it was told of last: of an approval, a mirror or a GPUNode."""

from collections.abc import Iterable
from typing import NamedTuple

from escadre.controller.context import Context
from escadre.core.status.told import Past
from escadre.reasons import Reason

__all__ = ["Turned", "stored", "turned"]

Standing = tuple[str, Reason]  # status and reason of a condition


class Turned(NamedTuple):
    """How it stood before, None where nobody knows."""

    before: Standing | None


def stored(conditions: Iterable[Past], type_: str) -> Standing | None:
    """How a condition stands in a status: what counts for an operator that has just begun."""
    return next(((one.status, one.reason) for one in conditions if one.type == type_), None)


def turned(context: Context, uid: str, before: Standing | None, now: Standing) -> Turned | None:
    """None when it stands as it did; remembers how it stands now.

    ``before`` is how it stood for an operator that remembers nothing of the object.
    """
    before = context.memory.told.get(uid, before)
    context.memory.told[uid] = now
    return None if before == now else Turned(before)
