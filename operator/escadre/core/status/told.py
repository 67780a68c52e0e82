"""What a ModelDeployment's status says that passes ask for again, as it was read.

One is held for each deployment, so it is small: the status itself is kept as bytes beside it
(state/views/custom.py) and looked at only when another is to be written. Pure data.
"""

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple

from escadre.api.base import Condition
from escadre.api.deployment import ModelDeploymentStatus
from escadre.core.scaling.history import Change
from escadre.core.scaling.keeping import Kept
from escadre.names import ConditionType
from escadre.reasons import Reason

__all__ = ["Past", "Told", "past"]


# What scaling and engines said, said again after a restart; what `plan` says of an approval.
_ASKED_FOR: Final = frozenset(
    {ConditionType.SCALING, ConditionType.ENGINE_MISMATCH, ConditionType.APPROVED}
)


class Past(NamedTuple):
    """A condition as it was told; of most the message is not kept, since nobody asks for it."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: Reason
    message: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """Numbers and conditions of the last status; ``desired`` is None when it had no replicas."""

    desired: int | None = None
    ready: int = 0
    loading: int = 0
    replicas: int = 0  # told of one by one
    changes: tuple[Change, ...] = ()  # of the number of replicas, the newest last
    conditions: tuple[Past, ...] = ()
    learned: Kept | None = None  # of a replica's speed
    kept: int = 0  # replicas, for bursts
    shared: int = 0  # percent

    @staticmethod
    def of(status: ModelDeploymentStatus) -> "Told":
        """The small record of a whole status."""
        replicas = status.replicas
        scaling = status.scaling
        learned = scaling.learned if scaling else None
        return Told(
            desired=replicas.desired if replicas else None,
            ready=replicas.ready if replicas else 0,
            loading=sum(one.state == "Loading" for one in replicas.items) if replicas else 0,
            replicas=len(replicas.items) if replicas else 0,
            changes=tuple(Change.of(one) for one in status.changes),
            conditions=tuple(past(one) for one in status.conditions),
            learned=Kept.of(learned) if learned else None,
            kept=(scaling.kept_for_bursts or 0) if scaling else 0,
            shared=(scaling.shared_percent or 0) if scaling else 0,
        )


def past(one: Condition) -> Past:
    """The small record of a condition; its words of few kinds are kept once for all."""
    return Past(
        sys.intern(one.type),
        one.status,
        one.reason,
        one.message if one.type in _ASKED_FOR else "",
        one.last_transition_time,
    )
