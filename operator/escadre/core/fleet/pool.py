"""Free GPUs during one planning pass, and which node a replica takes them from.

core/fleet/plan.py fills it with what exists and takes from it. Nodes that are blocked or full are
never offered. Among nodes the order is: agent ready, fewest GPUs left over (whole nodes stay whole
for large layouts), name; kept sorted, so that a thousand deployments on hundreds of nodes stay
cheap.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from escadre.core.counting import count
from escadre.core.facts.node import NodeFacts
from escadre.reasons.said import Amount, Said, joined, say

__all__ = ["GPUPool"]

_FEW: Final = 16
_NAMED_NODES: Final = 8


class GPUPool:
    """Mutable inside one pass only; ``take`` is the only change."""

    def __init__(self, nodes: Iterable[NodeFacts], taken: Mapping[str, int]) -> None:
        self._nodes = {node.name: node for node in sorted(nodes, key=lambda node: node.name)}
        self._free = {
            name: max(0, node.gpus - node.gpus_foreign - taken.get(name, 0))
            for name, node in self._nodes.items()
        }
        # product -> (agent not ready, free GPUs) -> names in order
        self._shelves: dict[str, dict[tuple[bool, int], list[str]]] = {}
        for name, node in self._nodes.items():
            if not node.blocked:
                self._shelf(name).append(name)

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
        blocked = bool(self._nodes[name].blocked)
        if not blocked:
            shelf = self._shelf(name)
            del shelf[bisect_left(shelf, name)]
        self._free[name] -= gpus
        if not blocked:
            insort(self._shelf(name), name)

    def best(
        self, product: str, gpus: int, within: Collection[str] | None, without: Collection[str]
    ) -> str | None:
        """The best node with that many free GPUs; ``within`` None means any node."""
        if within is not None and len(within) <= _FEW:
            able = (name for name in within if self._offers(name, product, gpus))
            return min((name for name in able if name not in without), key=self._rank, default=None)
        for name in self._in_order(product, gpus):
            if name not in without and (within is None or name in within):
                return name
        return None

    def last_with_room(self, product: str, gpus: int, sizes: Iterable[int]) -> frozenset[str]:
        """Nodes that alone have room for one of the larger sizes, and less with ``gpus`` taken."""
        found: set[str] = set()
        for size in sizes:
            able = list(islice(self._in_order(product, size), 2))
            if size > gpus and len(able) == 1 and self._free[able[0]] - gpus < size:
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

    def _shelf(self, name: str) -> list[str]:
        node = self._nodes[name]
        shelves = self._shelves.setdefault(node.product, {})
        return shelves.setdefault((not node.agent_ready, self._free[name]), [])

    def _offers(self, name: str, product: str, gpus: int) -> bool:
        node = self._nodes.get(name)
        if node is None or node.blocked or node.product != product:
            return False
        return self._free[name] >= gpus

    def _rank(self, name: str) -> tuple[bool, int, str]:
        return (not self._nodes[name].agent_ready, self._free[name], name)

    def _in_order(self, product: str, gpus: int) -> Iterator[str]:
        shelves = self._shelves.get(product, {})
        for key in sorted(shelves):
            if key[1] >= gpus:
                yield from shelves[key]
