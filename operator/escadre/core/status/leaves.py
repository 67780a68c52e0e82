"""The leaf conditions of a ModelDeployment: one for each link from approval to scaling.

Each False names the blocking object, the numbers and what is awaited. Pure.
"""

from collections.abc import Sequence
from typing import Final

from escadre import reasons
from escadre.api.deployment import Layout, RejectedLayout, WeightsOnNode
from escadre.core.counting import count, share
from escadre.core.durations import duration
from escadre.core.listing import listed
from escadre.core.status.conditions import Leaf, false, true, unknown
from escadre.core.status.engine import engine_leaves
from escadre.core.status.facts import StatusFacts, count_of, serving_now, share_of
from escadre.core.status.unplaced import scheduled_leaf, unplaced
from escadre.names import ConditionType
from escadre.reasons import Reason
from escadre.reasons.said import NOTHING, Amount, Said, joined, plain, say

__all__ = ["leaves_of", "weights_leaf"]

_GIGABYTE: Final = 10**9
_MEGABYTE: Final = 10**6
_UNDECIDED: Final = (reasons.PENDING, reasons.INVALID_SPEC)
_WORST_STATES: Final = ("Failed", "Queued", "Wanted", "Pulling", "Verified")


def leaves_of(facts: StatusFacts) -> list[Leaf]:
    """All of them, in the order of the chain; what engines say of themselves comes last."""
    return [
        _approved(facts),
        _planned(facts),
        _weights(facts),
        scheduled_leaf(facts),
        _serving(facts),
        _scaling(facts),
        *engine_leaves(facts.engine, facts.previous),
    ]


def _approved(facts: StatusFacts) -> Leaf:
    if facts.approved:
        return true(ConditionType.APPROVED, reasons.APPROVED, plain(facts.approval_message))
    return false(ConditionType.APPROVED, facts.approval_reason, plain(facts.approval_message))


def _planned(facts: StatusFacts) -> Leaf:
    plan = facts.plan
    if not facts.approved and not facts.replicas:
        return _unapproved(facts, say("waits for an approval that holds"))
    if plan is None:
        return unknown(
            ConditionType.PLANNED, reasons.PENDING, say("no planning pass saw this deployment yet")
        )
    if plan.reason and plan.reason != reasons.PLANNED:
        message = plan.message or _first_rejection(plan.rejected)
        return false(ConditionType.PLANNED, plan.reason, message)
    layout = plan.layout
    if layout is None:
        return _unapproved(facts, say("no layout while the approval waits"))
    words = [_capacity(layout)]
    if plan.without_override:
        words.append(say("without spec.layout: {layout}", layout=plan.without_override))
    if plan.together:
        words.append(plan.together)
    told = joined("; ", words) if words[1:] else words[0]
    return true(ConditionType.PLANNED, reasons.PLANNED, told)


def _unapproved(facts: StatusFacts, waits: Said) -> Leaf:
    """Nothing is planned for want of an approval, or of a spec that says which one."""
    words = say("nothing is planned: the spec cannot be read") if facts.unread else waits
    return unknown(ConditionType.PLANNED, facts.approval_reason, words)


def _capacity(layout: Layout) -> Said:
    capacity = layout.capacity
    return say(
        "{layout}: cache for {tokens:,} tokens a replica ({needed:,} needed), {longest} "
        "of {length:,} tokens or {usual:,} of {typical:,} at once",
        layout=layout.summary,
        tokens=capacity.key_value_tokens,
        needed=capacity.required_tokens,
        longest=Amount(count(capacity.full_length_requests, "request")),
        length=layout.max_model_len,
        usual=capacity.typical_requests,
        typical=layout.typical_tokens,
    )


def _first_rejection(rejected: Sequence[RejectedLayout]) -> Said:
    return plain(rejected[0].message) if rejected else NOTHING


def _weights(facts: StatusFacts) -> Leaf:
    if facts.unread:
        words = say("which weights it asks for is not known: the spec cannot be read")
        return unknown(ConditionType.WEIGHTS_READY, reasons.INVALID_SPEC, words)
    return weights_leaf(_wished_weights(facts))


def _wished_weights(facts: StatusFacts) -> list[WeightsOnNode]:
    """Those that the spec asks for: what still serves was verified when it was made."""
    weights = facts.plan.weights if facts.plan else ()
    wished = facts.model.manifest_digest if facts.model else ""
    return [one for one in weights if one.manifest_digest == wished]


def weights_leaf(wanted: Sequence[WeightsOnNode]) -> Leaf:
    """WeightsReady of the nodes that are planned; the command line words newer numbers with it."""
    if not wanted:
        return unknown(
            ConditionType.WEIGHTS_READY, reasons.WEIGHTS_WAITING, say("no node is planned yet")
        )
    missing = [one for one in wanted if one.state != "Verified"]
    if not missing:
        nodes = sorted({one.node for one in wanted})
        return true(
            ConditionType.WEIGHTS_READY,
            reasons.WEIGHTS_VERIFIED,
            say("verified on {nodes}", nodes=listed(nodes, 8)),
        )
    worst = min(missing, key=_weight_rank)
    words = _weight_words(worst)
    if len(wanted) > 1:
        words = say(
            "{worst} ({waiting} wait)",
            worst=words,
            waiting=Amount(share(len(missing), len(wanted), "node")),
        )
    return false(ConditionType.WEIGHTS_READY, worst.reason or _weight_reason(worst), words)


def _weight_rank(one: WeightsOnNode) -> tuple[int, str]:
    return _WORST_STATES.index(one.state), one.node


