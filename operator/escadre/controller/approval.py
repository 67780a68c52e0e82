"""The key approval/name: writes ModelApproval.status and looks again when the approval expires."""

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


async def reconcile_approval(context: Context, name: str) -> float | None:
    """One pass; returns in how many seconds to look again."""
    view = context.caches.approvals.get(name)
    if view is None or view.terminating:
        return None
    now = context.now()
    verdict = judge(context.caches, context.settings, view, now, context.gather.policies())
    leaf = _leaf(view, verdict)
    status = _status(view, verdict, leaf, iso(now))
    _tell(context, view, leaf)
    left = await write_status(context, context.caches.approvals, view, status)
    if verdict is not None and verdict.reason == reasons.EXPIRED:
        context.wake(FLEET, 0.0)
    elif verdict is not None and verdict.expires > now:
        left = min(left or verdict.expires - now, verdict.expires - now)
    return left


def _status(
    view: ApprovalView, verdict: ApprovalVerdict | None, leaf: Leaf, now: str
) -> ModelApprovalStatus:
    judged = {"summary": verdict.summary, "signatures": verdict.records} if verdict else {}
    return ModelApprovalStatus(
        observed_generation=view.generation,
        content_digest=view.content_digest,
        conditions=merge([leaf], view.told, view.generation, now),
        **judged,
    )


def _leaf(view: ApprovalView, verdict: ApprovalVerdict | None) -> Leaf:
    if verdict is None:
        return false(ConditionType.APPROVED, reasons.APPROVAL_INVALID, plain(view.invalid))
    if verdict.approved:
        return true(ConditionType.APPROVED, verdict.reason, plain(verdict.message))
    return false(ConditionType.APPROVED, verdict.reason, plain(verdict.message))


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
