"""What it would bring if a replica left its node, for the choice among those alike. Pure.

Planning has two wishes: that a closed node empties, for what runs there has to go elsewhere sooner
or later; and room on one node for a replica that waits for GPUs, which a GPU here and a GPU there
are not. state/gather.py asks when there are more replicas than are wanted, with the last plan;
core/replicas/victims.py chooses.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from escadre import reasons
from escadre.core.facts.seats import Seats
from escadre.core.fleet.occupancy import held_by
from escadre.core.fleet.plan import FleetPlan

__all__ = ["NO_RELIEF", "Relief", "relief_of"]


class Relief(NamedTuple):
    """The greater, the more it helps.

    ``closed``: its node takes nothing new. ``gpus``: of the largest replica that waits and would
    have room on the node then.
    """

    closed: bool = False
    gpus: int = 0


NO_RELIEF = Relief()


def relief_of(plan: FleetPlan | None, seats: Iterable[Seats | None]) -> list[Relief]:
    """For each of some replicas, one for one; without a plan or a place nothing is known."""
    places = list(seats)
    if plan is None:
        return [NO_RELIEF] * len(places)
    waiting = sorted(set(_waiting(plan)))
    held = _held(plan, {one.node for one in places if one}) if waiting else Counter[str]()
    return [_relief(plan, held, waiting, one) for one in places]


def _relief(
    plan: FleetPlan, held: Counter[str], waiting: Iterable[tuple[int, str]], one: Seats | None
) -> Relief:
    node = plan.node_facts.get(one.node) if one else None
    if one is None or node is None:
        return NO_RELIEF
    if node.blocked:
        return Relief(closed=True)
    free = node.gpus - node.gpus_foreign - held[one.node]
    fits = (
        gpus
        for gpus, product in waiting
        if product == node.product and free < gpus <= free + one.gpus
    )
    return Relief(gpus=max(fits, default=0))


def _waiting(plan: FleetPlan) -> Iterator[tuple[int, str]]:
    """GPUs and product of each slot that has no node for want of them."""
    for one in plan.deployments.values():
        for slot in one.slots:
            if slot.reason == reasons.INSUFFICIENT_GPUS and slot.node is None and slot.layout:
                yield slot.layout.gpus, slot.layout.product


def _held(plan: FleetPlan, nodes: AbstractSet[str]) -> Counter[str]:
    """GPUs of these nodes that replicas have or are given."""
    held = Counter[str]()
    for one in plan.deployments.values():
        for seats in held_by(one.facts.replicas, ((slot.slot, slot.seats) for slot in one.slots)):
            if seats.node in nodes:
                held[seats.node] += seats.gpus
    return held