def _weight_reason(one: WeightsOnNode) -> Reason:
    return reasons.PULL_QUEUED if one.state == "Queued" else reasons.PULLING


def _weight_words(one: WeightsOnNode) -> Said:
    mirror = one.mirror or "-"
    if one.state == "Failed" or (one.message and one.state == "Queued"):
        return say("node {node}: {words}", node=one.node, words=one.message or "the pull failed")
    if one.state == "Queued":
        return say(
            "node {node} waits for a free pull of mirror {mirror}", node=one.node, mirror=mirror
        )
    if one.message and (one.state == "Wanted" or not one.bytes_total):
        return say("node {node}: {words}", node=one.node, words=one.message)
    if one.state == "Wanted" or not one.bytes_total:
        return say(
            "node {node}: the agent was told to pull from mirror {mirror}",
            node=one.node,
            mirror=mirror,
        )
    if one.message and not one.bytes_per_second:
        return say(
            "node {node} pulled {done} ({percent} %): {words}",
            node=one.node,
            done=_share(one),
            percent=100 * one.bytes_done // one.bytes_total,
            words=one.message,
        )
    return say(
        "node {node} pulled {done} ({percent} %) from mirror {mirror} at {pace}",
        node=one.node,
        done=_share(one),
        percent=100 * one.bytes_done // one.bytes_total,
        mirror=mirror,
        pace=_pace(one),
    )


def _share(one: WeightsOnNode) -> Amount:
    scale, unit = (_GIGABYTE, "GB") if one.bytes_total >= 10 * _GIGABYTE else (_MEGABYTE, "MB")
    return Amount(f"{one.bytes_done / scale:,.0f} of {one.bytes_total / scale:,.0f} {unit}")


def _pace(one: WeightsOnNode) -> Amount:
    eta = f", {duration(one.eta_seconds)} left" if one.eta_seconds is not None else ""
    return Amount(f"{one.bytes_per_second / _MEGABYTE:,.0f} MB/s{eta}")


def _serving(facts: StatusFacts) -> Leaf:
    ready, current = serving_now(facts)
    need = facts.min_replicas
    if current >= need > 0:
        return true(
            ConditionType.SERVING,
            reasons.SERVING,
            say("{ready} ready, {need} needed", ready=count_of(current), need=need),
        )
    if not facts.approved and ready > current:
        words = say(
            "still serving: {ready} of before; what the spec asks for now is not carried out",
            ready=count_of(ready - current),
        )
        return false(ConditionType.SERVING, facts.approval_reason, words)
    if not facts.replicas:
        none = say("{none} ready", none=share_of(0, need))
        return false(ConditionType.SERVING, reasons.NO_REPLICAS, none)
    failing = next((one for one in facts.replicas if one.view.state == "Failing"), None)
    if failing is not None:
        return false(
            ConditionType.SERVING,
            reasons.ENGINE_FAILING,
            say("replica {name} {words}", name=failing.name, words=failing.message),
        )
    lost = next((one for one in facts.replicas if one.hindered == reasons.NODE_LOST), None)
    if lost is not None:
        words = say("replica {name}: {words}", name=lost.name, words=lost.message)
        return false(ConditionType.SERVING, reasons.NODE_LOST, words)
    silent = next((one for one in facts.replicas if one.view.state == "NotResponding"), None)
    if silent is not None:
        return false(
            ConditionType.SERVING,
            silent.hindered or reasons.NOT_RESPONDING,
            say("replica {name} {words}", name=silent.name, words=silent.message),
        )
    if facts.rollout.outdated:
        why = facts.rollout.reason
        return false(ConditionType.SERVING, why, _rolling(facts, ready, current))
    return _not_yet_serving(
        facts,
        say("{current} of {need} needed replicas ready", current=current, need=need),
    )


def _rolling(facts: StatusFacts, ready: int, current: int) -> Said:
    counted = say(
        "{current} of {need} needed replicas are ready on the current inputs, {ready} on any, "
        "{outdated} to replace",
        current=current,
        need=facts.min_replicas,
        ready=ready,
        outdated=facts.rollout.outdated,
    )
    waiting = facts.rollout.waiting
    return joined(": ", [counted, waiting]) if waiting else counted


def _not_yet_serving(facts: StatusFacts, ready: Said) -> Leaf:
    """Only engines that start are worth waiting for."""
    if any(one.view.state == "Loading" for one in facts.replicas):
        return false(ConditionType.SERVING, reasons.LOADING, ready)
    pending = [one for one in facts.replicas if one.view.state == "Pending"]
    if pending:
        words = say("{ready}, {pending} without a node", ready=ready, pending=len(pending))
        return false(ConditionType.SERVING, unplaced(facts, pending)[0], words)
    missing = facts.min_replicas - len(facts.replicas)
    if missing > 0:
        words = say("{ready}, {missing} not made yet", ready=ready, missing=missing)
        return false(ConditionType.SERVING, reasons.NO_REPLICAS, words)
    return false(
        ConditionType.SERVING, reasons.DRAINING, say("{ready}, the others leave", ready=ready)
    )


def _scaling(facts: StatusFacts) -> Leaf:
    decision = facts.decision
    if facts.unread:
        words = say("the number stays as it is, and no queue is read: the spec cannot be read")
        return unknown(ConditionType.SCALING, reasons.INVALID_SPEC, words)
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
        decided = one.reason.listed and one.reason not in _UNDECIDED
        if one.type == ConditionType.SCALING and decided:
            return Leaf(ConditionType.SCALING, one.status, one.reason, plain(one.message))
    return unknown(ConditionType.SCALING, reasons.NOT_SCALING, say("no demand was read yet"))
