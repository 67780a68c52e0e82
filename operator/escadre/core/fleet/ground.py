"""What a planning pass takes from nodes alone: as long as they stay, it is made once. Pure.

Pulls come and go all the time: of nodes that only have other weights, what those say is renewed.

core/fleet/plan.py asks; nothing here is changed by a pass.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from escadre.api.gpunode import WantedWeights
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.fleet.mirrorload import Place
from escadre.core.fleet.spread import Whereabouts
from escadre.core.fleet.uncounted import uncounted
from escadre.core.layouts.decisions import products_of
from escadre.core.layouts.search import GPUProduct
from escadre.reasons.said import Said

__all__ = ["Ground"]


@dataclass(frozen=True, slots=True)
class Ground:
    """The nodes by name, in order; ``wanted`` is what is admitted on them already.

    ``closed`` names those that are not planned with, None where there are none.
    """

    nodes: Mapping[str, NodeFacts]
    products: tuple[GPUProduct, ...]
    closed: Said | None
    weights: Whereabouts
    wanted: Mapping[Place, WantedWeights]

    @staticmethod
    def of(snapshot: FleetSnapshot) -> "Ground":
        """The ground that a snapshot gives."""
        nodes = {node.name: node for node in sorted(snapshot.nodes, key=lambda node: node.name)}
        return Ground(
            nodes,
            products_of(nodes.values()),
            uncounted([*snapshot.unused, *_unfit(nodes.values())]),
            Whereabouts.of(nodes.values()),
            _wanted(nodes.values()),
        )

    def renewed(self, others: Collection[NodeFacts]) -> "Ground | None":
        """The ground when some of its nodes are others; None where that changes what is possible.

        The products of the nodes, that is, or which are not planned with.
        """
        old = [self.nodes[one.name] for one in others if one.name in self.nodes]
        if len(old) < len(others) or any(map(_differs, old, others)):
            return None
        gone = _wanted(old)
        kept = {place: entry for place, entry in self.wanted.items() if place not in gone}
        return replace(
            self,
            nodes={**self.nodes, **{one.name: one for one in others}},
            weights=self.weights.renewed(old, others),
            wanted={**kept, **_wanted(others)},
        )


def _differs(one: NodeFacts, other: NodeFacts) -> bool:
    if products_of([one]) != products_of([other]):
        return True
    return list(_unfit([one])) != list(_unfit([other]))


def _wanted(nodes: Iterable[NodeFacts]) -> dict[Place, WantedWeights]:
    return {Place(one.name, entry.manifest_digest): entry for one in nodes for entry in one.wanted}


def _unfit(nodes: Iterable[NodeFacts]) -> Iterator[Unused]:
    return (Unused(one.name, one.product, one.blocked) for one in nodes if one.unfit)
