"""The leaf conditions of a ModelDeployment: one for each link from approval to scaling.

Each False names the blocking object, the numbers and what is awaited. Pure.
"""

from collections.abc import Sequence
from typing import Final

from escadre import reasons
from escadre.api.deployment import RejectedLayout, WeightsOnNode
from escadre.core.listing import listed
from escadre.core.status.conditions import Leaf, false, true, unknown
from escadre.core.status.facts import StatusFacts, count_of, serving_now
from escadre.names import ConditionType
from escadre.reasons import Reason

__all__ = ["leaves_of", "weights_leaf"]

_GIGABYTE: Final = 10**9
_WORST_STATES: Final = ("Failed", "Queued", "Wanted", "Pulling", "Verified")


def leaves_of(facts: StatusFacts) -> list[Leaf]:
    """All of them, in the order of the chain."""
    return [
        _approved(facts),
        _planned(facts),
        weights_leaf(facts.plan.weights if facts.plan else ()),
        _scheduled(facts),
        _serving(facts),
        _scaling(facts),
    ]


def _approved(facts: StatusFacts) -> Leaf:
    if facts.approved:
        return true(ConditionType.APPROVED, reasons.APPROVED, facts.approval_message)
    return false(ConditionType.APPROVED, facts.approval_reason, facts.approval_message)


def _planned(facts: StatusFacts) -> Leaf:
    plan = facts.plan
    if not facts.approved and not facts.replicas:
        return unknown(
            ConditionType.PLANNED, facts.approval_reason, "waits for an approval that holds"
        )
    if plan is None:
        return unknown(
            ConditionType.PLANNED, reasons.PENDING, "no planning pass saw this deployment yet"
        )
    if plan.reason and plan.reason != reasons.PLANNED:
        message = plan.message or _first_rejection(plan.rejected)
        return false(ConditionType.PLANNED, plan.reason, message)
    layout = plan.layout
    if layout is None:
        return unknown(
            ConditionType.PLANNED, facts.approval_reason, "no layout while the approval waits"
        )
    capacity = layout.capacity
    return true(
        ConditionType.PLANNED,
        reasons.PLANNED,
        f"{layout.summary}: cache for {capacity.key_value_tokens:,} tokens a replica "
        f"({capacity.required_tokens:,} needed), {capacity.full_length_requests:,} requests of "
        f"{layout.max_model_len:,} tokens or {capacity.typical_requests:,} of "
        f"{layout.typical_tokens:,} at once",
    )


def _first_rejection(rejected: Sequence[RejectedLayout]) -> str:
    return rejected[0].message if rejected else ""


def weights_leaf(wanted: Sequence[WeightsOnNode]) -> Leaf:
    """WeightsReady of the nodes that are planned; the command line words newer numbers with it."""
    if not wanted:
        return unknown(
            ConditionType.WEIGHTS_READY, reasons.WEIGHTS_WAITING, "no node is planned yet"
        )
    missing = [one for one in wanted if one.state != "Verified"]
    if not missing:
        nodes = sorted({one.node for one in wanted})
        return true(
            ConditionType.WEIGHTS_READY,
            reasons.WEIGHTS_VERIFIED,
            f"verified on {listed(nodes, 8)}",
        )
    worst = min(missing, key=_weight_rank)
    others = f" ({len(missing)} of {len(wanted)} nodes wait)" if len(wanted) > 1 else ""
    return false(
        ConditionType.WEIGHTS_READY,
        worst.reason or _weight_reason(worst),
        _weight_words(worst) + others,
    )


def _weight_rank(one: WeightsOnNode) -> tuple[int, str]:
    return _WORST_STATES.index(one.state), one.node


def _weight_reason(one: WeightsOnNode) -> Reason:
    return reasons.PULL_QUEUED if one.state == "Queued" else reasons.PULLING


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
        return unknown(ConditionType.SCHEDULED, reasons.NO_REPLICAS, "no replica exists yet")
    pending = [one for one in facts.replicas if one.view.state == "Pending"]
    if not pending:
        return true(
            ConditionType.SCHEDULED, reasons.SCHEDULED, f"{count_of(len(facts.replicas))} placed"
        )
    if facts.claim_terminating:
        return false(
            ConditionType.SCHEDULED,
            reasons.REPLICAS_PENDING,
            f"PersistentVolumeClaim {facts.claim_terminating} is being deleted and is made anew "
            "when the last pod that uses it is gone",
        )
    first = pending[0]
    words = first.message or "its pod is being made"
    return false(
        ConditionType.SCHEDULED,
        reasons.REPLICAS_PENDING,
        f"{len(pending)} of {len(facts.replicas)} replicas wait for a node; {first.name}: {words}",
    )


def _serving(facts: StatusFacts) -> Leaf:
    ready, current = serving_now(facts)
    need = facts.min_replicas
    if current >= need > 0:
        return true(
            ConditionType.SERVING, reasons.SERVING, f"{count_of(current)} ready, {need} needed"
        )
    if not facts.replicas:
        return false(ConditionType.SERVING, reasons.NO_REPLICAS, f"0 of {count_of(need)} ready")
    failing = next((one for one in facts.replicas if one.view.state == "Failing"), None)
    if failing is not None:
        return false(
            ConditionType.SERVING,
            reasons.ENGINE_FAILING,
            f"replica {failing.name} {failing.message}",
        )
    if facts.rollout.outdated:
        waits = f": {facts.rollout.waiting}" if facts.rollout.waiting else ""
        return false(
            ConditionType.SERVING,
            reasons.ROLLING_OUT,
            f"{current} of {need} needed replicas are ready on the current inputs, {ready} on "
            f"any, {facts.rollout.outdated} to replace{waits}",
        )
    return _not_yet_serving(facts, f"{current} of {need} needed replicas ready")


def _not_yet_serving(facts: StatusFacts, ready: str) -> Leaf:
    """Only engines that start are worth waiting for."""
    if any(one.view.state == "Loading" for one in facts.replicas):
        return false(ConditionType.SERVING, reasons.LOADING, ready)
    pending = sum(one.view.state == "Pending" for one in facts.replicas)
    if pending:
        return false(
            ConditionType.SERVING, reasons.REPLICAS_PENDING, f"{ready}, {pending} without a node"
        )
    missing = facts.min_replicas - len(facts.replicas)
    if missing > 0:
        return false(ConditionType.SERVING, reasons.NO_REPLICAS, f"{ready}, {missing} not made yet")
    return false(ConditionType.SERVING, reasons.DRAINING, f"{ready}, the others leave")


def _scaling(facts: StatusFacts) -> Leaf:
    decision = facts.decision
    if decision is None:
        return _scaling_before(facts)
    if decision.reason == reasons.NOT_SCALING:
        return unknown(ConditionType.SCALING, reasons.NOT_SCALING, decision.message)
    if decision.reason in {reasons.METRICS_MISSING, reasons.SCALING_HELD}:
        return false(ConditionType.SCALING, decision.reason, decision.message)
    return true(ConditionType.SCALING, decision.reason, decision.message)


def _scaling_before(facts: StatusFacts) -> Leaf:
    """What was decided last, until a leader that just began has read the queues itself."""
    for one in facts.previous.conditions:
        decided = one.reason.listed and one.reason is not reasons.PENDING
        if one.type == ConditionType.SCALING and decided:
            return Leaf(ConditionType.SCALING, one.status, one.reason, one.message)
    return unknown(ConditionType.SCALING, reasons.NOT_SCALING, "no demand was read yet")
