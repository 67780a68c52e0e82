"""Which statuses may wait a moment for what comes next, so that steps in passing are not written.

Between a wish and Ready a deployment goes through states that last for less than a second. Each
of them would be a write that nobody reads. What begins or ends to serve, what asks for someone
and what answers an edit is told at once. Pure; controller/report.py asks.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from escadre.core.status.conditions import Leaf
from escadre.core.status.told import Past
from escadre.names import ConditionType
from escadre.reasons import Kind

__all__ = ["MOMENT_SECONDS", "passing"]

MOMENT_SECONDS: Final = 0.5
_SERVICE: Final = frozenset({ConditionType.READY, ConditionType.AVAILABLE})
_GO_ON: Final = frozenset({Kind.UNDER_WAY, Kind.SETTLED})


def passing(before: Iterable[Past], leaves: Sequence[Leaf]) -> bool:
    """Whether all that turned since ``before`` was told goes on by itself, without serving yet."""
    told = {one.type: (one.status, one.reason) for one in before}
    return all(
        _may_pass(one, told.get(one.type, ("", None))[0])
        for one in leaves
        if told.get(one.type) != (one.status, one.reason)
    )


def _may_pass(leaf: Leaf, before: str) -> bool:
    if leaf.type in _SERVICE and "True" in {before, leaf.status} and before != leaf.status:
        return False
    return leaf.reason.kind in _GO_ON
