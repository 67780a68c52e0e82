"""What a reason is: the record that every decision carries. Pure data.

A decision never carries a name alone: what kind of matter it is, whose move it is and what helps
stand in the record, so that no caller keeps a list of names of its own.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from typing_extensions import override

from escadre.names import ConditionType

__all__ = ["Kind", "Owner", "Reason", "Severity"]


class Kind(Enum):
    """What sort of matter it is."""

    SETTLED = "settled"  # it holds, or it was done
    UNDER_WAY = "under way"  # it goes on by itself
    MOVE = "someone's move"  # it stays until somebody acts
    INCIDENT = "incident"  # it must not happen at all


class Severity(Enum):
    """How loud it is told: the type of an event, the level of an alert."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def event_type(self) -> str:
        """What Kubernetes calls it in an Event."""
        return "Normal" if self is Severity.INFO else "Warning"


class Owner(Enum):
    """Whose move it is, in the words of the views."""

    DEPLOYMENT = "whoever owns the deployment"
    APPROVERS = "the people who may approve models"
    SECURITY = "security"
    PLATFORM = "the platform team"
    MIRROR = "whoever runs the mirror"


_SEVERITY: Final = {
    Kind.SETTLED: Severity.INFO,
    Kind.UNDER_WAY: Severity.INFO,
    Kind.MOVE: Severity.WARNING,
    Kind.INCIDENT: Severity.CRITICAL,
}
_NO_STEP: Final = {Kind.SETTLED: "Nothing.", Kind.UNDER_WAY: "Wait."}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    Args:
        name: what stands on the wire, CamelCase; it never changes its meaning.
        kind: what sort of matter it is.
        meaning: a sentence for its reader.
        next_step: what its reader can do, "" when there is nothing to do.
        owners: whose move it is; of something under way: whose, should it stay.
        conditions: where it stands beside Ready, which repeats the first that does not hold.
        elsewhere: whether another mirror may help.
        listed: False for a name that this version does not know.
    """

    name: str
    kind: Kind
    meaning: str
    next_step: str = ""
    owners: tuple[Owner, ...] = ()
    conditions: tuple[ConditionType, ...] = ()
    elsewhere: bool = False
    listed: bool = True

    @override
    def __str__(self) -> str:
        return self.name

    @property
    def severity(self) -> Severity:
        """Follows from the kind, so that the two never contradict each other."""
        return _SEVERITY[self.kind]

    @property
    def advice(self) -> str:
        """The next step, also where it is to do nothing."""
        return self.next_step or _NO_STEP.get(self.kind, "")

    @property
    def who(self) -> str:
        """Whose move it is, in words; "" when it is nobody's. An incident is a matter of all."""
        joint = ", and " if self.kind is Kind.INCIDENT else ", or "
        return joint.join(owner.value for owner in self.owners)
