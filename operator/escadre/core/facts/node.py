"""A node with GPUs as planning sees it. Pure data; state/gather.py builds it.

Times are seconds since the epoch, memory is bytes, GPUs are whole devices. No Kubernetes types.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from escadre.api.gpunode import MirrorSource, WantedWeights
from escadre.api.progress import Progress
from escadre.reasons import Reason

__all__ = ["NodeFacts", "Unbelieved", "Unused", "WeightState"]


@dataclass(frozen=True, slots=True)
class WeightState:
    """An entry of a GPUNode's status, believed (see core/fleet/belief.py) or not.

    The numbers of a pull are told and not planned with: two entries that differ in them are equal.
    """

    state: Literal["Pulling", "Verified", "Failed"]
    progress: Progress = field(default=Progress(), compare=False)
    mirror: str | None = None
    reason: Reason | None = None
    message: str = ""
    behind: str | None = None  # digest whose pull goes first on this node


@dataclass(frozen=True, slots=True)
class Unbelieved:
    """Why the word of a node's agent does not count, for whoever waits for it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Unused:
    """A node whose GPUs cannot be planned with; ``product`` "" where that is not known either."""

    name: str
    product: str
    why: str


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node with GPUs.

    ``gpus`` is what the node can give to pods (allocatable, and no more than the agent calls
    healthy); ``gpus_foreign`` what pods that are not engines of escadre request, and what
    ResourceClaims hold. ``memory_bytes`` is the total of one GPU as NVML and GFD report it, before
    what the driver reserves. ``blocked`` says in words why nothing new may be placed here ("" if it
    may); ``unfit`` that this does not pass by itself: such a node does not count for what layouts
    are possible. ``apart``: its GPUs are virtual, and no engine may use two of them together.
    """

    name: str
    uid: str
    product: str
    memory_bytes: int
    compute_capability: tuple[int, int]
    gpus: int
    gpus_foreign: int = 0
    reserved_bytes: int | None = None
    blocked: str = ""
    unfit: bool = False
    apart: bool = False
    unbelieved: Unbelieved | None = None
    verified: frozenset[str] = frozenset()
    weights: Mapping[str, WeightState] = field(default_factory=dict)
    wanted: tuple[WantedWeights, ...] = ()  # GPUNode.spec.weights now: pulls already admitted
    mirrors: tuple[MirrorSource, ...] = field(default=(), compare=False)  # GPUNode.spec.mirrors

    @property
    def agent_ready(self) -> bool:
        """Whether the word of its agent counts."""
        return self.unbelieved is None
