"""Which change of the world wakes which keys. Only keys go on the queue, never data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from escadre.controller.keys import FLEET, Key, approval_key, deployment_key, node_key
from escadre.machinery.compact import Compact
from escadre.machinery.queue import Priority
from escadre.names import (
    LABEL_DEPLOYMENT,
    LABEL_OWNER_NAME,
    LABEL_OWNER_NAMESPACE,
)
from escadre.state.caches import Caches
from escadre.state.views import (
    ApprovalView,
    DeploymentView,
    GPUNodeView,
    MirrorView,
    NamespaceView,
    NodeView,
    PodView,
    PolicyView,
    ReplicaRecord,
    SignatureView,
)

__all__ = ["FLEET_DEBOUNCE", "Router"]

# A burst of changes becomes one planning pass; the limit an edit may wait for its plan.
FLEET_DEBOUNCE = 0.1
# Numbers of a running pull change all the time; they alone ask for a plan seldom.
PROGRESS_DEBOUNCE = 5.0

Add = Callable[[Key, float, Priority], None]


@dataclass(frozen=True, slots=True)
class Router:
    """``add`` files a key, to be looked at after some seconds."""

    caches: Caches
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
        caches.policies.on_change(self._policy)
        caches.bindings.on_change(self._policy)
        caches.volumes.on_change(self._volume)
        caches.replicas.on_change(self._replica)
        for children in caches.children.values():
            children.on_change(self._child)

    def everything(self) -> None:
        """All keys, at low priority: after becoming leader, and from time to time."""
        for view in self.caches.deployments.values():
            self._wake(deployment_key(view.namespace, view.name), Priority.RESYNC)
        for approval in self.caches.approvals.values():
            self._wake(approval_key(approval.name), Priority.RESYNC)
        for node in self.caches.nodes.values():
            self._wake(node_key(node.name), Priority.RESYNC)
        for volume in self.caches.volumes.values():
            self._volume("", None, volume)
        self.fleet()

    def fleet(self, delay: float = FLEET_DEBOUNCE) -> None:
        """Asks for a planning pass."""
        self.add(FLEET, delay, Priority.NORMAL)

    def _wake(self, key: Key, priority: Priority = Priority.NORMAL) -> None:
        self.add(key, 0.0, priority)

    def _deployment(self, _: str, old: DeploymentView | None, new: DeploymentView | None) -> None:
        one = new or old
        if one is None:
            return
        same = (
            old is not None
            and new is not None
            and (old.uid, old.generation)
            == (
                new.uid,
                new.generation,
            )
        )
        if same and old is not None and new is not None and old.terminating == new.terminating:
            if old.stored != new.stored:
                self._wake(deployment_key(one.namespace, one.name), Priority.RESYNC)
            return
        self._wake(deployment_key(one.namespace, one.name), Priority.USER)
        self.fleet()

    def _approval(self, _: str, old: ApprovalView | None, new: ApprovalView | None) -> None:
        one = new or old
        if one is not None and (
            old is None or new is None or old.uid != new.uid or old.terminating != new.terminating
        ):
            self._approval_changed(one.name)
        elif one is not None:
            self._wake(approval_key(one.name))

    def _signature(self, _: str, old: SignatureView | None, new: SignatureView | None) -> None:
        for one in (old, new):
            if one is not None:
                self._approval_changed(one.signature.approval)

    def _approval_changed(self, name: str) -> None:
        self._wake(approval_key(name), Priority.USER)
        for view in self.caches.deployments.by("approval", name):
            self._wake(deployment_key(view.namespace, view.name))
        self.fleet()

    def _mirror(self, _: str, __: MirrorView | None, ___: MirrorView | None) -> None:
        self.fleet()

    def _policy(self, _: str, __: PolicyView | None, ___: PolicyView | None) -> None:
        for approval in self.caches.approvals.values():
            self._wake(approval_key(approval.name))
        for view in self.caches.deployments.values():
            self._wake(deployment_key(view.namespace, view.name), Priority.RESYNC)
        self.fleet()

    def _gpunode(self, _: str, old: GPUNodeView | None, new: GPUNodeView | None) -> None:
        one = new or old
        if one is None:
            return
        self._wake(node_key(one.name))
        progress = old is not None and new is not None and _essence(old) == _essence(new)
        self.fleet(PROGRESS_DEBOUNCE if progress else FLEET_DEBOUNCE)

    def _node(self, _: str, old: NodeView | None, new: NodeView | None) -> None:
        one = new or old
        if one is None or (old is not None and new is not None and _same(old, new)):
            return  # a heartbeat
        self._wake(node_key(one.name))
        self.fleet()

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
        if one.component == "engine" and one.deployment:
            self._wake(deployment_key(one.namespace, one.deployment))
            if _place(old) != _place(new) and not self._as_planned(old, one):
                self.fleet()
        elif one.component == "agent" and one.namespace == self.caches.namespace:
            if one.node:
                self._wake(node_key(one.node))
                self.fleet()
        elif one.gpus and _place(old) != _place(new):
            self.fleet()

    def _as_planned(self, old: PodView | None, new: PodView) -> bool:
        """Whether a pod was bound, and to the node that its replica was planned for."""
        if not new.node or (old is not None and old.node):
            return False
        return any(
            replica.planned_node == new.node
            for replica in self.caches.replicas.by("deployment", (new.namespace, new.deployment))
            if new.controller.startswith(f"{replica.name}-")
        )

    def _child(self, _: str, old: Compact | None, new: Compact | None) -> None:
        if old is not None and new is not None and _same(old, new):
            return  # only its status changed, which nobody reads
        one = new or old
        name = one.labels.get(LABEL_DEPLOYMENT) if one else None
        if one is not None and name:
            self._wake(deployment_key(one.namespace, name))

    def _replica(self, _: str, old: ReplicaRecord | None, new: ReplicaRecord | None) -> None:
        # A new one is where the last plan put it: it changes no plan.
        if old is not None and (new is None or _planned(old) != _planned(new)):
            self.fleet()

    def _volume(self, _: str, old: Compact | None, new: Compact | None) -> None:
        one = new or old
        if one is not None and LABEL_OWNER_NAME in one.labels:
            namespace = one.labels.get(LABEL_OWNER_NAMESPACE, "")
            self._wake(deployment_key(namespace, one.labels[LABEL_OWNER_NAME]))


def _same(old: Any, new: Any) -> bool:
    """Whether two views differ in nothing but their version."""
    return bool(replace(old, resource_version=new.resource_version) == new)


def _planned(replica: ReplicaRecord) -> tuple[Any, ...]:
    """What planning sees of a replica."""
    return replica.inputs, replica.planned_node, replica.drain, replica.terminating


def _place(pod: PodView | None) -> tuple[Any, ...] | None:
    """What planning sees of a pod; None while it is on no node."""
    if pod is None or not pod.node:
        return None
    return pod.node, pod.gpus, pod.finished, pod.terminating


def _essence(view: GPUNodeView) -> tuple[Any, ...]:
    """A GPUNode without the numbers of running pulls."""
    status = view.status
    return (
        view.uid,
        view.generation,
        view.node_uid,
        status.node_uid,
        status.boot_id,
        status.store_id,
        tuple(status.gpus),
        tuple(
            (one.manifest_digest, one.store_id, one.state, one.reason, one.mirror)
            for one in status.weights
        ),
    )
