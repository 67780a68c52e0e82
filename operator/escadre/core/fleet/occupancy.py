"""Who holds the GPUs at the end of a planning pass, for the message of a refusal. Pure.

"free: 0" alone does not say whom to ask. What replicas hold counts, and what slots were given in
this pass. Called by core/fleet/plan.py; core/replicas/relief.py counts in the same way.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from escadre.core.counting import count
from escadre.core.facts.deployment import ReplicaFacts
from escadre.core.facts.node import NodeFacts
from escadre.core.facts.seats import Seats
from escadre.core.fleet.placement import Draft
from escadre.reasons.said import Amount, Said, say

__all__ = ["Occupancy", "held_by"]

_NODES: Final = 4  # a message is read on a terminal; `escadre nodes` has all of them
_HOLDERS: Final = 4


class Occupancy:
    """GPUs by node and holder."""

    def __init__(self, drafts: Iterable[Draft], nodes: Mapping[str, NodeFacts]) -> None:
        self._nodes = nodes
        self._held: dict[str, dict[str, int]] = {}
        for draft in drafts:
            self._count(draft)

    def describe(self, product: str) -> Said | None:
        """Who holds the open nodes of a product, those with most in use first; None: nobody does.

        A closed node would be of no use if it were free, and is named as closed elsewhere.
        """
        used = {
            name: self._used(name)
            for name, node in self._nodes.items()
            if node.product == product and not node.blocked and self._used(name)
        }
        if not used:
            return None
        most = sorted(used, key=lambda name: (-used[name], name))
        parts = [self._words(name) for name in most[:_NODES]]
        if len(most) > _NODES:
            parts.append(f"{count(len(most) - _NODES, 'more node')}: escadre nodes")
        return say("{holders}", holders=Amount("; ".join(parts)))

    def _count(self, draft: Draft) -> None:
        key = draft.facts.key
        name = f"{key.namespace}/{key.name}"
        for seats in held_by(
            draft.facts.replicas, ((one.number, one.seats) for one in draft.slots)
        ):
            holders = self._held.setdefault(seats.node, {})
            holders[name] = holders.get(name, 0) + seats.gpus

    def _used(self, name: str) -> int:
        return sum(self._held.get(name, {}).values()) + self._nodes[name].gpus_foreign

    def _words(self, name: str) -> str:
        holders = dict(sorted(self._held.get(name, {}).items(), key=lambda one: (-one[1], one[0])))
        words = [f"{holder} ({gpus})" for holder, gpus in list(holders.items())[:_HOLDERS]]
        if len(holders) > _HOLDERS:
            words.append(f"{len(holders) - _HOLDERS} more")
        if self._nodes[name].gpus_foreign:
            words.append(f"other pods ({self._nodes[name].gpus_foreign})")
        held = f"{self._used(name)} of {self._nodes[name].gpus}"
        return f"{name}: {held} held by {', '.join(words)}"


def held_by(
    replicas: Iterable[ReplicaFacts], slots: Iterable[tuple[int, Seats | None]]
) -> list[Seats]:
    """What a deployment holds: where its replicas are bound, and what its slots were given.

    A slot that is planned anew on its replica's node holds the larger of the two.
    """
    held: dict[tuple[int, str], int] = {}
    bound = ((one.slot, one.seats) for one in replicas if one.bound)
    for number, seats in (*bound, *slots):
        if seats is not None:
            place = number, seats.node
            held[place] = max(held.get(place, 0), seats.gpus)
    return [Seats(node, gpus) for (_, node), gpus in held.items()]
