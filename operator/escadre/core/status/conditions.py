"""Conditions: built from leaves, with transition times that move only when the status flips."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from escadre.names import NEVER
from escadre.reasons import Reason

__all__ = ["Leaf", "false", "merge", "true", "unknown"]

Status = Literal["True", "False", "Unknown"]
_LONGEST: Final = 2048


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition before it has times."""

    type: str
    status: Status
    reason: Reason
    message: str


def true(type_: str, reason: Reason, message: str = "") -> Leaf:
    """A condition that holds."""
    return Leaf(type_, "True", reason, message)


def unknown(type_: str, reason: Reason, message: str = "") -> Leaf:
    """A condition that cannot be told yet."""
    return Leaf(type_, "Unknown", reason, message)


def false(type_: str, reason: Reason, message: str) -> Leaf:
    """A condition that does not hold: what blocks, and the next step from the list of reasons.

    A reason that is not in the list is passed on: agents report theirs, and in an upgrade an agent
    may be newer than this operator.
    """
    hint = f". Next: {reason.next_step}" if reason.next_step else ""
    return Leaf(type_, "False", reason, f"{message.rstrip('.')}{hint}")


def merge(
    leaves: Sequence[Leaf], previous: Iterable[Mapping[str, Any]], generation: int, now: str
) -> list[dict[str, Any]]:
    """The conditions to write; a type that is not among ``leaves`` goes away."""
    before = {one.get("type"): one for one in previous}
    merged = []
    for leaf in leaves:
        old = before.get(leaf.type)
        since = old["lastTransitionTime"] if old and old.get("status") == leaf.status else NEVER
        merged.append(
            {
                "type": leaf.type,
                "status": leaf.status,
                "reason": leaf.reason.name,
                "message": leaf.message[:_LONGEST],
                "observedGeneration": generation,
                "lastTransitionTime": now if since == NEVER else since,
            }
        )
    return merged
