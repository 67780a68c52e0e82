"""Finds a node for each slot: what replicas hold first, then by precedence from the pool.

The middle of core/fleet/plan.py's pass, which makes the drafts and reads the result. A layout that
finds a place becomes its deployment's only one; where none does, the best one waits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from escadre.api.deployment import Layout, RejectedLayout
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey, ReplicaFacts
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.pool import GPUPool
from escadre.reasons import Reason
from escadre.reasons.said import NOTHING, Said

__all__ = ["Draft", "Holders", "Rank", "Slot", "place_all", "reserve"]

Rank = tuple[int, float, str, str, int]


@dataclass(slots=True)
class Slot:
    """A slot while the pass decides. ``rank`` is its place in the order of precedence."""

    number: int
    rank: Rank
    replica: ReplicaFacts | None
    holds: bool = False  # its replica's GPUs are counted on its replica's node
    settled: bool = False
    layout: Layout | None = None
    node: str | None = None


@dataclass(slots=True)
class Draft:
    """A deployment while the pass decides. ``choices`` are layouts, best first."""

    facts: DeploymentFacts
    slots: list[Slot]
    choices: tuple[Layout, ...] = ()
    reason: Reason | None = None
    message: Said = NOTHING
    rejected: tuple[RejectedLayout, ...] = ()
    unplaced: list[Slot] = field(default_factory=list)


class Holders:
    """Where a digest is verified, on its way, or failed; grows as slots are placed."""

    def __init__(self, nodes: Iterable[NodeFacts]) -> None:
        self.verified: dict[str, set[str]] = {}
        self.coming: dict[str, set[str]] = {}
        self.failed: dict[str, set[str]] = {}
        for node in nodes:
            for digest in node.verified:
                self.verified.setdefault(digest, set()).add(node.name)
            for digest, state in node.weights.items():
                if state.state == "Failed":
                    self.failed.setdefault(digest, set()).add(node.name)
            for digest in {entry.manifest_digest for entry in node.wanted} | set(node.weights):
                self.coming.setdefault(digest, set()).add(node.name)

    def place(self, pool: GPUPool, digest: str, product: str, gpus: int) -> str | None:
        """The best node for a replica with these weights."""
        failed = self.failed.get(digest, frozenset[str]())
        verified = self.verified.get(digest, frozenset[str]())
        return (
            pool.best(product, gpus, verified, ())
            or pool.best(product, gpus, self.coming.get(digest, ()), failed)
            or pool.best(product, gpus, None, failed)
            or pool.best(product, gpus, failed, ())
        )


def reserve(
    facts: list[DeploymentFacts], nodes: Mapping[str, NodeFacts]
) -> tuple[frozenset[tuple[DeploymentKey, int]], dict[str, int]]:
    """GPUs that replicas hold, and which replicas stand: bound, or planned where they can go.

    A replica that is not bound loses its planned node when that is gone, closed to new pods, of
    another product, or given to others meanwhile.
    """
    taken: dict[str, int] = {}
    standing: set[tuple[DeploymentKey, int]] = set()
    unbound: list[tuple[DeploymentFacts, ReplicaFacts]] = []
    for one in facts:
        for replica in sorted(one.replicas, key=lambda replica: replica.slot):
            if replica.bound and replica.node is not None:
                taken[replica.node] = taken.get(replica.node, 0) + replica.gpus
                standing.add((one.key, replica.slot))
            else:
                unbound.append((one, replica))
    for one, replica in unbound:
        node = None if replica.node is None else nodes.get(replica.node)
        if node is None or node.blocked or node.product != replica.product:
            continue
        total = node.gpus_foreign + taken.get(node.name, 0) + replica.gpus
        if total <= node.gpus:
            taken[node.name] = taken.get(node.name, 0) + replica.gpus
            standing.add((one.key, replica.slot))
    return frozenset(standing), taken


def place_all(drafts: list[Draft], pool: GPUPool, weights: Holders) -> None:
    """Finds a node for every slot that has none, in the order of precedence."""
    pending = [
        (slot.rank, draft, slot)
        for draft in drafts
        if draft.choices
        for slot in draft.slots
        if not slot.settled
    ]
    pending.sort(key=lambda one: one[0])
    for _, draft, slot in pending:
        _place(draft, slot, pool, weights)


def _place(draft: Draft, slot: Slot, pool: GPUPool, weights: Holders) -> None:
    """The first layout with a place becomes the deployment's; with none, the best one waits."""
    model = draft.facts.model
    if model is None:
        return
    digest = model.manifest_digest
    for layout in draft.choices:
        name = _own_node(slot, layout, pool) or weights.place(
            pool, digest, layout.product, layout.gpus
        )
        if name is not None:
            held = _own_gpus(slot, name)
            pool.take(name, max(0, layout.gpus - held))
            weights.coming.setdefault(digest, set()).add(name)
            slot.layout, slot.node = layout, name
            if draft.choices != (layout,):
                draft.choices = (layout,)
            return
    slot.layout = draft.choices[0]
    draft.unplaced.append(slot)


def _own_node(slot: Slot, layout: Layout, pool: GPUPool) -> str | None:
    """The node of an outdated replica, when its replacement fits into the room it leaves."""
    replica = slot.replica
    node = None if replica is None else pool.node(replica.node)
    if node is None or node.blocked or node.product != layout.product:
        return None
    held = _own_gpus(slot, node.name)
    return node.name if held and pool.free(node.name) + held >= layout.gpus else None


def _own_gpus(slot: Slot, node: str) -> int:
    """GPUs that the slot's replica holds on that node."""
    replica = slot.replica
    if replica is None or not slot.holds or replica.node != node:
        return 0
    return replica.gpus
