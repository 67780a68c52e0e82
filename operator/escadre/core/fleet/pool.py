"""Free GPUs during one planning pass, and which node a replica takes them from.

core/fleet/plan.py fills it with what exists and takes from it. Nodes that are blocked or full are
never offered. The order among nodes is core/fleet/shelves.py's.
"""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from itertools import islice
from typing import Final

from escadre.core.counting import count
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.shelves import Rank, Shelves
from escadre.reasons.said import Amount, Said, joined, say

__all__ = ["GPUPool"]

_NAMED_NODES: Final = 8


class GPUPool:
    """Mutable inside one pass only; ``take`` is the only change."""

    def __init__(self, nodes: Iterable[NodeFacts], taken: Mapping[str, int]) -> None:
        self._nodes = {node.name: node for node in sorted(nodes, key=lambda node: node.name)}
        self._free = {
            name: max(0, node.gpus - node.gpus_foreign - taken.get(name, 0))
            for name, node in self._nodes.items()
        }
        self._shelves: dict[str, Shelves] = {}
        self._groups: dict[str, list[Shelves]] = {}  # further shelves that a node stands on
        for name, node in self._nodes.items():
            if not node.blocked:
                self._shelves.setdefault(node.product, Shelves()).put(self._rank(name), name)

    def renewed(self, taken: Mapping[str, int], nodes: Collection[NodeFacts] = ()) -> "GPUPool":
        """A pool of its own, without groups, in which that many GPUs of some nodes are taken.

        ``nodes`` are others than those of their names; how much of them is taken must be said too.
        """
        pool = copy(self)
        pool._own(nodes)  # noqa: SLF001 - a pool, just made
        for name in taken:
            node = pool.node(name)
            if node is not None:
                free = max(0, node.gpus - node.gpus_foreign - taken[name])
                pool.take(name, pool.free(name) - free)
        return pool

    def node(self, name: str | None) -> NodeFacts | None:
        """The node of that name, if it exists."""
        return None if name is None else self._nodes.get(name)

    def is_ready(self, name: str) -> bool:
        """Whether its agent can pull now."""
        node = self._nodes.get(name)
        return node is not None and node.agent_ready

    def free(self, name: str) -> int:
        """GPUs of the node that nothing takes."""
        return self._free[name]

    def take(self, name: str, gpus: int) -> None:
        """Takes GPUs of a node; the caller has seen that they are free."""
        old = self._rank(name)
        self._free[name] -= gpus
        new = self._rank(name)
        node = self._nodes[name]
        if not node.blocked and new != old:
            for shelves in (self._shelves[node.product], *self._groups.get(name, ())):
                shelves.move(name, old, new)

    def group(self, product: str, names: Iterable[str]) -> Shelves:
        """Shelves of those of the nodes that are open and have the product."""
        shelves = Shelves()
        for name in names:
            self.join(shelves, product, name)
        return shelves

    def join(self, shelves: Shelves, product: str, name: str) -> None:
        """One node more for a group that does not have it."""
        node = self._nodes.get(name)
        if node is not None and not node.blocked and node.product == product:
            shelves.put(self._rank(name), name)
            self._groups.setdefault(name, []).append(shelves)

    def best(
        self, product: str, gpus: int, within: Shelves | None, without: Collection[str]
    ) -> str | None:
        """The best node with that many free GPUs; ``within`` None means any of the product."""
        shelves = within or self._shelves.get(product)
        able = shelves.in_order(gpus) if shelves else ()
        return next((name for name in able if name not in without), None)

    def rooms(self, product: str, gpus: int) -> int:
        """How many replicas of that many GPUs there is room for."""
        shelves = self._shelves.get(product)
        return shelves.rooms(gpus) if shelves else 0

    def last_with_room(self, product: str, gpus: int, sizes: Iterable[int]) -> frozenset[str]:
        """Nodes that alone have room for one of the larger sizes, and less with ``gpus`` taken."""
        found: set[str] = set()
        shelves = self._shelves.get(product, Shelves())
        for size in sizes:
            if size > gpus:
                able = list(islice(shelves.in_order(size), 2))
                if len(able) == 1 and self._free[able[0]] - gpus < size:
                    found.update(able)
        return frozenset(found)

    def describe(self, product: str, gpus: int) -> Said:
        """What a replica needs and what there is, for the message of a refusal."""
        nodes = [name for name, node in self._nodes.items() if node.product == product]
        need = say(
            "needs {gpus} of {product} on one node",
            gpus=Amount(count(gpus, "free GPU")),
            product=product,
        )
        if not nodes:
            return joined("; ", [need, say("no node has that product")])
        free = say("free: {nodes}", nodes=Amount(self._most_free(nodes)))
        blocked = [name for name in nodes if self._nodes[name].blocked]
        closed = [say("closed: {nodes}", nodes=self._closed(blocked))] if blocked else []
        return joined("; ", [need, free, *closed])

    def _most_free(self, nodes: Sequence[str]) -> str:
        """Where the most is free: how much, and where that is, come and go together."""
        usable = [name for name in nodes if not self._nodes[name].blocked]
        most = heapq.nsmallest(_NAMED_NODES, usable, key=lambda name: (-self._free[name], name))
        parts = [f"{name}: {self._free[name]}" for name in most]
        if len(usable) > len(most):
            parts.append(f"{count(len(usable) - len(most), 'more node')} with fewer")
        return ", ".join(parts) or "none"

    def _closed(self, blocked: Sequence[str]) -> str:
        closed = [f"{name} ({self._nodes[name].blocked[:80]})" for name in blocked[:_NAMED_NODES]]
        if len(blocked) > len(closed):
            closed.append(f"{len(blocked) - len(closed)} more")
        return ", ".join(closed)

    def _own(self, nodes: Collection[NodeFacts]) -> None:
        self._free, self._groups = dict(self._free), {}
        self._shelves = {product: one.copy() for product, one in self._shelves.items()}
        if nodes:
            self._nodes = dict(self._nodes)
        for node in nodes:
            old = self._nodes[node.name]
            if not old.blocked:
                self._shelves[old.product].remove(self._rank(node.name), node.name)
            self._nodes[node.name] = node
            if not node.blocked:
                shelves = self._shelves.setdefault(node.product, Shelves())
                shelves.put(self._rank(node.name), node.name)

    def _rank(self, name: str) -> Rank:
        return (not self._nodes[name].agent_ready, self._free[name])
