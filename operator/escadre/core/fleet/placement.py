"""Finds a node for each slot: what replicas hold first, then by precedence from the pool.

The middle of core/fleet/plan.py's pass, which makes the drafts and reads the result. All replicas
of a deployment have one layout: the best of those that leave the fewest of them without a node.
Where no layout finds a place, the best one waits.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from escadre.api.deployment import Layout, RejectedLayout
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey, ReplicaFacts
from escadre.core.facts.seats import Seats, seats_on
from escadre.core.fleet.pool import GPUPool
from escadre.core.fleet.spread import Ask, Holders
from escadre.core.layouts.alternatives import NO_LAYOUTS, Alternatives, Size
from escadre.reasons import Reason
from escadre.reasons.said import NOTHING, Said

__all__ = [
    "Draft",
    "Rank",
    "Slot",
    "Standing",
    "ask_of",
    "bound_gpus",
    "claim",
    "place_all",
]

_NOTHING_TAKEN: Final[Mapping[str, int]] = MappingProxyType({})

Rank = tuple[int, float, str, str, int]
Standing = frozenset[tuple[DeploymentKey, int]]  # slots whose replicas hold their GPUs


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

    @property
    def seats(self) -> Seats | None:
        """What it was given in this pass, None so far."""
        return seats_on(self.node, self.layout.gpus) if self.layout else None


@dataclass(slots=True)
class Draft:
    """A deployment while the pass decides. ``choices`` are layouts, best first.

    ``possible`` are those that today's wish allows for, whatever runs.
    """

    facts: DeploymentFacts
    slots: list[Slot]
    choices: Alternatives = NO_LAYOUTS
    possible: Alternatives = NO_LAYOUTS
    reason: Reason | None = None
    message: Said = NOTHING
    rejected: tuple[RejectedLayout, ...] = ()
    without_override: str = ""
    unplaced: list[Slot] = field(default_factory=list)

    @property
    def sizes(self) -> set[Size]:
        """Of which products its possible layouts take how many GPUs."""
        return set(self.possible.sizes)

    @property
    def steady(self) -> bool:
        """Whether it is the same in every pass, whatever others ask for and however nodes are."""
        return all(one.bound for one in self.facts.replicas) and not (
            self.choices and any(not slot.settled for slot in self.slots)
        )


def bound_gpus(facts: Iterable[DeploymentFacts]) -> Iterator[tuple[str, int]]:
    """GPUs that bound replicas hold, whatever is planned."""
    for one in facts:
        for replica in one.replicas:
            if replica.bound and (seats := replica.seats):
                yield seats.node, seats.gpus


def claim(facts: Iterable[DeploymentFacts], pool: GPUPool) -> Standing:
    """Takes GPUs for replicas that are planned where they can still go; says which.

    A replica that is not bound loses its planned node when that is gone, closed to new pods, of
    another product, or given to others meanwhile. The first in ``facts`` come first.
    """
    standing: set[tuple[DeploymentKey, int]] = set()
    for one in facts:
        for replica in sorted(one.replicas, key=lambda replica: replica.slot):
            node = None if replica.bound else pool.node(replica.node)
            if node is None or node.blocked or node.product != replica.product:
                continue
            if replica.gpus <= pool.free(node.name):
                pool.take(node.name, replica.gpus)
                standing.add((one.key, replica.slot))
    return frozenset(standing)


def place_all(
    drafts: Iterable[Draft], pool: GPUPool, weights: Holders, sizes: Mapping[str, tuple[int, ...]]
) -> None:
    """Finds a node for every slot that has none, in order of precedence; see `Ask.sizes`."""
    pending = [
        (slot.rank, draft, slot)
        for draft in drafts
        if draft.choices
        for slot in draft.slots
        if not slot.settled
    ]
    pending.sort(key=lambda one: one[0])
    for _, draft, slot in pending:
        _place(draft, slot, pool, weights, sizes)


def ask_of(draft: Draft, layout: Layout, sizes: Mapping[str, tuple[int, ...]], but: int) -> Ask:
    """What a replica asks for; the other slots of its deployment are where it is better not."""
    others = (slot for slot in draft.slots if slot.number != but)
    return Ask(
        digest=draft.facts.model.manifest_digest if draft.facts.model else "",
        product=layout.product,
        gpus=layout.gpus,
        others=frozenset(name for slot in others if (name := _where(slot)) is not None),
        sizes=sizes.get(layout.product, ()),
    )


def _where(slot: Slot) -> str | None:
    """Where a slot is: placed, or served by what it is to replace."""
    return slot.node or (slot.replica.node if slot.replica and slot.holds else None)


def _place(
    draft: Draft,
    slot: Slot,
    pool: GPUPool,
    weights: Holders,
    sizes: Mapping[str, tuple[int, ...]],
) -> None:
    if len(draft.choices) > 1:
        _choose(draft, pool)
    slot.layout = layout = draft.choices[0]
    ask = ask_of(draft, layout, sizes, slot.number)
    name = _own_node(slot, (layout.product, layout.gpus), pool) or weights.place(pool, ask)
    if name is None:
        draft.unplaced.append(slot)
        return
    pool.take(name, max(0, layout.gpus - _own_gpus(slot, name)))
    weights.come(pool, ask, name)
    slot.node = name


def _choose(draft: Draft, pool: GPUPool) -> None:
    """The first of the layouts with most room becomes the only one; without room all stay."""
    waiting = [slot for slot in draft.slots if not slot.settled]
    best, most = 0, 0
    for number, size in enumerate(draft.choices.sizes):
        found = _housed(waiting, size, pool)
        if found > most:
            best, most = number, found
        if most == len(waiting):
            break
    if most:
        draft.choices = Alternatives.of((draft.choices[best],))


def _housed(slots: list[Slot], size: Size, pool: GPUPool) -> int:
    """How many of the slots find a node with that many GPUs, some where their replicas are."""
    product, gpus = size
    rooms, own = pool.rooms(product, gpus), 0
    left: dict[str, int] = {}
    for slot in slots:
        name = _own_node(slot, size, pool, left)
        if name is not None:
            free = left.get(name, pool.free(name))
            left[name] = free - max(0, gpus - _own_gpus(slot, name))
            rooms -= free // gpus - left[name] // gpus
            own += 1
    return own + min(rooms, len(slots) - own)


def _own_node(
    slot: Slot, size: Size, pool: GPUPool, left: Mapping[str, int] = _NOTHING_TAKEN
) -> str | None:
    """The node of an outdated replica, when its replacement fits into the room it leaves.

    ``left`` are GPUs of nodes that are fewer than in the pool.
    """
    product, gpus = size
    replica = slot.replica
    node = None if replica is None else pool.node(replica.node)
    if node is None or node.blocked or node.product != product:
        return None
    held = _own_gpus(slot, node.name)
    return node.name if held and left.get(node.name, pool.free(node.name)) + held >= gpus else None


def _own_gpus(slot: Slot, node: str) -> int:
    """GPUs that the slot's replica holds on that node."""
    replica = slot.replica
    if replica is None or not slot.holds or replica.node != node:
        return 0
    return replica.gpus
