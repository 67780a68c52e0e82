"""GPUNode: what a node should hold (spec, the operator's) and what it has (status, its agent's)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from escadre.api.base import (
    Bytes,
    Commit,
    Condition,
    Digest,
    Model,
    ObjectName,
    Repository,
)
from escadre.api.bounds import Entries, Text
from escadre.api.mirror import ModelMirrorSpec
from escadre.api.probe import MirrorProbe, ProbedMirror
from escadre.api.progress import Progress
from escadre.api.reason import no_reason_as_null
from escadre.reasons import Reason

__all__ = [
    "GPU",
    "EarlierSource",
    "GPUNodeSpec",
    "GPUNodeStatus",
    "MirrorReference",
    "MirrorSource",
    "NodeWeights",
    "PCIe",
    "Store",
    "WantedWeights",
]

_Uuid = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9-]*$")]


_Generation = Annotated[int, Field(ge=0, le=1 << 53)]


class MirrorSource(ModelMirrorSpec):
    """A mirror that wanted weights name: its spec as the operator last planned with it."""

    name: ObjectName = Field(description="Name of the ModelMirror.")
    generation: _Generation = Field(
        default=0, description="metadata.generation of the ModelMirror that this is from."
    )

    def connects_as(self, other: "MirrorSource") -> bool:
        """Whether a pull from the one is as good as one from the other: all but the counters."""
        counters = {"generation": 0, "max_concurrent_pulls": 1}
        return self.model_copy(update=counters) == other.model_copy(update=counters)


class MirrorReference(Model):
    """Which mirror, and which state of it."""

    name: ObjectName = Field(description="Name of the ModelMirror, an entry of mirrors.")
    generation: _Generation = Field(
        default=0, description="metadata.generation of the ModelMirror that the pull is from."
    )


class EarlierSource(Model):
    """What 0.1.0 wrote in place of ``mirror``: all facts of it, in each entry.

    Kept as it stands; only the name is read.
    """

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"x-kubernetes-preserve-unknown-fields": True}
    )

    name: ObjectName = Field(description="Name of the ModelMirror.")


class WantedWeights(Model):
    """Weights the operator wants on this node; present once the pull is admitted."""

    manifest_digest: Digest = Field(description="Identity of the weights.")
    approval: ObjectName = Field(description="ModelApproval that allows them.")
    repository: Repository = Field(description="organisation/model on the mirror.")
    revision: Commit = Field(description="Commit of the repository.")
    bytes: Bytes = Field(description="Sum of the file sizes.")
    mirror: MirrorReference | None = Field(
        default=None, description="Mirror to pull from; missing in what 0.1.0 wrote."
    )
    source: EarlierSource | None = Field(
        default=None,
        description="Mirror to pull from as 0.1.0 wrote it; stays until the entry is written anew. "
        "Agents do not pull by it.",
    )

    @property
    def mirror_name(self) -> str | None:
        """Name of the mirror, whichever version wrote it."""
        named = self.mirror or self.source
        return named.name if named else None


class GPUNodeSpec(Model):
    """Written by the operator only."""

    weights: Annotated[list[WantedWeights], Field(max_length=256)] = Field(
        default_factory=list, description="Weights wanted on this node."
    )
    mirrors: Annotated[list[MirrorSource], Field(max_length=64)] = Field(
        default_factory=list,
        description="The mirrors that weights and probes name, each once: how to connect to them.",
    )
    probes: Annotated[list[MirrorProbe], Field(max_length=64)] = Field(
        default_factory=list, description="Mirrors that this node is to ask a little, for all."
    )


class PCIe(Model):
    """The link of a GPU to its machine."""

    generation: Annotated[int, Field(ge=1, le=16)] = Field(
        description="Highest generation that GPU and slot do together; less may run while idle."
    )
    lanes: Annotated[int, Field(ge=1, le=64)] = Field(description="Most lanes, the same way.")


class GPU(Model):
    """One GPU as NVML reports it."""

    index: Annotated[int, Field(ge=0, le=1024)] = Field(description="NVML index.")
    uuid: Annotated[str, Field(max_length=96)] = Field(description="NVML UUID.")
    product: Annotated[str, Field(max_length=128)] = Field(
        description="Product name with - for spaces, as the nvidia.com/gpu.product label has it."
    )
    memory_bytes: Bytes = Field(description="Total memory in bytes; 0 when it could not be read.")
    memory_source: Literal["System"] | None = Field(
        default=None,
        description="System for unified memory: NVML tells none, it is that of the machine.",
    )
    reserved_bytes: Bytes | None = Field(
        default=None,
        description="Memory the driver keeps for itself (NVML v2), invisible to CUDA.",
    )
    compute_capability: Annotated[str, Field(max_length=8)] = Field(
        description="major.minor, e.g. 9.0."
    )
    nvlink: bool = Field(description="Whether at least one NVLink is active.")
    nvlinks: Annotated[int, Field(ge=0, le=64)] | None = Field(
        default=None, description="NVLinks that are active; null where NVML tells of none."
    )
    fabric_clique: Annotated[str, Field(max_length=64)] | None = Field(
        default=None,
        description="GPUs with the same one reach each other over NVLink, also across nodes: "
        "cluster UUID and clique, as the label nvidia.com/gpu.clique has it.",
    )
    pcie: PCIe | None = Field(default=None, description="PCIe; null where NVML does not tell.")
    mig: bool = Field(default=False, description="Whether MIG mode is on.")
    healthy: bool = Field(description="False when NVML says the GPU needs attention.")
    message: Annotated[str, Text(512)] = Field(default="", description="Why it is not healthy.")


class Store(Model):
    """The node's weight store."""

    capacity_bytes: Bytes = Field(description="Size of the store's file system.")
    free_bytes: Bytes = Field(
        description="Free for new weights, in GiB; told anew when it is off by 2 % of the size."
    )
    free: Annotated[str, Field(max_length=32)] | None = Field(
        default=None, description="The same for people, e.g. 1.2 TB."
    )


