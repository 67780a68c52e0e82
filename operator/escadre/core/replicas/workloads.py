"""The steps of the replicas: each action of the rollout, and how its object can be written. Pure.

A replica that stays is written as it was made: its recorded template, never a new rendering of it,
so a new version of the operator restarts no engine.
"""

from collections.abc import Iterator

from escadre.core.facts.model import ApprovedModel
from escadre.core.fleet.plan import SlotPlan
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.existing import ChildrenFacts, ReplicaState
from escadre.core.replicas.rollout import Action, RolloutPlan
from escadre.core.replicas.steps import WORKLOAD_KIND, Damaged, Existing, Kept, Made, Pod, Step

__all__ = ["replica_steps"]


def replica_steps(facts: ChildrenFacts, rollout: RolloutPlan) -> Iterator[Step]:
    """In the order of the slots: the workload, then its pod's place in the Service."""
    existing = {one.view.slot: one for one in facts.replicas}
    slots = {slot.slot: slot for slot in facts.plan.slots}
    namespace = facts.plan.facts.key.namespace
    for action in rollout.actions:
        replica, slot = existing.get(action.slot), slots.get(action.slot)
        why = action.message or action.reason.name
        if action.verb in {"Create", "Replace"} and slot is not None:
            if slot.layout is not None:
                made = Made(slot.slot, slot.node, slot.layout, slot.manifest_digest)
                yield Step("Apply", made, why)
        elif replica is not None and action.verb == "Delete":
            gone = Existing(WORKLOAD_KIND, namespace, replica.name, replica.uid, action.slot)
            yield Step("Delete", gone, why)
        elif replica is not None:
            yield from _hold(action, replica, slot, facts.model)


def _hold(
    action: Action, replica: ReplicaState, slot: SlotPlan | None, model: ApprovedModel | None
) -> Iterator[Step]:
    """Keeps a replica as it was made; only what lies outside the template may change."""
    drain = None if action.verb == "Undrain" else (action.drain or replica.view.drain)
    why = action.message or action.reason.name
    if replica.readable and (replica.recorded or _can_render(replica, model)):
        node = _noted_node(replica, slot)
        kept = Kept(replica.view.slot, node, drain, "recorded" if replica.recorded else "rendered")
        yield Step("Apply", kept, why)
        yield from _label(replica, drain, why, follows=True)
        return
    # Damaged by hand, and what it was is not to be told: it is replaced when approved.
    if drain != replica.view.drain:
        yield Step("Note", Damaged(replica.view.slot, drain), why)
    yield from _label(replica, drain, why, follows=drain != replica.view.drain)


def _can_render(replica: ReplicaState, model: ApprovedModel | None) -> bool:
    """Whether its template can be made again: of the weights that the approval describes."""
    return (
        replica.layout_readable
        and model is not None
        and replica.view.digest == model.manifest_digest
    )


def _noted_node(replica: ReplicaState, slot: SlotPlan | None) -> str:
    """Where the replica is to be looked for while no pod of it is bound.

    A bound pod says itself where it is: the note then stays, if it names a node at all.
    """
    if replica.bound and replica.noted:
        return replica.noted
    planned = slot.node if slot is not None and replica.view.current else None
    return planned or replica.node


def _label(
    replica: ReplicaState, drain: Drain | None, why: str, *, follows: bool
) -> Iterator[Step]:
    """Takes the pod out of the Service, or puts it back."""
    serving = drain is None
    if replica.serving is not None and replica.serving != serving:
        yield Step("Label", Pod(replica.view.slot, serving), why, follows)
