"""Nodes that pods are bound to and that were deleted. No I/O.

What the last word of such a kubelet was, nobody knows any more: a pod stays Ready until it is
collected, and Kubernetes' own EndpointSlice controller leaves it out. A Node that the cache has not
seen yet is no deleted one: a watch may be silent for a while before it is taken for broken. A pod
was bound to a Node that was there, so one bound before that while has none only if it was deleted.
"""

from collections.abc import Iterable
from typing import Final

from escadre.machinery.informer import Informer
from escadre.state.views import NodeView, PodView

__all__ = ["gone_nodes", "is_gone"]

# Longer than a watch may be silent (machinery/informer.py, Pace) and than another one takes.
_UNSEEN_SECONDS: Final = 120.0


def gone_nodes(pods: Iterable[PodView], nodes: Informer[NodeView], now: float) -> frozenset[str]:
    """Those of the pods' nodes that were deleted; ``now`` in seconds since the epoch."""
    return frozenset(pod.node for pod in pods if is_gone(pod, nodes, now))


def is_gone(pod: PodView, nodes: Informer[NodeView], now: float) -> bool:
    """Whether the pod's node was deleted."""
    return bool(pod.node) and nodes.get(pod.node) is None and now - pod.placed > _UNSEEN_SECONDS
