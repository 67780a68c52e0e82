"""Which node a replica gets by where its weights are, apart from the others of its deployment.

A node that is lost takes one replica with it and not all, as far as that costs nobody anything:
no pull where another node has the weights verified, and no last room for a larger layout. Where
all are on one node, it is said why. core/fleet/placement.py asks for each slot, core/fleet/plan.py
for the words; which replica never moves is theirs. Pure.
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from escadre.core.counting import count
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.pool import GPUPool
from escadre.reasons.said import Amount, Said, say

__all__ = ["Ask", "Holders"]

_NONE: Final = frozenset[str]()
_COMING: Final = 1


class Ask(NamedTuple):
    """What a replica needs; ``others`` are the nodes of the others of its deployment.

    ``sizes`` are the GPUs of all layouts of the product that any deployment may have.
    """

    digest: str
    product: str
    gpus: int
    others: frozenset[str]
    sizes: tuple[int, ...]


class Holders:
    """Where a digest is verified, on its way, or failed; grows as slots are placed.

    ``spreads``: whether replicas are kept apart; ``spread``: whether one was for that.
    """

    def __init__(self, nodes: Iterable[NodeFacts], *, spreads: bool = True) -> None:
        self.verified: dict[str, set[str]] = {}
        self.coming: dict[str, set[str]] = {}
        self.failed: dict[str, set[str]] = {}
        self.spreads, self.spread = spreads, False
        for node in nodes:
            for digest in node.verified:
                self.verified.setdefault(digest, set()).add(node.name)
            for digest, state in node.weights.items():
                if state.state == "Failed":
                    self.failed.setdefault(digest, set()).add(node.name)
            for digest in {entry.manifest_digest for entry in node.wanted} | set(node.weights):
                self.coming.setdefault(digest, set()).add(node.name)

    def place(self, pool: GPUPool, ask: Ask) -> str | None:
        """The best node for a replica with these weights, another than the others' if it may be."""
        for number, (within, without) in enumerate(self._tiers(ask.digest)):
            best = pool.best(ask.product, ask.gpus, within, without)
            if best is None:
                continue
            if (
                best in ask.others
                and self.spreads
                and (apart := self._apart(pool, ask, number, best))
            ):
                self.spread = True
                return apart
            return best
        return None

    def why_together(self, pool: GPUPool, ask: Ask, node: str) -> Said:
        """Why a replica more would go to the node that has all of them, after a pass."""
        room = pool.best(ask.product, ask.gpus, None, {node})
        if room is None:
            gpus = Amount(count(ask.gpus, "free GPU"))
            return say("no other node has {gpus} of {product}", gpus=gpus, product=ask.product)
        kept = pool.last_with_room(ask.product, ask.gpus, ask.sizes)
        room = pool.best(ask.product, ask.gpus, None, {node} | kept)
        if room is None:
            return say("the last room for larger layouts is kept free")
        here = self.verified.get(ask.digest, _NONE)
        if node in here and pool.best(ask.product, ask.gpus, here - {node}, kept) is None:
            return say("no other node with room has the weights")
        if self._apart(pool, ask, _COMING, node) is None:
            return say("no other node with room is ready to pull the weights")
        return say("another node has room now, and what runs is not moved")

    def _apart(self, pool: GPUPool, ask: Ask, number: int, best: str) -> str | None:
        """A node without another replica, for which the weights are no further than on the best."""
        avoided = ask.others | pool.last_with_room(ask.product, ask.gpus, ask.sizes)
        last = number + 1 if number == _COMING else number  # one pull or two take as long
        for within, without in self._tiers(ask.digest)[number : last + 1]:
            name = pool.best(ask.product, ask.gpus, within, avoided.union(without))
            if name is not None and pool.is_ready(name) >= pool.is_ready(best):
                return name
        return None

    def _tiers(self, digest: str) -> tuple[tuple[Collection[str] | None, Collection[str]], ...]:
        """Which nodes come first for these weights, and which of them do not."""
        failed = self.failed.get(digest, _NONE)
        return (
            (self.verified.get(digest, _NONE), _NONE),
            (self.coming.get(digest, _NONE), failed),
            (None, failed),
            (failed, _NONE),
        )
