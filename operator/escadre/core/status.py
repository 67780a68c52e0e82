"""The status of a ModelDeployment: what blocks, with numbers and the next step.

Pure: facts of one pass in, the whole status out. Written last in a pass, also when a step failed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from escadre.api.deployment import LastScale, Plan, RejectedLayout, WeightsOnNode
from escadre.core.autoscale import Decision
from escadre.core.conditions import Leaf, false, merge, true, unknown
from escadre.core.facts import ApprovedModel
from escadre.core.fleet import DeploymentPlan
from escadre.core.rollout import ReplicaView, RolloutPlan
from escadre.reasons import REASONS

__all__ = ["ReplicaLine", "StatusFacts", "build_status", "essence"]

# What nothing but an edit of the ModelDeployment can mend.
STALLED: Final = frozenset({"InvalidSpec", "ContextTooLong", "TypicalTokensTooLong"})
_GIGABYTE: Final = 10**9


@dataclass(frozen=True, slots=True)
class ReplicaLine:
    """A replica for the status."""

    name: str
    node: str
    view: ReplicaView
    message: str


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """Everything a status is made from. ``previous`` is the status as stored."""

    generation: int
    url: str
    approved: bool
    approval_reason: str
    approval_message: str
    model: ApprovedModel | None
    plan: DeploymentPlan | None
    rollout: RolloutPlan
    replicas: tuple[ReplicaLine, ...]
    desired: int
    min_replicas: int
    decision: Decision | None
    last_scale: LastScale | None
    problem: tuple[str, str] | None  # reason, message of a child that cannot be written
    unreachable: bool  # that child is the Service: nobody reaches the engines without it
    claim_terminating: str
    previous: Mapping[str, Any]
    now: str


def build_status(facts: StatusFacts) -> dict[str, Any]:
    """The whole status."""
    leaves = [
        _approved(facts),
        _planned(facts),
        _weights(facts),
        _scheduled(facts),
        _serving(facts),
        _scaling(facts),
    ]
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
    plan = _shown_plan(facts)
    if plan is not None:
        status["plan"] = plan.model_dump(mode="json", by_alias=True, exclude_none=True)
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


def _shown_plan(facts: StatusFacts) -> Plan | None:
    if facts.plan is None or facts.plan.layout is None:
        return None
    return facts.plan.layout.model_copy(update={"rejected": list(facts.plan.rejected[:32])})


def _count(number: int) -> str:
    return f"{number} replica" if number == 1 else f"{number} replicas"


def _approved(facts: StatusFacts) -> Leaf:
    if facts.approved:
        return true("Approved", "Approved", facts.approval_message)
    return false("Approved", facts.approval_reason, facts.approval_message)


def _planned(facts: StatusFacts) -> Leaf:
    plan = facts.plan
    if not facts.approved and not facts.replicas:
        return unknown("Planned", facts.approval_reason, "waits for an approval that holds")
    if plan is None:
        return unknown("Planned", "Pending", "no planning pass saw this deployment yet")
    if plan.reason and plan.reason != "Planned":
        message = plan.message or _first_rejection(plan.rejected)
        return false("Planned", plan.reason, message)
    layout = plan.layout
    if layout is None:
        return unknown("Planned", facts.approval_reason, "no layout while the approval waits")
    capacity = layout.capacity
    return true(
        "Planned",
        "Planned",
        f"{layout.summary}: cache for {capacity.key_value_tokens} tokens a replica "
        f"({capacity.required_tokens} needed), {capacity.full_length_requests} requests of "
        f"{layout.max_model_len} tokens or {capacity.typical_requests} of "
        f"{layout.typical_tokens} at once",
    )


def _first_rejection(rejected: Sequence[RejectedLayout]) -> str:
    return rejected[0].message if rejected else ""


def _weights(facts: StatusFacts) -> Leaf:
    wanted = facts.plan.weights if facts.plan else ()
    if not wanted:
        return unknown("WeightsReady", "WeightsWaiting", "no node is planned yet")
    missing = [one for one in wanted if one.state != "Verified"]
    if not missing:
        nodes = sorted({one.node for one in wanted})
        return true("WeightsReady", "WeightsVerified", f"verified on {', '.join(nodes[:8])}")
    worst = min(missing, key=_weight_rank)
    others = f" ({len(missing)} of {len(wanted)} nodes wait)" if len(wanted) > 1 else ""
    return false(
        "WeightsReady", worst.reason or _weight_reason(worst), _weight_words(worst) + others
    )


def _weight_rank(one: WeightsOnNode) -> tuple[int, str]:
    order = {"Failed": 0, "Queued": 1, "Wanted": 2, "Pulling": 3, "Verified": 4}
    return order[one.state], one.node


def _weight_reason(one: WeightsOnNode) -> str:
    return "PullQueued" if one.state == "Queued" else "Pulling"


def _weight_words(one: WeightsOnNode) -> str:
    if one.state == "Failed" or (one.message and one.state == "Queued"):
        return f"node {one.node}: {one.message or 'the pull failed'}"
    if one.state == "Queued":
        return f"node {one.node} waits for a free pull of mirror {one.mirror}"
    if one.state == "Wanted" or not one.bytes_total:
        return f"node {one.node}: the agent was told to pull from mirror {one.mirror}"
    percent = 100 * one.bytes_done // one.bytes_total
    eta = f", {one.eta_seconds} s left" if one.eta_seconds is not None else ""
    scale, unit = (_GIGABYTE, "GB") if one.bytes_total >= 10 * _GIGABYTE else (10**6, "MB")
    return (
        f"node {one.node} pulled {one.bytes_done / scale:,.0f} of {one.bytes_total / scale:,.0f} "
        f"{unit} ({percent} %) from mirror {one.mirror} at "
        f"{one.bytes_per_second / 10**6:,.0f} MB/s{eta}"
    )


def _scheduled(facts: StatusFacts) -> Leaf:
    if not facts.replicas:
        return unknown("Scheduled", "NoReplicas", "no replica exists yet")
    pending = [one for one in facts.replicas if one.view.state == "Pending"]
    if not pending:
        return true("Scheduled", "Scheduled", f"{_count(len(facts.replicas))} placed")
    if facts.claim_terminating:
        return false(
            "Scheduled",
            "ReplicasPending",
            f"PersistentVolumeClaim {facts.claim_terminating} is being deleted and is made anew "
            "when the last pod that uses it is gone",
        )
    first = pending[0]
    words = first.message or "its pod is being made"
    return false(
        "Scheduled",
        "ReplicasPending",
        f"{len(pending)} of {len(facts.replicas)} replicas wait for a node; {first.name}: {words}",
    )


def _serving_now(facts: StatusFacts) -> tuple[int, int]:
    """Ready replicas that answer the Service: all, and those on the current inputs."""
    ready = [one for one in facts.replicas if one.view.state == "Ready" and not one.view.drain]
    # Without an approval that holds there are no new inputs to be on.
    current = [one for one in ready if one.view.current or not facts.approved]
    return len(ready), len(current)


def _serving(facts: StatusFacts) -> Leaf:
    ready, current = _serving_now(facts)
    need = facts.min_replicas
    if current >= need > 0:
        return true("Serving", "Serving", f"{_count(current)} ready, {need} needed")
    if not facts.replicas:
        return false("Serving", "NoReplicas", f"0 of {_count(need)} ready")
    failing = next((one for one in facts.replicas if one.view.state == "Failing"), None)
    if failing is not None:
        return false("Serving", "EngineFailing", f"replica {failing.name} {failing.message}")
    if facts.rollout.outdated:
        waits = f": {facts.rollout.waiting}" if facts.rollout.waiting else ""
        return false(
            "Serving",
            "RollingOut",
            f"{current} of {need} needed replicas are ready on the current inputs, {ready} on "
            f"any, {facts.rollout.outdated} to replace{waits}",
        )
    return false("Serving", "Loading", f"{current} of {need} needed replicas ready")


def _scaling(facts: StatusFacts) -> Leaf:
    decision = facts.decision
    if decision is None:
        return _scaling_before(facts)
    if decision.reason == "NotScaling":
        return unknown("Scaling", "NotScaling", decision.message)
    if decision.reason in {"MetricsMissing", "ScalingHeld"}:
        return false("Scaling", decision.reason, decision.message)
    return true("Scaling", decision.reason, decision.message)


def _scaling_before(facts: StatusFacts) -> Leaf:
    """What was decided last, until a leader that just began has read the queues itself."""
    for one in facts.previous.get("conditions") or []:
        decided = one.get("reason") in REASONS and one.get("reason") != "Pending"
        if one.get("type") == "Scaling" and decided:
            return Leaf("Scaling", one["status"], one["reason"], one["message"])
    return unknown("Scaling", "NotScaling", "no demand was read yet")


def _ready(facts: StatusFacts, leaves: Sequence[Leaf]) -> Leaf:
    by_type = {leaf.type: leaf for leaf in leaves}
    serving = by_type["Serving"]
    if facts.problem is not None and facts.unreachable:
        return false("Ready", *facts.problem)
    if serving.status == "True":
        also = f"; {facts.problem[0]}: {facts.problem[1]}" if facts.problem else ""
        return true("Ready", "Ready", serving.message + also)
    if facts.problem is not None:
        return false("Ready", *facts.problem)
    for type_ in ("Approved", "Planned", "WeightsReady", "Scheduled"):
        leaf = by_type[type_]
        if leaf.status == "False":
            return Leaf("Ready", "False", leaf.reason, leaf.message)
    return Leaf("Ready", "False", serving.reason, serving.message)


def _progress(facts: StatusFacts, ready: Leaf, leaves: Sequence[Leaf]) -> list[Leaf]:
    """Reconciling or Stalled, only while true; never because of scaling."""
    stalled = next((one for one in leaves if one.reason in STALLED and one.status == "False"), None)
    if stalled is not None:
        return [true("Stalled", stalled.reason, stalled.message)]
    if facts.rollout.outdated:
        words = facts.rollout.waiting or f"{_count(facts.rollout.outdated)} to replace"
        return [true("Reconciling", "RollingOut", words)]
    if ready.status == "True":
        return []
    before = {one.get("type"): one for one in facts.previous.get("conditions") or []}
    # What a change began goes on until Ready; a replica lost later is no work of a change.
    if {"Reconciling", "Stalled"} & set(before) or facts.previous.get(
        "observedGeneration"
    ) != facts.generation:
        return [true("Reconciling", "Progressing", f"{ready.reason}: {ready.message}")]
    return []


def _replicas(facts: StatusFacts) -> dict[str, Any]:
    ready, current = _serving_now(facts)
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
