"""Ends a wait for what will not come: nobody is there in a demo who would act.

Called by the steps with each condition that they see while they wait.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from e2e.cluster.podstates import GivenUpError
from e2e.cluster.wait import patience
from e2e.stage.stage import Json
from escadre import reasons

__all__ = ["Standstill"]

_SECONDS = 20.0  # a mirror or a node may be away for a moment


@dataclass
class Standstill:
    """Since when a condition has had a reason that waits for somebody."""

    clock: Callable[[], float] = time.monotonic
    _reason: str = ""
    _since: float = field(default=0.0)

    def refuse(self, condition: Json) -> None:
        """Raises ``GivenUpError`` for an incident, and for another's move after a while."""
        reason = condition["reason"]
        kind = reasons.of(reason).kind
        waits = condition["status"] == "False" and kind in {
            reasons.Kind.MOVE,
            reasons.Kind.INCIDENT,
        }
        if not waits or reason != self._reason:
            self._reason, self._since = reason if waits else "", self.clock()
        stood = self.clock() - self._since
        if waits and (kind is reasons.Kind.INCIDENT or stood >= _SECONDS * patience()):
            raise GivenUpError(f"{condition['type']} is {reason}: {condition['message']}")
