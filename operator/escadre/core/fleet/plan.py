"""Gives out GPUs, nodes and pulls over all deployments in one pass.

The controller calls it under its key ``fleet``, the only place where shared things are given out;
what replicas hold already is fixed input, so a healthy replica is never moved or planned anew
because nodes came or went. Pure and deterministic: the order of the input does not matter.

Order: the minReplicas of all deployments, older ones first; then further replicas one at a time
by turns. A slot goes where its weights are verified, else where they are wanted or pulled, else
where the pool says; a node where they failed comes last. An outdated replica is planned anew in
its own slot: its own GPUs count as free for its replacement, so a rollout needs no spare GPU.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from escadre import reasons
from escadre.api.deployment import Layout, RejectedLayout, WeightsOnNode
from escadre.api.gpunode import WantedWeights
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey, ReplicaFacts
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.model import ApprovedModel
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.fleet.occupancy import Occupancy
from escadre.core.fleet.placement import Draft, Holders, Rank, Slot, place_all, reserve
from escadre.core.fleet.pool import GPUPool
from escadre.core.fleet.pulls import Need, Place, plan_pulls
from escadre.core.fleet.uncounted import uncounted
from escadre.core.layouts.decisions import Layouts, products_of
from escadre.reasons import Reason
from escadre.reasons.said import NOTHING, Amount, Said, joined, plain, say

__all__ = ["DeploymentPlan", "FleetPlan", "SlotPlan", "plan_fleet"]


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """What one slot shall run, and where. ``node`` None: nowhere to go now."""

    slot: int
    node: str | None
    layout: Layout | None
    manifest_digest: str
    reason: Reason | None
    message: Said


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """Layout and slots of one deployment, and the ``facts`` that they were chosen for.

    Two are equal when they ask for the same, whatever they were made for.
    ``reason`` is Planned, InsufficientGPUs, a refusal of the layout, or None without an approval.
    ``rejected`` are today's, also when the layout was recorded on another day.
    ``slots`` holds every existing slot that is not leaving, then new ones up to the desired number.
    Without an approval or a layout existing slots are as recorded and there are no new ones.
    """

    facts: DeploymentFacts = field(compare=False)
    layout: Layout | None
    reason: Reason | None
    message: Said
    rejected: tuple[RejectedLayout, ...] = ()
    slots: tuple[SlotPlan, ...] = ()
    weights: tuple[WeightsOnNode, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The whole fleet: a plan per deployment, GPUNode.spec.weights per node.

    ``made_for`` is what was seen; ``node_facts`` the nodes of it by name.
    """

    deployments: Mapping[DeploymentKey, DeploymentPlan]
    nodes: Mapping[str, tuple[WantedWeights, ...]]
    made_for: FleetSnapshot = field(compare=False)
    node_facts: Mapping[str, NodeFacts] = field(compare=False)


def plan_fleet(snapshot: FleetSnapshot) -> FleetPlan:
    """Plans every deployment and node of the snapshot."""
    nodes = {node.name: node for node in sorted(snapshot.nodes, key=lambda node: node.name)}
    facts = sorted(snapshot.deployments, key=lambda one: (one.created, one.key))
    standing, taken = reserve(facts, nodes)
    pool = GPUPool(nodes.values(), taken)
    layouts = Layouts(products_of(nodes.values()), snapshot.gpu_memory_utilization_percent)
    closed = uncounted(snapshot.unused)
    drafts = [_draft(one, layouts, standing, closed) for one in facts]
    place_all(drafts, pool, Holders(nodes.values()))
    pulls = plan_pulls(nodes, snapshot.mirrors, _needs(drafts), _held(facts))
    insufficient = _Insufficient(pool, drafts, nodes, snapshot.unused)
    plans = {
        draft.facts.key: _finish(draft, pulls.states, insufficient)
        for draft in sorted(drafts, key=lambda draft: draft.facts.key)
    }
    return FleetPlan(plans, pulls.wanted, snapshot, nodes)


