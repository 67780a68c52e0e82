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
from escadre.state.views.meta import epoch
from escadre.state.views.pod import PodView
from escadre.state.views.replica import ReplicaRecord

__all__ = [
    "ApprovalView",
    "DeploymentView",
    "GPUNodeView",
    "MirrorView",
    "NamespaceView",
    "NodeView",
    "PodView",
    "PolicyView",
    "ReplicaRecord",
    "SignatureView",
    "epoch",
]
