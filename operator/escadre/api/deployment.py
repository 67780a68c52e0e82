"""ModelDeployment: the team's small wish, and the long answer in its status."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from escadre.api.base import Bytes, Condition, Digest, Model, ObjectName
from escadre.api.bounds import Entries, Text
from escadre.api.progress import Progress
from escadre.api.reason import no_reason_as_null, reason_as_name
from escadre.api.scaling import Scaling, ServiceLevel
from escadre.api.scalingstatus import LastScale, ScalingStatus
from escadre.api.serving import ServedApproval, ServingStatus
from escadre.reasons import Reason

__all__ = [
    "REJECTED",
    "REPLICA_WORDS",
    "Capacity",
    "LastScale",
    "Layout",
    "LayoutOverride",
    "LayoutStatus",
    "MemoryArithmetic",
    "ModelDeploymentSpec",
    "ModelDeploymentStatus",
    "Objective",
    "RejectedLayout",
    "ReplicaStatus",
    "ReplicasStatus",
    "Scaling",
    "ScalingStatus",
    "ServiceLevel",
    "WeightsOnNode",
]

_Tokens = Annotated[int, Field(ge=1, le=1 << 31)]
_Count = Annotated[int, Field(ge=0, le=1 << 40)]
_Size = Annotated[int, Field(ge=1, le=64)]
Objective = Literal["Throughput", "Latency"]
REJECTED: Final = Entries(32)
REPLICA_WORDS: Final = Text(1024)


class LayoutOverride(Model):
    """What the layout shall be whatever the planner would choose; what is left out, it chooses."""

    product: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="GPU product (label nvidia.com/gpu.product)."
    )
    tensor_parallel_size: _Size | None = Field(default=None, description="--tensor-parallel-size.")
    pipeline_parallel_size: _Size | None = Field(
        default=None, description="--pipeline-parallel-size."
    )


class ModelDeploymentSpec(Model):
    """Which approved model, how long a context, how many at once, how many replicas."""

    approval: ObjectName = Field(description="Name of the ModelApproval.")
    context_length: _Tokens = Field(
        description="Tokens one request may use, prompt and answer together."
    )
    concurrency: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None,
        description="Requests one replica holds at once (--max-num-seqs); default: as many typical "
        "requests as fit the cache of the smallest layout that holds contextLength, 256 at most.",
    )
    typical_tokens: _Tokens | None = Field(
        default=None,
        description="Tokens a request really uses; default 4096, or contextLength if less.",
    )
    text_only: bool | None = Field(
        default=None, description="Serve without the model's encoder of images or sound."
    )
    objective: Objective | None = Field(
        default=None,
        description="Throughput (default): the fewest GPUs a replica that hold the wish, so that "
        "the same GPUs serve most requests; Latency: the fastest answer that GPUs joined by "
        "NVLink give.",
    )
    layout: LayoutOverride | None = Field(
        default=None,
        description="Layout to take instead of the planner's choice. One that is not legal or does "
        "not hold the wish is refused.",
    )
    scaling: Scaling = Field(
        default_factory=Scaling,
        description="Number of replicas.",
        json_schema_extra={"default": {}},
    )
    service_level: ServiceLevel | None = Field(
        default=None,
        description="How fast answers are to be: what one replica serves so decides the number of "
        "replicas. Excludes scaling.targetQueueDepth.",
    )


class MemoryArithmetic(Model):
    """How the layout fills one GPU, in bytes; usable = weights + overhead + keyValueCache."""

    visible_bytes: Bytes = Field(description="Memory of one GPU that CUDA sees.")
    usable_bytes: Bytes = Field(description="Visible times gpuMemoryUtilization.")
    weights_bytes: Bytes = Field(description="Weights on one GPU.")
    overhead_bytes: Bytes = Field(
        description="Activations, collectives and CUDA graphs, estimated for the planner's vLLM."
    )
    key_value_cache_bytes: Bytes = Field(description="Left for the key-value cache.")
    key_value_bytes_per_token: Bytes = Field(
        description="Cache for one token on one GPU; with windows, in one group of layers."
    )


class Capacity(Model):
    """What one replica holds."""

    key_value_tokens: _Count = Field(description="Tokens the key-value cache of a replica holds.")
    required_tokens: _Count = Field(
        description="max(contextLength, concurrency × typicalTokens): what it must hold; with "
        "layers that keep a window, the room which that takes."
    )
    full_length_requests: _Count = Field(description="Requests of contextLength that fit at once.")
    typical_requests: _Count = Field(description="Requests of typicalTokens that fit at once.")


class RejectedLayout(Model):
    """A layout that was considered and why it was not taken."""

    product: Annotated[str, Field(max_length=128)] = Field(description="GPU product.")
    tensor_parallel_size: _Size = Field(description="Tensor parallel size considered.")
    pipeline_parallel_size: _Size = Field(
        default=1, description="Pipeline parallel size considered; left out where it is 1."
    )
    reason: Annotated[Reason, reason_as_name()] = Field(description="Stable reason.")
    message: Annotated[str, Text(512)] = Field(description="Why, with numbers.")


class Layout(Model):
    """Shape of one replica and the arithmetic behind it."""

    summary: Annotated[str, Field(max_length=64)] = Field(description="E.g. 2×H100 tp2.")
    product: Annotated[str, Field(max_length=128)] = Field(
        description="GPU product (label nvidia.com/gpu.product)."
    )
    gpus: _Size = Field(description="GPUs of one replica.")
    tensor_parallel_size: _Size = Field(description="--tensor-parallel-size.")
    pipeline_parallel_size: _Size = Field(description="--pipeline-parallel-size.")
    max_model_len: _Tokens = Field(description="--max-model-len.")
    max_num_seqs: Annotated[int, Field(ge=1, le=4096)] = Field(description="--max-num-seqs.")
    max_num_batched_tokens: _Tokens = Field(description="--max-num-batched-tokens.")
    gpu_memory_utilization_percent: Annotated[int, Field(ge=1, le=100)] = Field(
        description="--gpu-memory-utilization, in percent."
    )
    text_only: bool | None = Field(default=None, description="--language-model-only.")
    typical_tokens: _Tokens = Field(description="Tokens of a typical request, as planned with.")
    memory: MemoryArithmetic = Field(description="How one GPU is filled.")
    capacity: Capacity = Field(description="What one replica holds.")


class LayoutStatus(Layout):
    """The layout as the status tells it, beside what scaling and the planner made of it."""

    target_queue_depth: Annotated[int, Field(ge=1, le=100_000)] = Field(
        description="Requests per replica that scaling aims at where targetQueueDepth fixes it, or "
        "nothing tells what a replica serves; what counts is scaling.capacity."
    )
    without_override: Annotated[str, Text(128)] | None = Field(
        default=None, description="What the planner would choose without spec.layout."
    )
    rejected: Annotated[list[RejectedLayout], REJECTED] = Field(
        default_factory=list,
        description="Smaller layouts that do not work, and why; of many, the last ones of "
        "each product.",
    )

    @staticmethod
    def of(
        layout: Layout,
        target_queue_depth: int,
        rejected: Sequence[RejectedLayout],
        without_override: str = "",
    ) -> "LayoutStatus":
        """The layout with its target and the ones that were not taken."""
        return LayoutStatus(
            **dict(layout),
            target_queue_depth=target_queue_depth,
            without_override=without_override or None,
            rejected=list(rejected),
        )

    @property
    def layout(self) -> Layout:
        """The shape alone, as the planner knows it."""
        return Layout(**{name: getattr(self, name) for name in Layout.model_fields})


class _Weights(Model):
    node: ObjectName = Field(description="Node.")
    manifest_digest: Digest = Field(description="Identity of the weights.")
    state: Literal["Queued", "Wanted", "Pulling", "Verified", "Failed"] = Field(
        description="Queued: waits for a free pull of the mirror; Wanted: the agent was told."
    )


class WeightsOnNode(Progress, _Weights):  # the last base's fields stand first
    """State of the weights on a node that a replica is planned on."""

    mirror: ObjectName | None = Field(default=None, description="Mirror pulled from.")
    reason: Annotated[Reason | None, no_reason_as_null()] = Field(
        default=None, description="Stable reason."
    )
    message: Annotated[str, Text(2048)] = Field(default="", description="Why.")


class ReplicaStatus(Model):
    """One replica."""

    name: ObjectName = Field(description="Name of its workload object.")
    node: Annotated[str, Field(max_length=253)] = Field(
        default="", description="Node it runs on, or is planned on."
    )
    state: Literal["Pending", "Loading", "Ready", "NotResponding", "Failing", "Draining"] = Field(
        description="Pending: not on a node; Loading: starting; NotResponding: was ready, its "
        "health check fails; Failing: the engine ends "
        "at its start or while it serves."
    )
    gpus: _Size | None = Field(
        default=None, description="GPUs it was made with; missing where its record is damaged."
    )
    current: bool = Field(description="Whether it runs the current inputs.")
    digest: Digest | None = Field(default=None, description="Weights it serves.")
    message: Annotated[str, REPLICA_WORDS] = Field(
        default="", description="What it waits for, or how it failed."
    )


class ReplicasStatus(Model):
    """The replicas of the deployment."""

    desired: Annotated[int, Field(ge=0, le=1000)] = Field(description="Wanted by scaling.")
    ready: Annotated[int, Field(ge=0, le=1000)] = Field(description="Ready on any inputs.")
    current: Annotated[int, Field(ge=0, le=1000)] = Field(
        description="Ready on the current inputs."
    )
    summary: Annotated[str, Field(max_length=32)] = Field(description="ready/desired.")
    items: Annotated[list[ReplicaStatus], Entries(1000)] = Field(
        default_factory=list, description="Each replica; the counts are of all, also beyond 1000."
    )


class ModelDeploymentStatus(Model):
    """What the operator made of the wish."""

    observed_generation: Annotated[int, Field(ge=-1, le=1 << 53)] = Field(
        default=-1, description="metadata.generation that was judged."
    )
    url: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Base URL of the OpenAI-compatible API."
    )
    approval: ServedApproval | None = Field(
        default=None, description="Approval and weights of the current inputs."
    )
    plan: LayoutStatus | None = Field(default=None, description="Layout of a replica.")
    weights: Annotated[list[WeightsOnNode], Entries(1000)] = Field(
        default_factory=list, description="Weights on the nodes planned on."
    )
    replicas: ReplicasStatus | None = Field(default=None, description="The replicas.")
    serving: ServingStatus | None = Field(
        default=None, description="What answers now; missing when nothing does."
    )
    last_scale: LastScale | None = Field(default=None, description="Last scaling decision.")
    scaling: ScalingStatus | None = Field(
        default=None, description="What the number of replicas rests on, and its last changes."
    )
    conditions: Annotated[list[Condition], Entries(16)] = Field(
        default_factory=list,
        description="Ready, Available; Reconciling or Stalled, one of them, while not Ready; "
        "Approved, WeightsReady, Planned, Scheduled, Serving, Scaling; EngineMismatch, while "
        "layouts are judged as for another version of vLLM.",
    )

    @property
    def changes(self) -> Sequence[LastScale]:
        """Of the number of replicas, the newest last; earlier versions told the last one alone."""
        if self.scaling and self.scaling.history:
            return self.scaling.history
        return [self.last_scale] if self.last_scale else []
