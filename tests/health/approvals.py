"""The table of truth of ModelApprovals, by judgements of real signatures."""

from typing import Final

from tests.core.approvals.signed import (
    ANNA,
    BRUNO,
    EXPIRES,
    MISSING_POLICY,
    NOW,
    OTHER,
    REVOKE,
    signed,
    verdict,
)
from tests.health.cell import (
    DONE,
    STAYS,
    WAITS_FOR_PEOPLE,
    Cell,
    Meaning,
    cell,
    stored,
    unseen,
)

from escadre.api.approval import ModelApprovalStatus
from escadre.api.wire import dump
from escadre.core.approvals.verdict import ApprovalVerdict, PolicyState, iso
from escadre.core.status.approval import approval_leaves
from escadre.core.status.conditions import merge

__all__ = ["APPROVALS"]

_WARN_DAYS: Final = 14
_DAY: Final = 86400.0


def _cell(
    what: str,
    judged: ApprovalVerdict | None,
    ready: str,
    meaning: Meaning,
    now: float = NOW,
) -> Cell:
    leaves = approval_leaves(judged, "" if judged else "spec.licence: missing", _WARN_DAYS, now)
    conditions = merge(leaves, (), 1, iso(now))
    found = dump(ModelApprovalStatus(observed_generation=1, conditions=conditions))
    return cell(what, stored("ModelApproval", found), ready, meaning)


APPROVALS: Final = (
    unseen("ModelApproval"),
    _cell("nobody signed", verdict(), "False SignaturesMissing", WAITS_FOR_PEOPLE),
    _cell("one of two signed", verdict(ANNA), "False SignaturesMissing", WAITS_FOR_PEOPLE),
    _cell(
        "one of two signatures is of other content",
        verdict(ANNA, signed("bruno", content_digest=OTHER)),
        "False SignaturesMissing",
        WAITS_FOR_PEOPLE,
    ),
    _cell(
        "the policies of four eyes were made anew: all sign again",
        verdict(ANNA, BRUNO, policies=PolicyState(since=NOW)),
        "False SignaturesMissing",
        WAITS_FOR_PEOPLE,
    ),
    _cell("holds", verdict(ANNA, BRUNO), "True Approved", DONE),
    _cell(
        "holds, and ends soon",
        verdict(ANNA, BRUNO, now=EXPIRES - _DAY),
        "True Approved",
        DONE,
        EXPIRES - _DAY,
    ),
    _cell("has ended", verdict(ANNA, BRUNO, now=EXPIRES), "False Expired", STAYS, EXPIRES),
    _cell("is revoked", verdict(ANNA, BRUNO, REVOKE), "False Revoked", STAYS),
    _cell(
        "the policies of four eyes are missing or changed",
        verdict(ANNA, BRUNO, policies=MISSING_POLICY),
        "False PolicyMissing",
        STAYS,
    ),
    _cell("cannot be read with this version's rules", None, "False ApprovalInvalid", STAYS),
)
