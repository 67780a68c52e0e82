"""Conditions: built from leaves, with transition times that move only when the status flips."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from escadre import reasons
from escadre.api.base import Condition
from escadre.core.status.told import Past
from escadre.names import NEVER, ConditionType
from escadre.reasons import Kind, Reason
from escadre.reasons.said import NOTHING, Said

__all__ = ["TRUE_IS_BAD", "Leaf", "as_progress", "as_ready", "false", "merge", "true", "unknown"]

Status = Literal["True", "False", "Unknown"]
_GO_ON: Final = frozenset({Kind.UNDER_WAY, Kind.SETTLED})
# Those that are there only while something is wrong.
TRUE_IS_BAD: Final = frozenset({ConditionType.STALLED, ConditionType.ENGINE_MISMATCH})
_UNWRITTEN: Final = datetime.fromisoformat(NEVER)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition before it has times."""

    type: str
    status: Status
    reason: Reason
    message: Said

    @property
    def next_step(self) -> str:
        """What its reader can do about it, "" when there is nothing to do."""
        unfinished = self.type in TRUE_IS_BAD or self.type == ConditionType.RECONCILING
        holds = self.status == "True" and not unfinished
        return "" if holds else self.reason.next_step

    @property
    def spoken(self) -> str:
        """The message and the step in one, for what has room for a text only: an event."""
        text = str(self.message)
        step = self.next_step
        return f"{text.removesuffix('.')}. Next: {step}" if step else text


def true(type_: str, reason: Reason, message: Said = NOTHING) -> Leaf:
    """A condition that holds."""
    return Leaf(type_, "True", reason, message)


def unknown(type_: str, reason: Reason, message: Said = NOTHING) -> Leaf:
    """A condition that cannot be told yet."""
    return Leaf(type_, "Unknown", reason, message)


def false(type_: str, reason: Reason, message: Said) -> Leaf:
    """A condition that does not hold.

    A reason that is not listed is passed on: agents report theirs, and in an upgrade an agent may
    be newer than this operator.
    """
    return Leaf(type_, "False", reason, message)


def as_ready(leaf: Leaf) -> Leaf:
    """Ready, held up by what that leaf says."""
    return false(ConditionType.READY, leaf.reason, leaf.message)


def as_progress(ready: Leaf) -> Leaf:
    """Reconciling or Stalled beside a Ready that is not True: exactly one of them.

    kstatus, and with it Helm and Flux, reads these two before Ready. What goes on by itself, and
    what waits for named people, is in progress; what stays until somebody acts has failed.
    """
    goes_on = ready.reason.kind in _GO_ON or ready.reason == reasons.SIGNATURES_MISSING
    type_ = ConditionType.RECONCILING if goes_on else ConditionType.STALLED
    return true(type_, ready.reason, ready.message)


def merge(
    leaves: Sequence[Leaf], previous: Iterable[Past], generation: int, now: str
) -> list[Condition]:
    """The conditions to write; a type that is not among ``leaves`` goes away."""
    before = {one.type: one for one in previous}
    time = datetime.fromisoformat(now)
    return [_condition(leaf, before.get(leaf.type), generation, time) for leaf in leaves]


def _condition(leaf: Leaf, old: Past | None, generation: int, now: datetime) -> Condition:
    # Conditions that nobody has written carry a time too: that of the schema's default.
    same = old is not None and old.status == leaf.status and old.since != _UNWRITTEN
    return Condition(
        type=leaf.type,
        status=leaf.status,
        reason=leaf.reason,
        message=str(leaf.message),
        next_step=leaf.next_step or None,
        observed_generation=generation,
        last_transition_time=old.since if old and same else now,
    )