def _draft(
    facts: DeploymentFacts,
    layouts: Layouts,
    standing: frozenset[tuple[DeploymentKey, int]],
    closed: Said | None,
) -> Draft:
    draft = Draft(facts, _slots(facts))
    for slot in draft.slots:
        slot.holds = (facts.key, slot.number) in standing
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
    if settled:
        stays = settled[0]
        draft.choices = (stays,)
        draft.rejected = tuple(
            one
            for one in decision.rejected
            if (one.product, one.tensor_parallel_size) != (stays.product, stays.gpus)
        )
        return draft
    possible = tuple(one for one in homeless[:1] if layouts.has_room(one))
    draft.choices, draft.rejected = possible + decision.alternatives, decision.rejected
    if not draft.choices:
        lacks_gpus = decision.reason in {reasons.NO_GPU_NODES, reasons.NO_LAYOUT_FITS}
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


def _needs(drafts: list[Draft]) -> list[Need]:
    """Weights that slots need, by precedence; also where an outdated replica serves the same."""
    ranked: list[tuple[Rank, Need]] = []
    for draft in drafts:
        model = draft.facts.model
        if model is None:
            continue
        for slot in draft.slots:
            names = {slot.node}
            replica = slot.replica
            if (
                replica is not None
                and slot.holds
                and replica.manifest_digest == model.manifest_digest
            ):
                names.add(replica.node)
            ranked.extend(
                (slot.rank, Need(Place(name, model.manifest_digest), model, draft.facts.key))
                for name in sorted(name for name in names if name is not None)
            )
    return [need for _, need in sorted(ranked, key=lambda one: one[0])]


def _held(facts: list[DeploymentFacts]) -> dict[Place, set[DeploymentKey]]:
    """Where whose replicas are, bound or planned, with the weights they serve."""
    places: dict[Place, set[DeploymentKey]] = {}
    for one in facts:
        for replica in one.replicas:
            if replica.node is not None and replica.manifest_digest:  # "": its inputs are damaged
                place = Place(replica.node, replica.manifest_digest)
                places.setdefault(place, set()).add(one.key)
    return places


class _Insufficient:
    """Messages for slots without a node, made once per product and size."""

    def __init__(
        self,
        pool: GPUPool,
        drafts: list[Draft],
        nodes: Mapping[str, NodeFacts],
        unused: Sequence[Unused],
    ) -> None:
        self._pool, self._unused = pool, unused
        self._drafts, self._nodes = drafts, nodes
        self._occupancy: Occupancy | None = None
        self._messages: dict[tuple[str, int], Said] = {}

    def message(self, layout: Layout) -> Said:
        key = (layout.product, layout.gpus)
        if key not in self._messages:
            self._messages[key] = self._describe(layout)
        return self._messages[key]

    def _describe(self, layout: Layout) -> Said:
        """What is missing, who holds what there is, and what is not counted; when somebody asks."""
        self._occupancy = self._occupancy or Occupancy(self._drafts, self._nodes)
        missing = self._pool.describe(layout.product, layout.gpus)
        held = self._occupancy.describe(layout.product)
        closed = uncounted(self._unused, layout.product)
        return joined("; ", [missing, *(part for part in (held, closed) if part)])


def _finish(
    draft: Draft,
    states: Mapping[Place, WeightsOnNode],
    insufficient: _Insufficient,
) -> DeploymentPlan:
    facts = draft.facts
    if facts.model is None or not draft.choices:
        slots = tuple(_as_recorded(slot, draft) for slot in draft.slots if slot.replica)
        layout = next((slot.layout for slot in slots if slot.layout is not None), None)
        if facts.model is not None:
            layout = None
        reason, message = draft.reason, draft.message
    else:
        layout, digest = draft.choices[0], facts.model.manifest_digest
        missing = insufficient.message(layout) if draft.unplaced else NOTHING
        slots = tuple(
            SlotPlan(slot.number, slot.node, slot.layout, digest, reasons.PLANNED, NOTHING)
            if slot.node is not None
            else SlotPlan(slot.number, None, layout, digest, reasons.INSUFFICIENT_GPUS, missing)
            for slot in draft.slots
        )
        reason, message = reasons.PLANNED, plain(layout.summary)
        if draft.unplaced:
            reason = reasons.INSUFFICIENT_GPUS
            homeless = len(draft.unplaced)
            verb = "has" if homeless == 1 else "have"
            message = say(
                "{homeless} no node: {missing}",
                homeless=Amount(f"{homeless} of {len(slots)} replicas {verb}"),
                missing=missing,
            )
    places = {Place(slot.node, slot.manifest_digest) for slot in slots if slot.node is not None}
    weights = tuple(states[place] for place in sorted(places) if place in states)
    return DeploymentPlan(facts, layout, reason, message, draft.rejected, slots, weights)


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
