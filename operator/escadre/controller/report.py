"""The status of one ModelDeployment from what a pass saw and did, and events for what turned."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from escadre.controller.children import Applier
from escadre.controller.context import Context
from escadre.controller.passes import Pass
from escadre.controller.statuswriter import write_status
from escadre.core.approvals.verdict import iso
from escadre.core.scaling.policy import Decision
from escadre.core.scaling.step import Scalable, step
from escadre.core.status.build import answer
from escadre.core.status.conditions import Leaf
from escadre.core.status.facts import ReplicaLine, StatusFacts
from escadre.core.status.told import Past
from escadre.names import ConditionType
from escadre.reasons import Kind, Reason, Severity
from escadre.render.service import url
from escadre.state.demand import windows_of
from escadre.state.observe import Observed
from escadre.state.views import DeploymentView

__all__ = ["is_news", "is_warning", "report"]

_TOLD_WHEN_FALSE: Final = frozenset(
    {
        ConditionType.APPROVED,
        ConditionType.PLANNED,
        ConditionType.WEIGHTS_READY,
        ConditionType.SCALING,
    }
)
_REPLICAS: Final = frozenset({ConditionType.SCHEDULED, ConditionType.SERVING})


async def report(context: Context, this: Pass, applier: Applier) -> float | None:
    """Writes the status if it changed; returns seconds after which mere numbers may be written."""
    told = answer(_facts(context, this, applier))
    _tell_turns(context, this, told.leaves)
    cache = context.caches.deployments
    return await write_status(context, cache, this.view, told.status, told.essence)


def _facts(context: Context, this: Pass, applier: Applier) -> StatusFacts:
    view, approval, plan = this.view, this.approval, this.plan
    scaled, seen = context.memory.scaled.get(view.uid), this.sight.scalable(view)
    blocking = [one for one in applier.problems if one.blocks_serving]
    problem = next(iter([*blocking, *applier.problems]), None)
    return StatusFacts(
        generation=view.generation,
        url=url(this.owner),
        approved=approval.approved,
        approval_reason=approval.reason,
        approval_message=approval.message,
        model=approval.model,
        plan=replace(plan, weights=this.sight.retold(plan.weights)),
        target=seen.target,
        rollout=this.rollout,
        replicas=tuple(_line(one) for one in this.observed),
        desired=plan.facts.desired,
        min_replicas=view.spec.scaling.min_replicas if view.spec else 1,
        decision=scaled.decision if scaled else _first_decision(context, seen, this.sight.now),
        last_scale=scaled.last if scaled else None,
        problem=(problem.reason, problem.message) if problem else None,
        unreachable=bool(blocking),
        claim_terminating=_claim_terminating(context, view),
        previous=view.told,
        now=iso(context.now()),
    )


def _claim_terminating(context: Context, view: DeploymentView) -> str:
    """A claim of the deployment that is being deleted, "" without one."""
    claims = context.caches.claims.by("deployment", (view.namespace, view.name))
    ours = (one.name for one in claims if one.terminating and one.controller_uid == view.uid)
    return next(ours, "")


def _first_decision(context: Context, seen: Scalable, now: float) -> Decision | None:
    """What is to be said of scaling before the demand loop has come by for the first time."""
    if seen.told is not None:
        return None  # as it was told before
    return step(None, seen, (), windows_of(context.settings.scaling), now).decision


def _line(one: Observed) -> ReplicaLine:
    pod = one.pod
    message = ""
    if pod is not None and not pod.ready:
        message = pod.failing or pod.unscheduled
    return ReplicaLine(one.record.name, one.node, one.view, message)


Turn = tuple[str, Reason]  # status and why


def is_news(type_: str, before: Turn | None, now: Turn, ready: Turn | None) -> bool:
    """Whether a turn deserves an event: not what Ready says already, nor what just holds."""
    if now[0] == "Unknown" or before == now:
        return False
    if type_ == ConditionType.READY and not _held(before) and _told_by_replicas(now[1]):
        return False
    if type_ == ConditionType.APPROVED and now[0] == "True":
        return before is not None and before[0] == "False"  # was so from the beginning otherwise
    if type_ == ConditionType.READY:
        return True
    if type_ == ConditionType.STALLED:
        return ready is None or now[1] != ready[1]
    if type_ == ConditionType.SCALING and (ready is None or ready[0] != "True"):
        return False  # nothing serves: what stands in its way stands in the way of scaling
    return now[0] == "False" and type_ in _TOLD_WHEN_FALSE and now != ready


def _held(before: Turn | None) -> bool:
    return before is not None and before[0] == "True"


def _told_by_replicas(reason: Reason) -> bool:
    """Whether the events of the replicas that are made, drained and replaced say it already."""
    return reason.kind is Kind.UNDER_WAY and not _REPLICAS.isdisjoint(reason.conditions)


def is_warning(type_: str, before: Turn | None, now: Turn) -> bool:
    """Whether the event of a turn asks for someone: all but the waits on the way to Ready."""
    if type_ == ConditionType.STALLED:
        return True
    return now[0] == "False" and (_held(before) or now[1].severity is not Severity.INFO)


def _tell_turns(context: Context, this: Pass, leaves: Sequence[Leaf]) -> None:
    """An event for each condition that turned since the last pass told of it."""
    uid, turned = this.view.uid, _turns(leaves)
    before = context.memory.told.get(uid, _turns(this.view.told.conditions))
    context.memory.told[uid] = turned
    for one in leaves:
        was, now = before.get(one.type), turned[one.type]
        if is_news(one.type, was, now, turned.get(ConditionType.READY)):
            context.recorder.record(
                this.about,
                one.reason,
                f"{one.type}={one.status}: {one.spoken}",
                warning=is_warning(one.type, was, now),
            )


def _turns(conditions: Iterable[Leaf | Past]) -> dict[str, Turn]:
    return {one.type: (one.status, one.reason) for one in conditions}
