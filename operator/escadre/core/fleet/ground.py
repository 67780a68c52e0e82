"""What a planning pass takes from nodes alone: as long as they stay, it is made once. Pure.

core/fleet/plan.py asks; nothing here is changed by a pass.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
            uncounted([*snapshot.unused, *_unfit(nodes)]),
            Whereabouts.of(nodes.values()),
            {
                Place(node.name, entry.manifest_digest): entry
                for node in nodes.values()
                for entry in node.wanted
            },
        )


def _unfit(nodes: Mapping[str, NodeFacts]) -> Iterator[Unused]:
    return (Unused(one.name, one.product, one.blocked) for one in nodes.values() if one.unfit)