class _Weights(Model):
    manifest_digest: Digest = Field(description="Identity of the weights.")
    store_id: _Uuid = Field(
        alias="storeID", description="Store id under which this entry was verified or pulled."
    )
    state: Literal["Pulling", "Verified", "Failed"] = Field(description="State of the weights.")


class NodeWeights(Progress, _Weights):  # the last base's fields stand first
    """State of one wanted or present model on this node."""

    mirror: ObjectName | None = Field(default=None, description="Mirror pulled from.")
    reason: Annotated[Reason | None, no_reason_as_null(pattern=r"^[A-Za-z]*$")] = Field(
        default=None, description="Why it failed, e.g. DigestMismatch."
    )
    message: Annotated[str, Text(2048)] = Field(
        default="", description="What failed, with numbers and the next step."
    )
    behind: Digest | None = Field(
        default=None, description="Weights whose pull goes first on this node."
    )
    since: datetime = Field(description="When the state was entered.")


class GPUNodeStatus(Model):
    """Written by the node's agent only."""

    node_uid: _Uuid = Field(
        default="", alias="nodeUID", description="UID of the Node, from the agent's own token."
    )
    boot_id: _Uuid = Field(
        default="", alias="bootID", description="Boot id of the machine the agent runs on."
    )
    store_id: _Uuid = Field(
        default="", alias="storeID", description="Id written once into an empty store."
    )
    agent_version: Annotated[str, Field(max_length=64)] = Field(
        default="", description="Version of the agent."
    )
    driver_version: Annotated[str, Text(64)] = Field(
        default="", description="Version of the NVIDIA driver."
    )
    gpus: Annotated[list[GPU], Entries(64)] = Field(
        default_factory=list, description="GPUs of the node."
    )
    gpu_summary: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="How many GPUs there are, or how many of them are healthy: 7/8."
    )
    store: Store | None = Field(default=None, description="The weight store.")
    weights: Annotated[list[NodeWeights], Entries(512)] = Field(
        default_factory=list,
        description="Weights present or being pulled, those wanted first; the summary counts all.",
    )
    summary: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Verified models of those wanted or present, e.g. 2/3."
    )
    conditions: Annotated[list[Condition], Entries(8)] = Field(
        default_factory=list, description="InventoryReady and StoreReady."
    )
    probes: Annotated[list[ProbedMirror], Entries(64)] = Field(
        default_factory=list, description="What this node found of mirrors it was asked to probe."
    )
