"""The conditions of a ModelMirror: whether its spec can be used, and what those who pull say. Pure.

The operator opens no connection to a mirror: the nodes do, and say what fails.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from escadre import reasons
from escadre.core.counting import count
from escadre.core.status.conditions import Leaf, as_progress, false, true
from escadre.names import ConditionType
from escadre.reasons import Kind, Reason
from escadre.reasons.said import Amount, plain, say

__all__ = ["PullFailure", "mirror_leaves"]

_WORST_FIRST: Final = (Kind.INCIDENT, Kind.MOVE, Kind.UNDER_WAY, Kind.SETTLED)


class PullFailure(NamedTuple):
    """A node that failed to pull from the mirror, for a reason that is the mirror's."""

    node: str
    reason: Reason
    message: str


def mirror_leaves(invalid: str, failed: Sequence[PullFailure]) -> list[Leaf]:
    """Ready, and while it is not what goes on or stays.

    ``invalid`` is why its spec cannot be read, "" otherwise.
    """
    ready = _ready(invalid, failed)
    return [ready] if ready.status == "True" else [ready, as_progress(ready)]


def _ready(invalid: str, failed: Sequence[PullFailure]) -> Leaf:
    if invalid:
        return false(ConditionType.READY, reasons.MIRROR_INVALID, plain(invalid))
    if not failed:
        words = say("its spec can be used; a node that fails to pull from it is told here")
        return true(ConditionType.READY, reasons.MIRROR_ACCEPTED, words)
    worst = min(failed, key=lambda one: (_WORST_FIRST.index(one.reason.kind), one.node))
    words = say(
        "{number} to pull from it; node {node}: {words}",
        number=Amount(count(len(failed), "node fails", "nodes fail")),
        node=worst.node,
        words=worst.message,
    )
    return false(ConditionType.READY, worst.reason, words)
