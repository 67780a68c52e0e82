"""Gives out GPUs, nodes and pulls over all deployments in one pass.

The controller calls it under its key ``fleet``, the only place where shared things are given out;
what replicas hold already is fixed input, so a healthy replica is never moved or planned anew
because nodes came or went. Pure and deterministic: the order of the input does not matter.

Order: the minReplicas of all deployments, older ones first; then further replicas one at a time
by turns. A slot goes where its weights are verified, else where they are wanted or pulled, else
where the pool says; a node where they failed comes last. Replicas of one deployment are kept
apart where that leaves nobody without a place (core/fleet/spread.py). An outdated replica is
planned anew in its own slot: its own GPUs count as free for its replacement, so a rollout needs no
spare GPU.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from escadre import reasons
from escadre.api.deployment import Layout, RejectedLayout, WeightsOnNode
from escadre.api.gpunode import MirrorSource, WantedWeights
from escadre.core.counting import share
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.facts.seats import Seats, seats_on
from escadre.core.fleet.drafts import draft_of
from escadre.core.fleet.insufficient import Insufficient
from escadre.core.fleet.placement import (
    Draft,
    Rank,
    Slot,
    ask_of,
    larger_sizes,
    place_all,
    reserve,
)
from escadre.core.fleet.pool import GPUPool
from escadre.core.fleet.pulls import Need, Place, plan_pulls
from escadre.core.fleet.remaking import remade
from escadre.core.fleet.spread import Holders
from escadre.core.fleet.uncounted import uncounted
from escadre.core.layouts.decisions import Layouts, products_of
from escadre.reasons import Reason
from escadre.reasons.said import NOTHING, Amount, Said, plain, say

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

    @property
    def seats(self) -> Seats | None:
        """What it was given, None without a node or a layout."""
        return seats_on(self.node, self.layout.gpus) if self.layout else None


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """Layout and slots of one deployment, and the ``facts`` that they were chosen for.

    Two are equal when they ask for the same, whatever they were made for.
    ``reason`` is Planned, InsufficientGPUs, a refusal of the layout, or None without an approval.
    ``rejected`` and ``without_override`` are today's, also with a layout of another day.
    ``slots`` holds every existing slot that is not leaving, then new ones up to the desired number.
    Without an approval or a layout existing slots are as recorded and there are no new ones.
    ``together`` says why all of several replicas are on one node, nothing where they are not.
    ``remade`` are slots that may be made again as they were, should their replica be gone.
    """

    facts: DeploymentFacts = field(compare=False)
    layout: Layout | None
    reason: Reason | None
    message: Said
    rejected: tuple[RejectedLayout, ...] = ()
    slots: tuple[SlotPlan, ...] = ()
    weights: tuple[WeightsOnNode, ...] = ()
    together: Said = NOTHING
    without_override: str = ""
    remade: frozenset[int] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The whole fleet: a plan per deployment, weights and mirrors of GPUNode.spec per node.

    ``made_for`` is what was seen; ``node_facts`` the nodes of it by name.
    """

    deployments: Mapping[DeploymentKey, DeploymentPlan]
    nodes: Mapping[str, tuple[WantedWeights, ...]]
    mirrors: Mapping[str, tuple[MirrorSource, ...]]
    made_for: FleetSnapshot = field(compare=False)
    node_facts: Mapping[str, NodeFacts] = field(compare=False)


def plan_fleet(snapshot: FleetSnapshot) -> FleetPlan:
    """Plans every deployment and node of the snapshot."""
    nodes = {node.name: node for node in sorted(snapshot.nodes, key=lambda node: node.name)}
    facts = sorted(snapshot.deployments, key=lambda one: (one.created, one.key))
    percent = snapshot.gpu_memory_utilization_percent
    layouts = Layouts(products_of(nodes.values()), percent, snapshot.profile)
    placed = _placed(facts, nodes, layouts, uncounted([*snapshot.unused, *_unfit(nodes)]))
    drafts = placed.drafts
    pulls = plan_pulls(
        nodes, snapshot.mirrors, _needs(drafts), _held(facts), snapshot.invalid_mirrors
    )
    given = _Given(
        pulls.states,
        Insufficient(placed.pool, drafts, nodes, snapshot.unused),
        {} if any(draft.unplaced for draft in drafts) else nodes,
    )
    plans = {
        draft.facts.key: _finish(draft, given, _together(draft, placed))
        for draft in sorted(drafts, key=lambda draft: draft.facts.key)
    }
    return FleetPlan(plans, pulls.wanted, pulls.mirrors, snapshot, nodes)


def _unfit(nodes: Mapping[str, NodeFacts]) -> Iterator[Unused]:
    return (Unused(one.name, one.product, one.blocked) for one in nodes.values() if one.unfit)


class _Placed(NamedTuple):
    """Drafts whose slots have their nodes, and what that was decided with."""

    drafts: list[Draft]
    pool: GPUPool
    weights: Holders
    sizes: Mapping[str, tuple[int, ...]]


def _placed(
    facts: list[DeploymentFacts],
    nodes: Mapping[str, NodeFacts],
    layouts: Layouts,
    closed: Said | None,
) -> _Placed:
    """A node for every slot; packed as tightly as can be where that places one more."""
    standing, taken = reserve(facts, nodes)

    def place(*, spreads: bool) -> _Placed:
        drafts = [draft_of(one, layouts, standing, closed) for one in facts]
        sizes = larger_sizes(drafts)
        pool, weights = GPUPool(nodes.values(), taken), Holders(nodes.values(), spreads=spreads)
        place_all(drafts, pool, weights, sizes)
        return _Placed(drafts, pool, weights, sizes)

    spread = place(spreads=True)
    homeless = _homeless(spread.drafts)
    if not homeless or not spread.weights.spread:
        return spread
    packed = place(spreads=False)
    return packed if homeless - _homeless(packed.drafts) else spread


def _homeless(drafts: list[Draft]) -> set[tuple[DeploymentKey, int]]:
    return {(draft.facts.key, slot.number) for draft in drafts for slot in draft.unplaced}


def _together(draft: Draft, placed: _Placed) -> Said:
    taken = [slot.node for slot in draft.slots if slot.node is not None]
    node = taken[0] if taken else None
    if node is None or len(taken) < 2 or set(taken) != {node}:  # noqa: PLR2004 - more than one
        return NOTHING
    ask = ask_of(draft, draft.choices[0], placed.sizes, but=-1)
    if not placed.weights.spreads and not all(slot.settled for slot in draft.slots):
        why = say("apart they would leave another replica without a node")
    else:
        why = placed.weights.why_together(placed.pool, ask, node)
    number = Amount("both replicas" if len(taken) == 2 else f"all {len(taken)} replicas")  # noqa: PLR2004
    return say("{number} on node {node}: {why}", number=number, node=node, why=why)


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


class _Given(NamedTuple):
    """What every plan is finished with; replicas are ``at_home`` nowhere while a slot waits."""

    states: Mapping[Place, WeightsOnNode]
    insufficient: Insufficient
    at_home: Mapping[str, NodeFacts]


def _finish(draft: Draft, given: _Given, together: Said) -> DeploymentPlan:
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
