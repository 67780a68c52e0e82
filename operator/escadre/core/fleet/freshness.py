"""Whether a plan still stands: nothing is other than when it was made but what it brought about.

A plan carries the facts it was made for. The router asks here when something changed, and a pass
before it acts on a plan: where the answer is no, the fleet is planned anew. What is a fact of
planning is said once, by the fields of core/facts; there is no second list of them. Pure.
"""

from dataclasses import replace

from escadre import reasons
from escadre.core.facts.deployment import DeploymentFacts, ReplicaFacts
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.fleet.plan import DeploymentPlan, FleetPlan, SlotPlan

__all__ = ["edited", "node_stands", "stands"]


def stands(plan: DeploymentPlan, now: DeploymentFacts) -> bool:
    """Whether the plan of a deployment stands for what it is now."""
    then = plan.facts
    if then == now:
        return True
    if replace(then, replicas=()) != replace(now, replicas=()):
        return False
    before = {replica.slot: replica for replica in then.replicas}
    slots = {slot.slot: slot for slot in plan.slots}
    gone = before.keys() - {replica.slot for replica in now.replicas}
    # One that is gone left its GPUs to others, unless it is at once made again.
    return gone <= plan.remade and all(
        _foreseen(replica, before.get(replica.slot), slots.get(replica.slot))
        for replica in now.replicas
    )


def edited(then: DeploymentFacts, now: DeploymentFacts) -> bool:
    """Whether somebody wishes for something else by now, and waits for it."""
    return (then.wish, then.min_replicas) != (now.wish, now.min_replicas)


def _foreseen(now: ReplicaFacts, then: ReplicaFacts | None, slot: SlotPlan | None) -> bool:
    """Whether a replica is as it was or as the plan wants it; one that lost its node is neither.

    Nor is one that was replaced by another: it left its GPUs or its weights to whoever waits.
    """
    if now == then:
        return True
    if (
        (then is not None and _left(then, now))
        or slot is None
        or slot.layout is None
        or slot.reason != reasons.PLANNED
    ):
        return False  # slots that are only recorded were given no GPUs
    return now == ReplicaFacts(
        slot=slot.slot,
        node=slot.node,
        gpus=slot.layout.gpus,
        product=slot.layout.product,
        manifest_digest=slot.manifest_digest,
        wish_matches=True,
        layout=slot.layout,
        bound=now.bound,
    )


def _left(then: ReplicaFacts, now: ReplicaFacts) -> bool:
    held = (then.node, then.gpus, then.manifest_digest)
    return (then.bound and not now.bound) or held != (now.node, now.gpus, now.manifest_digest)


def node_stands(plan: FleetPlan, name: str, now: NodeFacts | Unused | None) -> bool:
    """Whether the plan stands for what a node is now; None: it has nothing to plan with."""
    then = plan.node_facts.get(name)
    if then is None or not isinstance(now, NodeFacts):
        unused = next((one for one in plan.made_for.unused if one.name == name), None)
        return now == (then or unused)
    if now.wanted not in (then.wanted, plan.nodes.get(name)):
        return False
    return then == replace(now, wanted=then.wanted)
