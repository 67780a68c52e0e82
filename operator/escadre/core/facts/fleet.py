"""Everything one planning pass sees. Pure data; state/gather.py builds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from escadre.api.gpunode import MirrorSource
from escadre.core.facts.deployment import DeploymentFacts
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.profile import DEFAULT_PROFILE, EngineProfile

__all__ = ["FleetSnapshot"]


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """Everything one planning pass sees.

    ``invalid_mirrors``: those that cannot be read, and why not. ``profile``: that of the engines'
    version.
    """

    deployments: tuple[DeploymentFacts, ...]
    nodes: tuple[NodeFacts, ...]
    mirrors: Mapping[str, MirrorSource]
    gpu_memory_utilization_percent: int
    unused: tuple[Unused, ...] = ()  # further nodes, by name
    invalid_mirrors: Mapping[str, str] = field(default_factory=dict)
    profile: EngineProfile = DEFAULT_PROFILE
