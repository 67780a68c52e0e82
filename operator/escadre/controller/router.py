"""Which change of the world wakes which keys. Only keys go on the queue, never data.

A planning pass is asked for when the facts of what changed are not those that the last plan was
made for. What is a fact of planning is said in core/facts alone; the numbers of a pull are none.

What nobody waits for is looked at a moment later, together with what follows: a child that is
another, a pod that comes nearer to being ready. A child that appears was made by a pass, which
looks again by itself: it is looked at much later, should there have been none. What goes, and what
turns ready or not, is looked at at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from escadre.controller.context import ask_for_plan
from escadre.controller.keys import (
    Add,
    Key,
    approval_key,
    deployment_key,
    mirror_key,
    node_key,
)
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.status.moments import MOMENT_SECONDS
from escadre.machinery.compact import Compact
from escadre.machinery.queue import Priority
from escadre.names import (
    LABEL_DEPLOYMENT,
    LABEL_OWNER_NAME,
    LABEL_OWNER_NAMESPACE,
)
from escadre.render.workload import WORKLOAD
from escadre.state.caches import Caches
from escadre.state.gather import Sight
from escadre.state.mirrors import changed_words
from escadre.state.views import (
    ApprovalView,
    DeploymentView,
    DeviceClaimView,
    GPUNodeView,
    MirrorView,
    NamespaceView,
    NodeView,
    PodView,
    PolicyView,
    SignatureView,
)

__all__ = ["Router"]

_APPEARED_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Router:
    """``add`` files a key, to be looked at after some seconds. ``sight`` sees what is now."""

    caches: Caches
    sight: Callable[[], Sight]
    add: Add

    def wire(self) -> None:
        """Registers with every informer; before they run."""
        caches = self.caches
        caches.deployments.on_change(self._deployment)
        caches.approvals.on_change(self._approval)
        caches.signatures.on_change(self._signature)
        caches.mirrors.on_change(self._mirror)
        caches.gpunodes.on_change(self._gpunode)
        caches.nodes.on_change(self._node)
        caches.namespaces.on_change(self._namespace)
        caches.pods.on_change(self._pod)
        caches.device_claims.on_change(self._claim)
        caches.policies.on_change(self._policy)
        caches.bindings.on_change(self._policy)
        caches.volumes.on_change(self._volume)
        for children in caches.children.values():
            children.on_change(self._child)

    def everything(self) -> None:
        """All keys, at low priority: after becoming leader, and from time to time."""
        for view in self.caches.deployments.values():
            self._wake(deployment_key(view.namespace, view.name), Priority.RESYNC)
        for approval in self.caches.approvals.values():
            self._wake(approval_key(approval.name), Priority.RESYNC)
        for mirror in self.caches.mirrors.values():
            self._wake(mirror_key(mirror.name), Priority.RESYNC)
        for node in self.caches.nodes.values():
            self._wake(node_key(node.name), Priority.RESYNC)
        for volume in self.caches.volumes.values():
            self._wake_owner(volume)
        self.fleet()

    def fleet(self) -> None:
        """Asks for a planning pass."""
        sight = self.sight()
        ask_for_plan(self.add, sight.gather.memory, sight.now)

    def _wake(self, key: Key, priority: Priority = Priority.NORMAL, *, delay: float = 0.0) -> None:
        self.add(key, delay, priority)

    def _wake_deployment(
        self,
        namespace: str,
        name: str,
        priority: Priority = Priority.NORMAL,
        *,
        delay: float = 0.0,
    ) -> None:
        self._hear(namespace, name, priority, delay=delay)
        sight, key = self.sight(), DeploymentKey(namespace, name)
        if not (sight.plan_stands(key) and sight.order_stands(key)):
            self.fleet()

    def _wake_node(self, name: str) -> None:
        self._wake(node_key(name))
        self._plan_node(name)

    def _plan_node(self, name: str) -> None:
        if not self.sight().node_stands(name):
            self.fleet()

    def _deployment(self, _: str, old: DeploymentView | None, new: DeploymentView | None) -> None:
        one = new or old
        if one is None:
            return
        if old is not None and new is not None and _same_wish(old, new):
            if old.stored != new.stored and not self.sight().wrote(new):
                self._wake(deployment_key(one.namespace, one.name), Priority.RESYNC)
            return
        self._wake_deployment(one.namespace, one.name, Priority.USER)

    def _approval(self, _: str, old: ApprovalView | None, new: ApprovalView | None) -> None:
        one = new or old
        if one is not None and (
            old is None or new is None or old.uid != new.uid or old.terminating != new.terminating
        ):
            self._approval_changed(one.name)
            self._wake_mirrors(old, new)
        elif one is not None:
            self._wake(approval_key(one.name))
            self._wake_mirrors(old, new)  # whether it holds says its status

    def _wake_mirrors(self, *approvals: ApprovalView | None) -> None:
        """A mirror is asked for the files of an approval that holds."""
        named = {name for one in approvals if one and one.spec for name in one.spec.mirrors}
        for name in sorted(named):
            self._wake(mirror_key(name), Priority.RESYNC)

    def _signature(self, _: str, old: SignatureView | None, new: SignatureView | None) -> None:
        for one in (old, new):
            if one is not None:
                self._approval_changed(one.signature.approval)

    def _approval_changed(self, name: str) -> None:
        self._wake(approval_key(name), Priority.USER)
        for view in self.caches.deployments.by("approval", name):
            self._wake_deployment(view.namespace, view.name)

    def _mirror(self, _: str, old: MirrorView | None, new: MirrorView | None) -> None:
        if new is not None and (old is None or old.generation != new.generation):
            self._wake(mirror_key(new.name), Priority.USER)
        elif new is None and old is not None:
            self._wake(mirror_key(old.name))  # nobody is to ask it any more
        elif new is not None and old is not None and old.stored != new.stored:
            self._wake(mirror_key(new.name), Priority.RESYNC)
        if not self.sight().mirrors_stand():
            self.fleet()

    def _policy(self, _: str, __: PolicyView | None, ___: PolicyView | None) -> None:
        for approval in self.caches.approvals.values():
            self._wake(approval_key(approval.name))
        for view in self.caches.deployments.values():
            self._wake_deployment(view.namespace, view.name, Priority.RESYNC)

    def _gpunode(self, _: str, old: GPUNodeView | None, new: GPUNodeView | None) -> None:
        one = new or old
        if one is not None:
            self._wake_node(one.name)
        for name in changed_words(old, new):
            self._wake(mirror_key(name))

    def _node(self, _: str, old: NodeView | None, new: NodeView | None) -> None:
        one = new or old
        if one is None or (old is not None and new is not None and _same(old, new)):
            return  # a heartbeat
        self._wake_node(one.name)
        if old is None or new is None:  # what its pods said last is not so any more, or again
            for pod in self.caches.pods.by("node", one.name):
                self._wake_for(pod)

    def _namespace(self, _: str, old: NamespaceView | None, new: NamespaceView | None) -> None:
        one = new or old
        if one is None or (old and new and old.terminating == new.terminating):
            return
        for view in self.caches.deployments.by("namespace", one.name):
            self._wake(deployment_key(view.namespace, view.name))

    def _pod(self, _: str, old: PodView | None, new: PodView | None) -> None:
        one = new or old
        if one is None or (old is not None and new is not None and _same(old, new)):
            return
        delay = MOMENT_SECONDS if _on_its_way(old, new) else 0.0
        ours = one.component == "engine" and one.deployment
        if ours and old and new and not self.sight().turns_on(old, new):
            self._hear(one.namespace, one.deployment, delay=delay)
        else:
            self._wake_for(one, delay)

    def _hear(
        self,
        namespace: str,
        name: str,
        priority: Priority = Priority.NORMAL,
        *,
        delay: float = 0.0,
    ) -> None:
        """Wakes a deployment, whether or not something changed that is planned by."""
        if delay:
            self.sight().heard(DeploymentKey(namespace, name))
        self._wake(deployment_key(namespace, name), priority, delay=delay)

    def _wake_for(self, one: PodView, delay: float = 0.0) -> None:
        """Whoever a pod is of concern to."""
        if one.component == "engine" and one.deployment:
            self._wake_deployment(one.namespace, one.deployment, delay=delay)
        elif one.component == "agent" and one.namespace == self.caches.namespace:
            if one.node:
                self._wake_node(one.node)
        elif one.gpus and one.node:
            self._plan_node(one.node)

    def _claim(self, _: str, old: DeviceClaimView | None, new: DeviceClaimView | None) -> None:
        for node in sorted({one.node for one in (old, new) if one is not None and one.gpus}):
            self._plan_node(node)

    def _child(self, kind: str, old: Compact | None, new: Compact | None) -> None:
        if old is not None and new is not None and _same(old, new):
            return  # only its status changed, which nobody reads
        one = new or old
        name = one.labels.get(LABEL_DEPLOYMENT) if one else None
        if one is None or not name:
            return
        if new is None and self.caches.deployments.get(name, one.namespace) is None:
            return  # it went with its deployment
        if kind == WORKLOAD.kind:
            self._wake_deployment(one.namespace, name, delay=_delay(old, new))
        else:  # nothing is planned by it
            self._wake(deployment_key(one.namespace, name), delay=_delay(old, new))

    def _volume(self, _: str, old: Compact | None, new: Compact | None) -> None:
        if old is not None and new is not None and _same(old, new):
            return
        one = new or old
        if one is not None:
            self._wake_owner(one, _delay(old, new))

    def _wake_owner(self, volume: Compact, delay: float = 0.0) -> None:
        """The deployment that a volume names; there may be none of that name any more."""
        if LABEL_OWNER_NAME in volume.labels:
            namespace = volume.labels.get(LABEL_OWNER_NAMESPACE, "")
            self._wake(deployment_key(namespace, volume.labels[LABEL_OWNER_NAME]), delay=delay)


def _delay(old: Compact | None, new: Compact | None) -> float:
    """In how many seconds to look at the deployment of a child."""
    if new is None or new.terminating:
        return 0.0
    return _APPEARED_SECONDS if old is None else MOMENT_SECONDS


def _on_its_way(old: PodView | None, new: PodView | None) -> bool:
    """Whether a pod only comes nearer to being ready: it appears, gets a node, begins."""
    if new is None or new.terminating or old is None:
        return new is not None and not new.terminating and not new.ready
    steps: dict[str, Any] = {
        "resource_version": new.resource_version,
        "generation": new.generation,
        "node": new.node,
        "ip": new.ip,
        "phase": new.phase,
        "ready_changed": new.ready_changed,
        "unscheduled": new.unscheduled,
        "placed": new.placed,
        "unstarted": new.unstarted,
        "loading": new.loading,
    }
    return not new.ready and not new.finished and replace(old, **steps) == new


def _same(old: Any, new: Any) -> bool:
    """Whether two views differ in nothing but their version."""
    return bool(replace(old, resource_version=new.resource_version) == new)


def _same_wish(old: DeploymentView, new: DeploymentView) -> bool:
    """Whether nothing but the status may be another."""
    return (old.uid, old.generation, old.terminating) == (new.uid, new.generation, new.terminating)
