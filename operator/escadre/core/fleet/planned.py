"""What a planning pass decides, as data. Pure.

core/fleet/plan.py makes it; it is read by whoever acts on a plan or tells of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from escadre.api.deployment import Layout, RejectedLayout, WeightsOnNode
from escadre.api.gpunode import MirrorSource, WantedWeights
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.node import NodeFacts
from escadre.core.facts.seats import Seats, seats_on
from escadre.reasons import Reason
from escadre.reasons.said import NOTHING, Said

__all__ = ["DeploymentPlan", "FleetPlan", "SlotPlan"]


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """What one slot shall run, and where. ``node`` None: nowhere to go now."""

    slot: int
    node: str | None
    layout: Layout | None
    manifest_digest: str
    reason: Reason | None
    message: Said

    @property
    def seats(self) -> Seats | None:
        """What it was given, None without a node or a layout."""
        return seats_on(self.node, self.layout.gpus) if self.layout else None


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """Layout and slots of one deployment, and the ``facts`` that they were chosen for.

    Two are equal when they ask for the same, whatever they were made for.
    ``reason`` is Planned, InsufficientGPUs, a refusal of the layout, or None without an approval.
    ``rejected`` and ``without_override`` are today's, also with a layout of another day.
    ``slots`` holds every existing slot that is not leaving, then new ones up to the desired number.
    Without an approval or a layout existing slots are as recorded and there are no new ones.
    ``together`` says why all of several replicas are on one node, nothing where they are not.
    ``remade`` are slots that may be made again as they were, should their replica be gone.
    """

    facts: DeploymentFacts = field(compare=False)
    layout: Layout | None
    reason: Reason | None
    message: Said
    rejected: tuple[RejectedLayout, ...] = ()
    slots: tuple[SlotPlan, ...] = ()
    weights: tuple[WeightsOnNode, ...] = ()
    together: Said = NOTHING
    without_override: str = ""
    remade: frozenset[int] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The whole fleet: a plan per deployment, weights and mirrors of GPUNode.spec per node.

    ``made_for`` is what was seen; ``node_facts`` the nodes of it by name.
    """

    deployments: Mapping[DeploymentKey, DeploymentPlan]
    nodes: Mapping[str, tuple[WantedWeights, ...]]
    mirrors: Mapping[str, tuple[MirrorSource, ...]]
    made_for: FleetSnapshot = field(compare=False)
    node_facts: Mapping[str, NodeFacts] = field(compare=False)
