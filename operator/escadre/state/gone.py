"""Nodes that pods are bound to and that were deleted. From handlers of the caches alone; no I/O.

What such a kubelet said last, nobody knows to be so: its pods stay Ready until they are collected,
and Kubernetes' own EndpointSlice controller leaves them out. A Node that the cache has not seen yet
is no deleted one: a watch may be silent for a while before it is taken for broken. So a node is
gone when its deletion was heard of; and, as a restart forgets that, when it is not there though a
pod was bound to it before such a while. A machine that is made anew under the same name is there
again: what its pods said last is believed for the seconds that its kubelet takes to say more.
"""

from collections.abc import Iterable
from typing import Final

from escadre.machinery.informer import Informer
from escadre.state.views import NodeView, PodView

__all__ = ["GoneNodes"]

# Longer than a watch may be silent (machinery/informer.py, Pace) and than another one takes.
_UNSEEN_SECONDS: Final = 120.0


class GoneNodes:
    """Asked for pods; ``now`` is in seconds since the epoch."""

    def __init__(self, pods: Informer[PodView], nodes: Informer[NodeView]) -> None:
        self._pods, self._nodes = pods, nodes
        self._deleted: set[str] = set()
        nodes.on_change(self._node)

    def of(self, pods: Iterable[PodView], now: float) -> frozenset[str]:
        """Those of the pods' nodes that were deleted."""
        return frozenset(pod.node for pod in pods if self._has(pod, now))

    def unseen_until(self, pod: PodView) -> float | None:
        """Until when a pod's node may be one that was not seen yet; None when nobody waits."""
        if not self._lacks(pod) or pod.node in self._deleted:
            return None
        return pod.placed + _UNSEEN_SECONDS

    def _has(self, pod: PodView, now: float) -> bool:
        until = self.unseen_until(pod)
        return self._lacks(pod) and (until is None or now >= until)

    def _lacks(self, pod: PodView) -> bool:
        return bool(pod.node) and self._nodes.get(pod.node) is None

    def _node(self, _: str, old: NodeView | None, new: NodeView | None) -> None:
        if new is not None or old is None:
            return
        # A name without pods is of no use any more.
        self._deleted = {name for name in self._deleted if self._pods.by("node", name)}
        self._deleted.add(old.name)
