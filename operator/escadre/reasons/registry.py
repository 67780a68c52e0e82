"""All reasons by name: what is read from the API becomes a record again here.

docs/reference/reasons.md is generated from it. A reason is stable: its meaning never changes, and
it is never removed while an alert may name it.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Final

from escadre.reasons import approval, deeds, nodes, planning, replicas, scaling, weights, work
from escadre.reasons.reason import Kind, Owner, Reason

__all__ = ["REASONS", "SUBJECTS", "of"]


def _in(module: ModuleType) -> tuple[Reason, ...]:
    return tuple(value for value in vars(module).values() if isinstance(value, Reason))


SUBJECTS: Final[Mapping[str, tuple[Reason, ...]]] = {
    "Approval": _in(approval),
    "Planning": _in(planning),
    "Weights": _in(weights),
    "Nodes and their agents": _in(nodes),
    "Replicas and children": _in(replicas),
    "The deployment as a whole": _in(work),
    "Scaling": _in(scaling),
    "Deeds, told as events": _in(deeds),
}
REASONS: Final[Mapping[str, Reason]] = {
    reason.name: reason for subject in SUBJECTS.values() for reason in subject
}


def of(name: str) -> Reason:
    """The reason of that name.

    One that is not listed comes from an agent or an operator that is newer; it is passed on as it
    is, and counts as someone's move: what is not known is not waved through.
    """
    known = REASONS.get(name)
    if known is not None:
        return known
    return Reason(
        name,
        Kind.MOVE,
        "This version does not know the reason; the message says what it is.",
        owners=(Owner.PLATFORM,),
        listed=False,
    )
