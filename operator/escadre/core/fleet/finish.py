"""From a draft whose slots have their nodes to the plan of its deployment. Pure.

core/fleet/plan.py asks at the end of a pass.
"""

from collections.abc import Mapping
from typing import NamedTuple

from escadre import reasons
from escadre.api.deployment import WeightsOnNode
from escadre.core.counting import share
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.insufficient import Insufficient
from escadre.core.fleet.mirrorload import Place
from escadre.core.fleet.placement import Draft, Slot
from escadre.core.fleet.planned import DeploymentPlan, SlotPlan
from escadre.core.fleet.remaking import remade
from escadre.reasons.said import NOTHING, Amount, Said, plain, say

__all__ = ["Given", "finished"]


class Given(NamedTuple):
    """What every plan is finished with; replicas are ``at_home`` nowhere while a slot waits."""

    states: Mapping[Place, WeightsOnNode]
    insufficient: Insufficient
    at_home: Mapping[str, NodeFacts]


def finished(draft: Draft, given: Given, together: Said) -> DeploymentPlan:
    """What a deployment is told; ``together`` says why its replicas are on one node."""
    facts = draft.facts
    if facts.model is None or not draft.choices:
        slots = tuple(_as_recorded(slot, draft) for slot in draft.slots if slot.replica)
        layout = next((slot.layout for slot in slots if slot.layout is not None), None)
        if facts.model is not None:
            layout = None
        reason, message = draft.reason, draft.message
    else:
        layout, digest = draft.choices[0], facts.model.manifest_digest
        missing = given.insufficient.message(layout) if draft.unplaced else NOTHING
        slots = tuple(
            SlotPlan(slot.number, slot.node, slot.layout, digest, reasons.PLANNED, NOTHING)
            if slot.node is not None
            else SlotPlan(slot.number, None, layout, digest, reasons.INSUFFICIENT_GPUS, missing)
            for slot in draft.slots
        )
        reason, message = reasons.PLANNED, plain(layout.summary)
        if draft.unplaced:
            reason = reasons.INSUFFICIENT_GPUS
            message = say(
                "{homeless} have no node: {missing}",
                homeless=Amount(share(len(draft.unplaced), len(slots), "replica")),
                missing=missing,
            )
    places = {Place(slot.node, slot.manifest_digest) for slot in slots if slot.node is not None}
    return DeploymentPlan(
        facts,
        layout,
        reason,
        message,
        draft.rejected,
        slots,
        weights=tuple(given.states[one] for one in sorted(places) if one in given.states),
        together=together,
        without_override=draft.without_override,
        remade=frozenset() if together else remade(draft, given.at_home),
    )


def _as_recorded(slot: Slot, draft: Draft) -> SlotPlan:
    """An existing slot of a deployment for which nothing is planned: it stays as it is."""
    replica = slot.replica
    if replica is None:
        raise ValueError("only existing slots are recorded")
    return SlotPlan(
        slot.number,
        replica.node,
        replica.layout,
        replica.manifest_digest,
        draft.reason,
        draft.message,
    )
