"""The key approval/name: writes ModelApproval.status and looks again when the approval expires."""

from typing import Final

from escadre import reasons
from escadre.api.approval import ModelApprovalStatus
from escadre.controller.context import Context
from escadre.controller.keys import FLEET
from escadre.controller.statuswriter import write_status
from escadre.core.approvals.verdict import ApprovalVerdict, iso
from escadre.core.status.conditions import Leaf, false, merge, true
from escadre.machinery.events import ObjectRef
from escadre.names import API_VERSION, ConditionType
from escadre.reasons.said import plain
from escadre.state.judge import judge
from escadre.state.views import ApprovalView

__all__ = ["reconcile_approval"]

_DAY: Final = 86400.0


async def reconcile_approval(context: Context, name: str) -> float | None:
    """One pass; returns in how many seconds to look again."""
    view = context.caches.approvals.get(name)
    if view is None or view.terminating:
        return None
    now = context.now()
    verdict = judge(context.caches, context.settings, view, now, context.gather.policies())
    leaf = _leaf(view, verdict)
    days = context.settings.approvals.warn_days
    leaves = [leaf, *_expiring(verdict, days, now)]
    status = _status(view, verdict, leaves, iso(now))
    _tell(context, view, leaf)
    _warn(context, view, leaves[1:])
    left = await write_status(context, context.caches.approvals, view, status)
    if verdict is not None and verdict.reason == reasons.EXPIRED:
        context.wake(FLEET, 0.0)
    elif verdict is not None and verdict.expires > now:
        turns = [verdict.expires - days * _DAY, verdict.expires]
        until = min(turn - now for turn in turns if turn > now)
        left = min(left or until, until)
    return left


def _status(
    view: ApprovalView, verdict: ApprovalVerdict | None, leaves: list[Leaf], now: str
) -> ModelApprovalStatus:
    judged = {"summary": verdict.summary, "signatures": verdict.records} if verdict else {}
    return ModelApprovalStatus(
        observed_generation=view.generation,
        content_digest=view.content_digest,
        conditions=merge(leaves, view.told, view.generation, now),
        **judged,
    )


def _leaf(view: ApprovalView, verdict: ApprovalVerdict | None) -> Leaf:
    if verdict is None:
        return false(ConditionType.APPROVED, reasons.APPROVAL_INVALID, plain(view.invalid))
    if verdict.approved:
        return true(ConditionType.APPROVED, verdict.reason, plain(verdict.message))
    return false(ConditionType.APPROVED, verdict.reason, plain(verdict.message))


def _expiring(verdict: ApprovalVerdict | None, days: int, now: float) -> list[Leaf]:
    """The warning some days before the end of an approval that holds; none otherwise."""
    if verdict is None or not verdict.approved or verdict.expires - now > days * _DAY:
        return []
    words = f"the approval ends at {iso(verdict.expires)}, in less than {days} days"
    return [true(ConditionType.EXPIRING, reasons.EXPIRING, plain(words))]


def _warn(context: Context, view: ApprovalView, expiring: list[Leaf]) -> None:
    """An event, once: while the condition stands nothing more is told."""
    if any(one.type == ConditionType.EXPIRING for one in view.told):
        return
    for leaf in expiring:
        context.recorder.record(
            ObjectRef(API_VERSION, "ModelApproval", view.name, "", view.uid),
            leaf.reason,
            leaf.spoken,
            warning=True,
        )


def _tell(context: Context, view: ApprovalView, leaf: Leaf) -> None:
    before = next(((one.status, one.reason) for one in view.told), None)
    told = context.memory.told.get(view.uid, before)
    context.memory.told[view.uid] = (leaf.status, leaf.reason)
    if told != (leaf.status, leaf.reason):
        context.recorder.record(
            ObjectRef(API_VERSION, "ModelApproval", view.name, "", view.uid),
            leaf.reason,
            leaf.spoken,
            warning=leaf.status == "False",
        )
