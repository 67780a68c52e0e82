"""The key approval/name: writes ModelApproval.status and looks again when the approval expires."""

from typing import Final

from escadre import reasons
from escadre.api.approval import ModelApprovalStatus
from escadre.controller.context import Context
from escadre.controller.keys import deployment_key
from escadre.controller.statuswriter import write_status
from escadre.controller.turns import stored, turned
from escadre.core.approvals.verdict import ApprovalVerdict, iso
from escadre.core.status.approval import approval_leaves
from escadre.core.status.conditions import Leaf, merge
from escadre.machinery.events import ObjectRef
from escadre.machinery.queue import Priority
from escadre.names import API_VERSION, ConditionType
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
    days = context.settings.approvals.warn_days
    leaves = approval_leaves(verdict, view.invalid, days, now)
    status = _status(view, verdict, leaves, iso(now))
    by_type = {leaf.type: leaf for leaf in leaves}
    _tell(context, view, by_type[ConditionType.APPROVED])
    _warn(context, view, by_type.get(ConditionType.EXPIRING))
    await write_status(context, context.caches.approvals, view, status)
    if verdict is not None and verdict.reason == reasons.EXPIRED:
        context.replan()
    elif verdict is not None and verdict.expires > now:
        turns = [verdict.expires - days * _DAY, verdict.expires]
        return min(turn - now for turn in turns if turn > now)
    return None


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


def _warn(context: Context, view: ApprovalView, expiring: Leaf | None) -> None:
    """An event, once, and a word to whoever uses it: while the condition stands nothing more."""
    if expiring is None or any(one.type == ConditionType.EXPIRING for one in view.told):
        return
    for one in context.caches.deployments.by("approval", view.name):
        context.wake(deployment_key(one.namespace, one.name), 0.0, Priority.NORMAL)
    context.recorder.record(
        ObjectRef(API_VERSION, "ModelApproval", view.name, "", view.uid),
        expiring.reason,
        expiring.spoken,
        warning=True,
    )


def _tell(context: Context, view: ApprovalView, leaf: Leaf) -> None:
    before = stored(view.told, leaf.type)
    if turned(context, view.uid, before, (leaf.status, leaf.reason)) is not None:
        context.recorder.record(
            ObjectRef(API_VERSION, "ModelApproval", view.name, "", view.uid),
            leaf.reason,
            leaf.spoken,
            warning=leaf.status == "False",
            topic=leaf.type,
        )
