"""What a deployment asks for before a planning pass gives anything out: slots, ranks and layouts.

core/fleet/plan.py makes a draft of each deployment, with the slots that stand; where others go is
core/fleet/placement.py's. A slot whose replica stands on today's inputs is settled here. Pure.
"""

from typing import Final

from escadre import reasons
from escadre.api.deployment import Layout
from escadre.core.engines.shape import shape_of
from escadre.core.facts.deployment import DeploymentFacts, ReplicaFacts
from escadre.core.facts.model import ApprovedModel
from escadre.core.fleet.placement import Draft, Rank, Slot, Standing
from escadre.core.layouts.alternatives import Alternatives
from escadre.core.layouts.decisions import Layouts
from escadre.reasons.said import Said, joined, plain

__all__ = ["draft_of"]

_LACKS_GPUS: Final = frozenset(
    {reasons.NO_GPU_NODES, reasons.NO_LAYOUT_FITS, reasons.LAYOUT_OVERRIDE_REFUSED}
)


def draft_of(
    facts: DeploymentFacts,
    layouts: Layouts,
    standing: Standing,
    closed: Said | None,
) -> Draft:
    """What a deployment asks for: its slots, those that stay as they are, and its layouts.

    ``standing`` are those that are not bound yet and can go where they are planned. ``closed`` is
    told where no layout is possible: which nodes are not planned with.
    """
    draft = Draft(facts, _slots(facts))
    for slot in draft.slots:
        one = slot.replica
        bound = one is not None and one.bound and one.node is not None
        slot.holds = bound or (facts.key, slot.number) in standing
    model = facts.model
    if model is None:
        return draft
    settled: list[Layout] = []
    homeless: list[Layout] = []
    for slot in draft.slots:
        layout = _kept_layout(slot.replica, model)
        if layout is None or slot.replica is None:
            continue
        if slot.holds:
            slot.layout, slot.node, slot.settled = layout, slot.replica.node, True
            settled.append(layout)
        else:
            homeless.append(layout)
    decision = layouts.decide(model, facts.wish)
    draft.possible, draft.without_override = decision.alternatives, decision.without_override
    if settled:
        stays = settled[0]
        draft.choices = Alternatives.of((stays,))
        shape = shape_of(stays)
        draft.rejected = tuple(
            one
            for one in decision.rejected
            if one.product != stays.product or shape_of(one) != shape
        )
        return draft
    draft.choices, draft.rejected = decision.alternatives, decision.rejected
    if homeless and layouts.has_room(homeless[0]):
        draft.choices = draft.choices.after(homeless[0])
    if not draft.choices:
        lacks_gpus = decision.reason in _LACKS_GPUS
        parts = [plain(decision.message), *([closed] if closed and lacks_gpus else [])]
        draft.reason, draft.message = decision.reason, joined("; ", parts)
    return draft


def _slots(facts: DeploymentFacts) -> list[Slot]:
    """Existing slots that stay, then the lowest free numbers up to the desired number."""
    staying = sorted(
        (one for one in facts.replicas if not one.leaving), key=lambda replica: replica.slot
    )
    used = {replica.slot for replica in facts.replicas}
    numbers: list[tuple[int, ReplicaFacts | None]] = [(one.slot, one) for one in staying]
    number = 0
    while len(numbers) < facts.desired and facts.model is not None:
        if number not in used:
            numbers.append((number, None))
        number += 1
    return [
        Slot(number, _precedence(facts, position), replica)
        for position, (number, replica) in enumerate(numbers)
    ]


def _precedence(facts: DeploymentFacts, position: int) -> Rank:
    key = facts.key
    if position < facts.min_replicas:
        return (0, facts.created, key.namespace, key.name, position)
    return (1, float(position - facts.min_replicas), key.namespace, key.name, position)


def _kept_layout(replica: ReplicaFacts | None, model: ApprovedModel) -> Layout | None:
    if replica is None or not replica.wish_matches:
        return None
    if replica.manifest_digest != model.manifest_digest:
        return None
    return replica.layout
