"""What a pass says of weights on all nodes, and what the next pass asks about it. Pure.

core/fleet/pulls.py makes it, core/fleet/plan.py reads it.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from escadre.api.deployment import WeightsOnNode
from escadre.api.gpunode import MirrorSource, WantedWeights
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.fleet.mirrorload import Place

__all__ = ["Owners", "PullPlan"]

Owners = Mapping[Place, AbstractSet[DeploymentKey]]


@dataclass(frozen=True, slots=True)
class PullPlan:
    """Weights and mirrors of every node's GPUNode.spec, and the state of each need.

    For the next pass: whose the places are, which of them pull, and the nodes that are ``open``,
    where something depends on what other nodes pull.
    """

    wanted: Mapping[str, tuple[WantedWeights, ...]]
    mirrors: Mapping[str, tuple[MirrorSource, ...]]
    states: Mapping[Place, WeightsOnNode]
    owners: Owners
    pulling: Mapping[Place, WantedWeights]
    open: frozenset[str]

    @staticmethod
    def empty(nodes: Iterable[str]) -> "PullPlan":
        """Nothing is needed anywhere."""
        nothing = dict.fromkeys(nodes, ())
        return PullPlan(nothing, nothing, {}, {}, {}, frozenset())

    def without(self, nodes: AbstractSet[str]) -> "PullPlan":
        """The same, but nothing is needed on some nodes."""
        nothing = {name: () for name in nodes if name in self.wanted}
        return PullPlan(
            {**self.wanted, **nothing},
            {**self.mirrors, **nothing},
            {place: state for place, state in self.states.items() if place.node not in nodes},
            {place: keys for place, keys in self.owners.items() if place.node not in nodes},
            {place: entry for place, entry in self.pulling.items() if place.node not in nodes},
            self.open - nodes,
        )
