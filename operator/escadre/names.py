"""Names that other programs see: group, labels, annotations, and the names of children.

Everything that derives a Kubernetes name stands here, so that a reader can check legality and
length in one place. Pure; imported by every layer.
"""

import base64
import hashlib
import re
from enum import StrEnum
from typing import Final

__all__ = [
    "ANNOTATION_DRAIN",
    "ANNOTATION_INPUTS",
    "ANNOTATION_NODE",
    "ANNOTATION_TEMPLATE",
    "ANNOTATION_TEMPLATE_SHA256",
    "API_VERSION",
    "CATEGORY",
    "DEPLOYMENT_NAME",
    "DEPLOYMENT_NAME_LENGTH",
    "FIELD_MANAGER",
    "GROUP",
    "LABEL_AGENT",
    "LABEL_COMPONENT",
    "LABEL_DEPLOYMENT",
    "LABEL_DIGEST",
    "LABEL_INPUTS",
    "LABEL_MANAGED_BY",
    "LABEL_OWNER_NAME",
    "LABEL_OWNER_NAMESPACE",
    "LABEL_OWNER_UID",
    "LABEL_SERVING",
    "LABEL_SLOT",
    "LABEL_SYSTEM_NAMESPACE",
    "LEASE_NAME",
    "MIRROR_FOLDERS_PATH",
    "MODEL_MOUNT_PATH",
    "NAMESPACE_NAME",
    "NAMESPACE_NAME_LENGTH",
    "NEVER",
    "NODE_LABEL_PREFIX",
    "NODE_LABEL_PRODUCT",
    "PVC_PROTECTION",
    "SERVING_PORT",
    "STORE_PATH",
    "VERSION",
    "ConditionType",
    "claim_name",
    "digest_hex",
    "is_label_value",
    "node_weights_label",
    "replica_name",
    "short_digest",
    "volume_name",
]

GROUP: Final = "escadre.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "escadre"
FIELD_MANAGER: Final = "escadre"
LEASE_NAME: Final = "escadre-operator"  # the leader's; the chart grants it by this name

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_COMPONENT: Final = f"{GROUP}/component"  # engine | operator | agent
LABEL_DEPLOYMENT: Final = f"{GROUP}/deployment"
LABEL_SLOT: Final = f"{GROUP}/slot"
LABEL_DIGEST: Final = f"{GROUP}/manifest"  # first 16 hex of the manifest digest
LABEL_INPUTS: Final = f"{GROUP}/inputs"  # first 16 hex of the inputs hash
LABEL_SERVING: Final = f"{GROUP}/serving"  # on pods only; removed to drain
LABEL_OWNER_NAMESPACE: Final = f"{GROUP}/owner-namespace"
LABEL_OWNER_NAME: Final = f"{GROUP}/owner-name"
LABEL_OWNER_UID: Final = f"{GROUP}/owner-uid"

LABEL_SYSTEM_NAMESPACE: Final = f"{GROUP}/system-namespace"  # on GPUNodes: where the operator is

ANNOTATION_INPUTS: Final = f"{GROUP}/inputs"  # JSON of the replica's inputs
ANNOTATION_TEMPLATE: Final = f"{GROUP}/template"  # JSON of the pod template as rendered then
ANNOTATION_TEMPLATE_SHA256: Final = f"{GROUP}/template-sha256"  # tells a hand edit of it
ANNOTATION_NODE: Final = f"{GROUP}/planned-node"
ANNOTATION_DRAIN: Final = f"{GROUP}/drain"  # JSON {cause, since}

# Set to "true" by people on a Node without GPU feature discovery: an agent shall run there.
LABEL_AGENT: Final = f"{GROUP}/agent"

# The kubelet may not set labels under this suffix on its own node (NodeRestriction).
NODE_LABEL_PREFIX: Final = "escadre.node-restriction.kubernetes.io/"
# The product that the node's agent reports, where GPU feature discovery names none.
NODE_LABEL_PRODUCT: Final = f"{NODE_LABEL_PREFIX}gpu-product"

# Kubernetes keeps a deleted claim by this finalizer for as long as a pod uses it.
PVC_PROTECTION: Final = "kubernetes.io/pvc-protection"

# What a ModelDeployment may be called: its Service, replicas and claims are named after it.
DEPLOYMENT_NAME: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
DEPLOYMENT_NAME_LENGTH: Final = 40
# What Kubernetes lets a namespace be called.
NAMESPACE_NAME: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAMESPACE_NAME_LENGTH: Final = 63

STORE_PATH: Final = "/var/lib/escadre"
MIRROR_FOLDERS_PATH: Final = "/mirrors"  # in the agent: one folder for each entry of the chart
MODEL_MOUNT_PATH: Final = "/models/weights"
SERVING_PORT: Final = 8000

# The transition time of a condition that nobody has written yet: defaults of the CRDs.
NEVER: Final = "1970-01-01T00:00:00Z"


_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


class ConditionType(StrEnum):
    """Types of conditions that our kinds have; some reasons are called as their condition."""

    READY = "Ready"
    AVAILABLE = "Available"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    APPROVED = "Approved"
    EXPIRING = "Expiring"
    PLANNED = "Planned"
    WEIGHTS_READY = "WeightsReady"
    SCHEDULED = "Scheduled"
    SERVING = "Serving"
    SCALING = "Scaling"
    ENGINE_MISMATCH = "EngineMismatch"
    INVENTORY_READY = "InventoryReady"
    STORE_READY = "StoreReady"


def is_label_value(text: str) -> bool:
    """Whether a label may have that value, and it says something."""
    return _LABEL_VALUE.fullmatch(text) is not None


def digest_hex(digest: str) -> str:
    """The 64 hex characters of a ``sha256:…`` digest (or of bare hex)."""
    return digest.removeprefix("sha256:")


def short_digest(digest: str) -> str:
    """As much of a digest as people compare."""
    return f"{digest[:19]}…"


def node_weights_label(digest: str) -> str:
    """Label key that says a node holds the verified weights of ``digest``.

    Base32, because a label's name part may have 63 characters and 64 hex would not fit.
    """
    raw = bytes.fromhex(digest_hex(digest))
    return NODE_LABEL_PREFIX + base64.b32encode(raw).decode().rstrip("=").lower()


def replica_name(deployment: str, slot: int) -> str:
    """Name of the workload object of one replica."""
    return f"{deployment}-{slot}"


def claim_name(deployment: str, digest: str) -> str:
    """Name of the claim that a deployment's pods mount for ``digest``."""
    return f"{deployment}-{digest_hex(digest)[:16]}"


def volume_name(namespace: str, name: str, uid: str, digest: str) -> str:
    """Name of the (cluster-scoped) volume: no tenant can collide with or squat another's."""
    owner = hashlib.sha256(f"{namespace}/{name}/{uid}".encode()).hexdigest()[:16]
    return f"escadre-{owner}-{digest_hex(digest)[:16]}"
