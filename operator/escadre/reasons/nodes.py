"""Reasons of nodes: whether an agent is believed, and what it finds there."""

from escadre.names import ConditionType
from escadre.reasons.reason import Kind, Owner, Reason

AGENT_NOT_READY = Reason(
    "AgentNotReady",
    Kind.MOVE,
    "The node's agent is not ready, so its word is not believed.",
    "Look at the agent's pod on that node.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.WEIGHTS_READY,),
)
NODE_IDENTITY_MISMATCH = Reason(
    "NodeIdentityMismatch",
    Kind.UNDER_WAY,
    "The agent's report is of another node, boot or store.",
    "Wait for the agent to report again; it does so by itself.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.WEIGHTS_READY,),
)
STORE_UNUSABLE = Reason(
    "StoreUnusable",
    Kind.MOVE,
    "The agent cannot write its store.",
    "Check the store's path, file system and permissions on the node.",
    owners=(Owner.PLATFORM,),
    conditions=(
        ConditionType.STORE_READY,
        ConditionType.WEIGHTS_READY,
    ),
)
STORE_READY = Reason(
    "StoreReady",
    Kind.SETTLED,
    "The store can be written.",
    conditions=(ConditionType.STORE_READY,),
)
INVENTORY_READY = Reason(
    "InventoryReady",
    Kind.SETTLED,
    "The GPUs of the node are known.",
    conditions=(ConditionType.INVENTORY_READY,),
)
GPU_UNHEALTHY = Reason(
    "GPUUnhealthy",
    Kind.MOVE,
    "A GPU of the node needs attention and is not counted; the others serve.",
    "Look at the node's kernel log for Xid errors, reset or replace the GPU, or drain the node.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.INVENTORY_READY,),
)
NVML_UNAVAILABLE = Reason(
    "NVMLUnavailable",
    Kind.MOVE,
    "The agent cannot read the GPUs.",
    "Check the NVIDIA driver and the runtime class of the agent.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.INVENTORY_READY,),
)
