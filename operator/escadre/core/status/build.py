"""The status of a ModelDeployment: what blocks, with numbers and the next step.

Pure: facts of one pass in, the whole status out. Written last in a pass, also when a step failed.
"""

import re
from collections.abc import Sequence
from typing import TypeVar

from escadre import reasons
from escadre.api.base import Condition
from escadre.api.deployment import (
    LayoutStatus,
    ModelDeploymentStatus,
    ReplicasStatus,
    ReplicaStatus,
    ServedApproval,
)
from escadre.api.progress import Progress
from escadre.core.facts.model import ApprovedModel
from escadre.core.status.conditions import Leaf, as_progress, as_ready, false, merge, true
from escadre.core.status.facts import StatusFacts, count_of, serving_now
from escadre.core.status.leaves import leaves_of
from escadre.names import ConditionType

__all__ = ["build_status", "essence"]

_BEFORE_SERVING = (
    ConditionType.APPROVED,
    ConditionType.PLANNED,
    ConditionType.WEIGHTS_READY,
    ConditionType.SCHEDULED,
)
_Told = TypeVar("_Told", Condition, ReplicaStatus)


def build_status(facts: StatusFacts) -> ModelDeploymentStatus:
    """The whole status."""
    leaves = leaves_of(facts)
    ready = _ready(facts, leaves)
    conditions = [ready, *_progress(facts, ready, leaves), *leaves]
    return ModelDeploymentStatus(
        observed_generation=facts.generation,
        url=facts.url,
        approval=_approval(facts.model) if facts.model else None,
        plan=_layout(facts),
        replicas=_replicas(facts),
        last_scale=facts.last_scale or facts.previous.last_scale,
        conditions=merge(conditions, facts.previous.conditions, facts.generation, facts.now),
        **({"weights": facts.plan.weights} if facts.plan and facts.plan.weights else {}),
    )


def essence(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """The status without the numbers that come and go: two with one essence may wait 30 s."""
    changes: dict[str, object] = {
        "conditions": [_wordless(one) for one in status.conditions],
        "weights": [
            one.model_copy(update={**Progress().numbers(), "message": ""}) for one in status.weights
        ],
    }
    if status.replicas is not None:
        items = [_wordless(one) for one in status.replicas.items]
        changes["replicas"] = status.replicas.model_copy(update={"items": items})
    return status.model_copy(update=changes)


def _wordless(one: _Told) -> _Told:
    """A condition or a replica with the numbers taken out of its message."""
    return one.model_copy(update={"message": re.sub(r"\d+(\.\d+)?", "#", one.message)})


def _approval(model: ApprovedModel) -> ServedApproval:
    return ServedApproval(
        name=model.approval,
        uid=model.approval_uid,
        repository=model.repository,
        revision=model.revision,
        manifest_digest=model.manifest_digest,
    )


def _layout(facts: StatusFacts) -> LayoutStatus | None:
    plan = facts.plan
    if plan is None or plan.layout is None or facts.target is None:
        return None
    return LayoutStatus.of(plan.layout, facts.target, plan.rejected)


def _ready(facts: StatusFacts, leaves: Sequence[Leaf]) -> Leaf:
    by_type = {leaf.type: leaf for leaf in leaves}
    serving = by_type[ConditionType.SERVING]
    if facts.problem is not None and facts.unreachable:
        return false(ConditionType.READY, *facts.problem)
    if serving.status == "True":
        also = f"; {facts.problem[0]}: {facts.problem[1]}" if facts.problem else ""
        return true(ConditionType.READY, reasons.READY, serving.message + also)
    if facts.problem is not None:
        return false(ConditionType.READY, *facts.problem)
    for type_ in _BEFORE_SERVING:
        leaf = by_type[type_]
        if leaf.status == "False":
            return as_ready(leaf)
    return as_ready(serving)


def _progress(facts: StatusFacts, ready: Leaf, leaves: Sequence[Leaf]) -> list[Leaf]:
    """Reconciling or Stalled, only while true; never because of scaling."""
    stalled = next((one for one in leaves if one.status == "False" and _stalls(one)), None)
    if stalled is not None:
        return [true(ConditionType.STALLED, stalled.reason, stalled.message)]
    if facts.rollout.outdated:
        words = facts.rollout.waiting or f"{count_of(facts.rollout.outdated)} to replace"
        return [true(ConditionType.RECONCILING, reasons.ROLLING_OUT, words)]
    if ready.status == "True":
        return []
    before = {one.type for one in facts.previous.conditions}
    # What a change began goes on until Ready; a replica lost later is no work of a change.
    begun = not before.isdisjoint({ConditionType.RECONCILING, ConditionType.STALLED})
    if begun or facts.previous.generation != facts.generation:
        return [as_progress(ready)]
    return []


def _stalls(leaf: Leaf) -> bool:
    """Whether nothing but an edit of the ModelDeployment can mend it."""
    return ConditionType.STALLED in leaf.reason.conditions


def _replicas(facts: StatusFacts) -> ReplicasStatus:
    ready, current = serving_now(facts)
    return ReplicasStatus(
        desired=facts.desired,
        ready=ready,
        current=current,
        summary=f"{ready}/{facts.desired}",
        items=[
            ReplicaStatus(
                name=one.name,
                node=one.node,
                state="Draining" if one.view.drain else one.view.state,
                current=one.view.current,
                digest=one.view.digest or None,
                message=one.message,
            )
            for one in facts.replicas
        ],
    )
