"""The agent's pod of each node, and since when it is not Ready.

The API tells when a pod turned, but not when the last one of a node went; between two pods of an
upgrade there is none for a moment. So the time is noted here as the change arrives, by the change
handlers of the caches alone. A restart forgets it: the agents then have their grace again.
"""

from collections.abc import Callable

from escadre.core.fleet.belief import AgentView
from escadre.machinery.informer import Informer
from escadre.state.views import NodeView, PodView

__all__ = ["Agents"]


class Agents:
    """Reads are synchronous, as those of the caches. ``now`` is the wall clock in seconds."""

    def __init__(
        self,
        pods: Informer[PodView],
        nodes: Informer[NodeView],
        namespace: str,
        now: Callable[[], float],
    ) -> None:
        self._pods, self._nodes = pods, nodes
        self._namespace = namespace
        self._now = now
        self._gone_since: dict[str, float] = {}
        pods.on_change(self._pod_changed)
        nodes.on_change(self._node_changed)

    def of(self, node: str) -> AgentView:
        """The agent of a node that the caches know."""
        alive = self._alive(node)
        if any(pod.ready for pod in alive):
            return AgentView(ready=True, unready_since=None)
        noted = self._gone_since.get(node)
        turned = (pod.ready_changed for pod in alive if pod.ready_changed)
        times = [*turned, *([noted] if noted is not None else [])]
        return AgentView(ready=False, unready_since=min(times, default=None))

    def _alive(self, node: str) -> list[PodView]:
        return [
            pod
            for pod in self._pods.by("node", node)
            if self._is_agent(pod) and not pod.finished and not pod.terminating
        ]

    def _is_agent(self, pod: PodView) -> bool:
        return pod.component == "agent" and pod.namespace == self._namespace

    def _pod_changed(self, _: str, old: PodView | None, new: PodView | None) -> None:
        for pod in (old, new):
            if pod is not None and pod.node and self._is_agent(pod):
                self._look(pod.node)

    def _node_changed(self, _: str, old: NodeView | None, new: NodeView | None) -> None:
        one = new or old
        if one is not None and (old is None or new is None):
            self._look(one.name)

    def _look(self, node: str) -> None:
        there = self._nodes.get(node) is not None
        if there and not any(pod.ready for pod in self._alive(node)):
            self._gone_since.setdefault(node, self._now())
        else:
            self._gone_since.pop(node, None)
