"""The frozen view of the world that planning works on. Built by state/gather, read by core.

Times are seconds since the epoch, memory is bytes, GPUs are whole devices. No Kubernetes types.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from escadre.api.approval import Architecture
from escadre.api.deployment import ModelDeploymentSpec
from escadre.api.gpunode import MirrorSource, WantedWeights

__all__ = [
    "ApprovedModel",
    "DeploymentFacts",
    "DeploymentKey",
    "FleetSnapshot",
    "NodeFacts",
    "ReplicaFacts",
    "WeightState",
    "Wish",
]


@dataclass(frozen=True, slots=True, order=True)
class DeploymentKey:
    """Which ModelDeployment."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Wish:
    """The fields of a ModelDeployment's spec that shape a replica; None = the planner's default."""

    context_length: int
    concurrency: int | None = None
    typical_tokens: int | None = None
    target_queue_depth: int | None = None

    @staticmethod
    def of(spec: ModelDeploymentSpec | None) -> "Wish":
        """The wish; of a spec that does not parse (None), one that nothing is planned for."""
        if spec is None:
            return Wish(context_length=1)
        return Wish(
            context_length=spec.context_length,
            concurrency=spec.concurrency,
            typical_tokens=spec.typical_tokens,
            target_queue_depth=spec.scaling.target_queue_depth,
        )


@dataclass(frozen=True, slots=True)
class ApprovedModel:
    """What an approval that holds allows."""

    approval: str
    approval_uid: str
    repository: str
    revision: str
    manifest_digest: str
    file_bytes: int
    architecture: Architecture
    mirrors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WeightState:
    """An entry of a GPUNode's status, believed (see core/fleet/belief.py) or not."""

    state: Literal["Pulling", "Verified", "Failed"]
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_second: int = 0
    eta_seconds: int | None = None
    mirror: str | None = None
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node with GPUs.

    ``gpus`` is what the node can give to pods (allocatable, and no more than the agent calls
    healthy); ``gpus_foreign`` what pods that are not engines of escadre request. ``memory_bytes``
    is the total of one GPU as NVML and GFD report it, before what the driver reserves.
    ``blocked`` says in words why nothing new may be placed here ("" if it may).
    """

    name: str
    uid: str
    product: str
    memory_bytes: int
    compute_capability: tuple[int, int]
    gpus: int
    gpus_foreign: int = 0
    reserved_bytes: int | None = None
    nvlink: bool | None = None
    blocked: str = ""
    agent_ready: bool = True
    verified: frozenset[str] = frozenset()
    weights: Mapping[str, WeightState] = field(default_factory=dict)
    wanted: tuple[WantedWeights, ...] = ()  # GPUNode.spec.weights now: pulls already admitted


@dataclass(frozen=True, slots=True)
class ReplicaFacts:
    """A replica that exists: its GPUs and node are taken, whatever the plan becomes.

    ``node`` is where its pod is bound, else the planned node recorded on the object.
    ``layout`` is the layout recorded on the object, as the JSON of api.deployment.Plan.
    ``wish_matches`` tells whether it was made for today's wish, digest and platform: then its
    layout is kept even when the planner would choose another now.
    """

    slot: int
    node: str | None
    gpus: int
    product: str
    manifest_digest: str
    wish_matches: bool
    layout: str
    bound: bool = False
    ready: bool = False
    draining: bool = False
    leaving: bool = False  # being scaled away: its slot gets no plan


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """A ModelDeployment as planning sees it. ``model`` is None when no approval holds."""

    key: DeploymentKey
    uid: str
    created: float
    wish: Wish
    model: ApprovedModel | None
    min_replicas: int
    desired: int
    replicas: tuple[ReplicaFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """Everything one planning pass sees."""

    deployments: tuple[DeploymentFacts, ...]
    nodes: tuple[NodeFacts, ...]
    mirrors: Mapping[str, MirrorSource]
    gpu_memory_utilization_percent: int
