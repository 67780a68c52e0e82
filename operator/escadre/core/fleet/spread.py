"""Which node a replica gets by where its weights are, apart from the others of its deployment.

A node that is lost takes one replica with it and not all, as far as that costs nobody anything:
no pull where another node has the weights verified, and no last room for a larger layout. Where
all are on one node, it is said why. core/fleet/placement.py asks for each slot, core/fleet/plan.py
for the words; which replica never moves is theirs. Pure.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from escadre.core.counting import count
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.pool import GPUPool
from escadre.core.fleet.shelves import Shelves
from escadre.reasons.said import Amount, Said, say

__all__ = ["Ask", "Holders", "Whereabouts"]

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


class _Group(NamedTuple):
    """Nodes of one product with one digest."""

    verified: Shelves
    coming: Shelves
    failed: Shelves


class Whereabouts(NamedTuple):
    """The nodes where a digest is verified, wanted or on its way, or failed."""

    verified: Mapping[str, AbstractSet[str]]
    coming: Mapping[str, AbstractSet[str]]
    failed: Mapping[str, AbstractSet[str]]

    @staticmethod
    def of(nodes: Iterable[NodeFacts]) -> "Whereabouts":
        """As the nodes are before a pass."""
        verified: dict[str, set[str]] = {}
        coming: dict[str, set[str]] = {}
        failed: dict[str, set[str]] = {}
        for node in nodes:
            for digest in node.verified:
                verified.setdefault(digest, set()).add(node.name)
            for digest, state in node.weights.items():
                if state.state == "Failed":
                    failed.setdefault(digest, set()).add(node.name)
            for digest in {entry.manifest_digest for entry in node.wanted} | set(node.weights):
                coming.setdefault(digest, set()).add(node.name)
        return Whereabouts(verified, coming, failed)

    def renewed(self, old: Collection[NodeFacts], new: Collection[NodeFacts]) -> "Whereabouts":
        """With new facts of some nodes instead of the old ones of the same."""
        names = {node.name for node in old}
        parts = zip(self, Whereabouts.of(old), Whereabouts.of(new), strict=True)
        return Whereabouts(*(_renewed(all_, was, now, names) for all_, was, now in parts))


def _renewed(
    known: Mapping[str, AbstractSet[str]],
    was: Mapping[str, AbstractSet[str]],
    now: Mapping[str, AbstractSet[str]],
    names: AbstractSet[str],
) -> dict[str, AbstractSet[str]]:
    concerned = was.keys() | now.keys()
    return {
        **known,
        **{one: (known.get(one, _NONE) - names) | now.get(one, _NONE) for one in concerned},
    }


class Holders:
    """Where weights are or will be; grows as slots are placed.

    ``spreads``: whether replicas are kept apart; ``spread``: whether one was for that.
    """

    def __init__(self, weights: Whereabouts, *, spreads: bool = True) -> None:
        self._weights = weights
        self._came: dict[str, set[str]] = {}
        self._groups: dict[tuple[str, str], _Group] = {}  # by digest and product
        self.spreads, self.spread = spreads, False

    def come(self, pool: GPUPool, ask: Ask, name: str) -> None:
        """The weights are wanted on one node more."""
        if name in self._weights.coming.get(ask.digest, _NONE):
            return
        group, came = self._group(pool, ask), self._came.setdefault(ask.digest, set())
        if name not in came:
            came.add(name)
            pool.join(group.coming, ask.product, name)

    def place(self, pool: GPUPool, ask: Ask) -> str | None:
        """The best node for a replica with these weights, another than the others' if it may be."""
        for number, (within, without) in enumerate(self._tiers(pool, ask)):
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
        here = self._group(pool, ask).verified
        if node in self._weights.verified.get(ask.digest, _NONE) and (
            pool.best(ask.product, ask.gpus, here, {node} | kept) is None
        ):
            return say("no other node with room has the weights")
        if self._apart(pool, ask, _COMING, node) is None:
            return say("no other node with room is ready to pull the weights")
        return say("another node has room now, and what runs is not moved")

    def _apart(self, pool: GPUPool, ask: Ask, number: int, best: str) -> str | None:
        """A node without another replica, for which the weights are no further than on the best."""
        avoided = ask.others | pool.last_with_room(ask.product, ask.gpus, ask.sizes)
        last = number + 1 if number == _COMING else number  # one pull or two take as long
        for within, without in self._tiers(pool, ask)[number : last + 1]:
            name = pool.best(ask.product, ask.gpus, within, avoided.union(without))
            if name is not None and pool.is_ready(name) >= pool.is_ready(best):
                return name
        return None

    def _tiers(self, pool: GPUPool, ask: Ask) -> tuple[tuple[Shelves | None, Collection[str]], ...]:
        """Which nodes come first for these weights, and which of them do not."""
        failed = self._weights.failed.get(ask.digest, _NONE)
        group = self._group(pool, ask)
        return (
            (group.verified, _NONE),
            (group.coming, failed),
            (None, failed),
            (group.failed, _NONE),
        )

    def _group(self, pool: GPUPool, ask: Ask) -> _Group:
        """The nodes of the product that have the weights; made when somebody asks."""
        key = ask.digest, ask.product
        if key not in self._groups:
            coming = self._weights.coming.get(ask.digest, _NONE)
            self._groups[key] = _Group(
                pool.group(ask.product, self._weights.verified.get(ask.digest, _NONE)),
                pool.group(ask.product, coming | self._came.get(ask.digest, set())),
                pool.group(ask.product, self._weights.failed.get(ask.digest, _NONE)),
            )
        return self._groups[key]
