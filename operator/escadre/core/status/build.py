"""The status of a ModelDeployment: what blocks, with numbers and the next step.

Pure: facts of one pass in, the whole status out. Written last in a pass, also when a step failed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from escadre import reasons
from escadre.api.deployment import LayoutStatus
from escadre.core.status.conditions import Leaf, false, merge, true
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


def build_status(facts: StatusFacts) -> dict[str, Any]:
    """The whole status."""
    leaves = leaves_of(facts)
    ready = _ready(facts, leaves)
    conditions = [ready, *_progress(facts, ready, leaves), *leaves]
    status: dict[str, Any] = {
        "observedGeneration": facts.generation,
        "url": facts.url,
        "replicas": _replicas(facts),
        "conditions": merge(
            conditions, facts.previous.get("conditions") or [], facts.generation, facts.now
        ),
    }
    plan = facts.plan
    if plan is not None and plan.layout is not None and facts.target is not None:
        layout = LayoutStatus.of(plan.layout, facts.target, plan.rejected)
        status["plan"] = layout.model_dump(mode="json", by_alias=True, exclude_none=True)
    if facts.model is not None:
        status["approval"] = {
            "name": facts.model.approval,
            "uid": facts.model.approval_uid,
            "repository": facts.model.repository,
            "revision": facts.model.revision,
            "manifestDigest": facts.model.manifest_digest,
        }
    if facts.plan is not None and facts.plan.weights:
        status["weights"] = [
            one.model_dump(mode="json", by_alias=True, exclude_none=True)
            for one in facts.plan.weights
        ]
    if facts.last_scale is not None:
        status["lastScale"] = facts.last_scale.model_dump(mode="json", by_alias=True)
    elif facts.previous.get("lastScale"):
        status["lastScale"] = facts.previous["lastScale"]
    return status


def essence(status: Mapping[str, Any]) -> str:
    """The status without the numbers that come and go: two with one essence may wait 30 s."""
    conditions = [
        {**one, "message": re.sub(r"\d+(\.\d+)?", "#", one["message"])}
        for one in status.get("conditions") or []
    ]
    weights = [
        {key: one.get(key) for key in ("node", "manifestDigest", "state", "reason", "mirror")}
        for one in status.get("weights") or []
    ]
    replicas = dict(status.get("replicas") or {})
    replicas["items"] = [
        {**one, "message": re.sub(r"\d+(\.\d+)?", "#", one.get("message", ""))}
        for one in replicas.get("items") or []
    ]
    rest = {**status, "conditions": conditions, "weights": weights, "replicas": replicas}
    return json.dumps(rest, sort_keys=True, default=str)


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
            return Leaf(ConditionType.READY, "False", leaf.reason, leaf.message)
    return Leaf(ConditionType.READY, "False", serving.reason, serving.message)


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
    before = {one.get("type"): one for one in facts.previous.get("conditions") or []}
    # What a change began goes on until Ready; a replica lost later is no work of a change.
    if {ConditionType.RECONCILING, ConditionType.STALLED} & set(before) or facts.previous.get(
        "observedGeneration"
    ) != facts.generation:
        return [
            true(ConditionType.RECONCILING, reasons.PROGRESSING, f"{ready.reason}: {ready.message}")
        ]
    return []


def _stalls(leaf: Leaf) -> bool:
    """Whether nothing but an edit of the ModelDeployment can mend it."""
    return ConditionType.STALLED in leaf.reason.conditions


def _replicas(facts: StatusFacts) -> dict[str, Any]:
    ready, current = serving_now(facts)
    return {
        "desired": facts.desired,
        "ready": ready,
        "current": current,
        "summary": f"{ready}/{facts.desired}",
        "items": [
            {
                "name": one.name,
                "node": one.node,
                "state": "Draining" if one.view.drain else one.view.state,
                "current": one.view.current,
                **({"digest": one.view.digest} if one.view.digest else {}),
                "message": one.message[:1024],
            }
            for one in facts.replicas
        ],
    }
