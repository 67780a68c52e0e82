"""The status of a ModelDeployment: what blocks, with numbers and the next step.

Pure: facts of one pass in, the whole status out. Written last in a pass, also when a step failed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from escadre import reasons
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
from escadre.reasons import Reason
from escadre.reasons.said import Said, joined, plain, say

__all__ = ["Answer", "answer"]

_BEFORE_SERVING = (
    ConditionType.APPROVED,
    ConditionType.PLANNED,
    ConditionType.WEIGHTS_READY,
    ConditionType.SCHEDULED,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, and the leaves that its conditions are made from."""

    status: ModelDeploymentStatus
    leaves: tuple[Leaf, ...]

    def essence(self) -> bytes:
        """What it says but for numbers that come and go: with the same one it may wait 30 s."""
        still: dict[str, object] = {**Progress().numbers(), "message": ""}
        weights = [one.model_copy(update=still) for one in self.status.weights]
        rest = self.status.model_copy(update={"conditions": [], "weights": weights})
        said = [
            (leaf.type, leaf.status, leaf.reason.name, leaf.message.essence) for leaf in self.leaves
        ]
        text = f"{said}{rest.model_dump_json()}"
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def answer(facts: StatusFacts) -> Answer:
    """The whole status."""
    leaves = leaves_of(facts)
    ready = _ready(facts, leaves)
    told = (ready, *_progress(facts, ready, leaves), *leaves)
    return Answer(_status(facts, told), told)


def _status(facts: StatusFacts, leaves: Sequence[Leaf]) -> ModelDeploymentStatus:
    return ModelDeploymentStatus(
        observed_generation=facts.generation,
        url=facts.url,
        approval=_approval(facts.model) if facts.model else None,
        plan=_layout(facts),
        replicas=_replicas(facts),
        last_scale=facts.last_scale or facts.previous.last_scale,
        conditions=merge(leaves, facts.previous.conditions, facts.generation, facts.now),
        **({"weights": facts.plan.weights} if facts.plan and facts.plan.weights else {}),
    )


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
        return _blocked(*facts.problem)
    if serving.status == "True":
        parts = [serving.message, *_problem_words(facts)]
        return true(ConditionType.READY, reasons.READY, joined("; ", parts))
    if facts.problem is not None:
        return _blocked(*facts.problem)
    for type_ in _BEFORE_SERVING:
        leaf = by_type[type_]
        if leaf.status == "False":
            return as_ready(leaf)
    return as_ready(serving)


def _blocked(reason: Reason, message: str) -> Leaf:
    return false(ConditionType.READY, reason, plain(message))


def _problem_words(facts: StatusFacts) -> list[Said]:
    if facts.problem is None:
        return []
    reason, message = facts.problem
    return [say("{reason}: {message}", reason=reason.name, message=message)]


def _progress(facts: StatusFacts, ready: Leaf, leaves: Sequence[Leaf]) -> list[Leaf]:
    """Reconciling or Stalled, only while true; never because of scaling."""
    stalled = next((one for one in leaves if one.status == "False" and _stalls(one)), None)
    if stalled is not None:
        return [true(ConditionType.STALLED, stalled.reason, stalled.message)]
    if facts.rollout.outdated:
        all_of_them = say("{outdated} to replace", outdated=count_of(facts.rollout.outdated))
        words = facts.rollout.waiting or all_of_them
        return [true(ConditionType.RECONCILING, facts.rollout.reason, words)]
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
