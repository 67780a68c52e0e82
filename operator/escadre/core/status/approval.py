"""The conditions of a ModelApproval: whether it holds, and what kstatus and Argo CD go by. Pure."""

from typing import Final

from escadre import reasons
from escadre.core.approvals.verdict import ApprovalVerdict, iso
from escadre.core.counting import count
from escadre.core.status.conditions import Leaf, as_progress, as_ready, false, true
from escadre.names import ConditionType
from escadre.reasons.said import plain

__all__ = ["approval_leaves", "ending"]

_DAY: Final = 86400.0


def approval_leaves(
    verdict: ApprovalVerdict | None, invalid: str, days: int, now: float
) -> list[Leaf]:
    """Ready first, then what goes on or stays, then Approved, then what is near.

    Args:
        verdict: the judgement, None for a spec that cannot be read.
        invalid: why it cannot be read, "" otherwise.
        days: how long before its end an approval that holds is Expiring.
        now: seconds since the epoch.
    """
    approved = _approved(verdict, invalid)
    if approved.status == "True":
        ready = true(ConditionType.READY, approved.reason, approved.message)
        return [ready, approved, *_expiring(verdict, days, now)]
    ready = as_ready(approved)
    return [ready, as_progress(ready), approved]


def ending(verdict: ApprovalVerdict, days: int, now: float) -> str:
    """What is said of an approval that holds and ends in less than ``days``, "" before that."""
    if verdict.expires - now > days * _DAY:
        return ""
    return f", which is in less than {count(days, 'day')}"


def _approved(verdict: ApprovalVerdict | None, invalid: str) -> Leaf:
    if verdict is None:
        return false(ConditionType.APPROVED, reasons.APPROVAL_INVALID, plain(invalid))
    make = true if verdict.approved else false
    return make(ConditionType.APPROVED, verdict.reason, plain(verdict.message))


def _expiring(verdict: ApprovalVerdict | None, days: int, now: float) -> list[Leaf]:
    """The warning some days before the end of an approval that holds; none otherwise."""
    if verdict is None or not ending(verdict, days, now):
        return []
    words = f"the approval ends at {iso(verdict.expires)}, in less than {count(days, 'day')}"
    return [true(ConditionType.EXPIRING, reasons.EXPIRING, plain(words))]
