"""What the caches keep of each object: frozen, small, parsed once when it arrives.

Pure projections from the JSON of the API server; nothing here decides anything.
"""

from escadre.state.views.cluster import NamespaceView, NodeView, PolicyView
from escadre.state.views.custom import (
    ApprovalView,
    DeploymentView,
    GPUNodeView,
    MirrorView,
    SignatureView,
)
from escadre.state.views.deviceclaim import DeviceClaimView
from escadre.state.views.meta import epoch
from escadre.state.views.pod import PodView
from escadre.state.views.replica import ReplicaRecord
from escadre.state.views.weights import ClaimRecord, VolumeRecord

__all__ = [
    "ApprovalView",
    "ClaimRecord",
    "DeploymentView",
    "DeviceClaimView",
    "GPUNodeView",
    "MirrorView",
    "NamespaceView",
    "NodeView",
    "PodView",
    "PolicyView",
    "ReplicaRecord",
    "SignatureView",
    "VolumeRecord",
    "epoch",
]
