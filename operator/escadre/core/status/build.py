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
    ScalingStatus,
)
from escadre.api.progress import Progress
from escadre.api.serving import ServedApproval, ServingStatus
from escadre.core.facts.model import ApprovedModel
from escadre.core.status.available import available_leaf, serving_of
from escadre.core.status.conditions import Leaf, as_progress, as_ready, false, merge, true
from escadre.core.status.facts import StatusFacts, count_of, is_current, serving_now
from escadre.core.status.leaves import leaves_of
from escadre.core.status.scaling import scaling_of
from escadre.names import ConditionType
from escadre.reasons import Reason
from escadre.reasons.said import plain, say

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
        changes = self.status.scaling.history if self.status.scaling else []
        scaling = ScalingStatus(signal="Unknown", history=changes)
        moving: dict[str, object] = {"conditions": [], "weights": weights, "scaling": scaling}
        rest = self.status.model_copy(update=moving)
        said = [
            (leaf.type, leaf.status, leaf.reason.name, leaf.message.essence) for leaf in self.leaves
        ]
        text = f"{said}{rest.model_dump_json()}"
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def answer(facts: StatusFacts) -> Answer:
    """The whole status."""
    leaves = leaves_of(facts)
    ready = _ready(facts, leaves)
    progress = [] if ready.status == "True" else [as_progress(ready)]
    serving = serving_of(facts)
    told = (ready, available_leaf(facts, serving), *progress, *leaves)
    return Answer(_status(facts, serving, told), told)


def _status(
    facts: StatusFacts, serving: ServingStatus | None, leaves: Sequence[Leaf]
) -> ModelDeploymentStatus:
    return ModelDeploymentStatus(
        observed_generation=facts.generation,
        url=facts.url,
        approval=_approval(facts.model) if facts.model else None,
        plan=_layout(facts),
        replicas=_replicas(facts),
        serving=serving,
        last_scale=facts.changes[-1].told() if facts.changes else None,
        scaling=scaling_of(facts),
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
    return LayoutStatus.of(plan.layout, facts.target, plan.rejected, plan.without_override)


def _ready(facts: StatusFacts, leaves: Sequence[Leaf]) -> Leaf:
    """True only when all that the spec asks for is so; else the first that is not."""
    by_type = {leaf.type: leaf for leaf in leaves}
    serving = by_type[ConditionType.SERVING]
    if facts.problem is not None:
        return _blocked(*facts.problem)
    approved = by_type[ConditionType.APPROVED]
    if approved.status == "False":
        return as_ready(approved)
    if serving.status == "True" and not facts.rollout.outdated:
        return true(ConditionType.READY, reasons.READY, serving.message)
    for type_ in _BEFORE_SERVING:
        leaf = by_type[type_]
        if leaf.status == "False":
            return as_ready(leaf)
    return _replacing(facts) if serving.status == "True" else as_ready(serving)


def _blocked(reason: Reason, message: str) -> Leaf:
    return false(ConditionType.READY, reason, plain(message))


def _replacing(facts: StatusFacts) -> Leaf:
    """Enough replicas are on the current inputs, and others are still to be replaced."""
    all_of_them = say("{outdated} to replace", outdated=count_of(facts.rollout.outdated))
    return false(ConditionType.READY, facts.rollout.reason, facts.rollout.waiting or all_of_them)


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
                gpus=one.gpus,
                state="Draining" if one.view.drain else one.view.state,
                current=is_current(facts, one),
                digest=one.view.digest or None,
                message=one.message,
            )
            for one in facts.replicas
        ],
    )
