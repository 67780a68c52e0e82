"""Every informer of the operator, in one place: what is watched, how it is kept and indexed."""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from escadre.clients.kube import (
    DEPLOYMENTS,
    GPU_NODES,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    MODEL_SIGNATURES,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    RESOURCE_CLAIMS,
    SERVICES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    Api,
    Json,
    Resource,
    Selection,
)
from escadre.machinery.compact import Compact, compact
from escadre.machinery.heard import Heard
from escadre.machinery.informer import Informer, Pace
from escadre.names import (
    FIELD_MANAGER,
    LABEL_DEPLOYMENT,
    LABEL_MANAGED_BY,
    LABEL_OWNER_NAME,
    LABEL_OWNER_NAMESPACE,
)
from escadre.state.agents import Agents
from escadre.state.ended import Ended
from escadre.state.gone import GoneNodes
from escadre.state.views import (
    ApprovalView,
    ClaimRecord,
    DeploymentView,
    DeviceClaimView,
    GPUNodeView,
    MirrorView,
    NamespaceView,
    NodeView,
    PodView,
    PolicyView,
    ReplicaRecord,
    SignatureView,
    VolumeRecord,
)

__all__ = ["Caches"]

_CHILDREN: Final[tuple[Resource, ...]] = (
    SERVICES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
)

C = TypeVar("C", bound=Compact)
_OURS = f"{LABEL_MANAGED_BY}={FIELD_MANAGER}"


def _by_deployment(child: Compact) -> Iterable[Hashable]:
    name = child.labels.get(LABEL_DEPLOYMENT)
    return ((child.namespace, name),) if name else ()


def _by_owner(child: Compact) -> Iterable[Hashable]:
    return ((child.labels.get(LABEL_OWNER_NAMESPACE, ""), child.labels.get(LABEL_OWNER_NAME, "")),)


def _engine_pods(pod: PodView) -> Iterable[Hashable]:
    return ((pod.namespace, pod.deployment),) if pod.component == "engine" else ()


def _on_node(one: PodView | DeviceClaimView) -> Iterable[Hashable]:
    return (one.node,) if one.node else ()


def _children_of(api: Api, resource: Resource, project: Callable[[Json], C]) -> Informer[C]:
    """The children of one namespaced kind, found by their deployment."""
    return Informer(
        api,
        resource,
        project,
        selection=Selection(labels=_OURS),
        indices={"deployment": _by_deployment},
    )


@dataclass(slots=True)
class Caches:
    """The informers, and what only the course of their changes tells. Reads are synchronous.

    ``heard`` are the feeds of the kinds that kopf watches; a kind without one watches by itself.
    """

    api: Api
    namespace: str  # of the operator and the agents
    now: Callable[[], float] = time.time
    heard: Mapping[str, Heard] = field(default_factory=dict)
    deployments: Informer[DeploymentView] = field(init=False)
    approvals: Informer[ApprovalView] = field(init=False)
    signatures: Informer[SignatureView] = field(init=False)
    mirrors: Informer[MirrorView] = field(init=False)
    gpunodes: Informer[GPUNodeView] = field(init=False)
    nodes: Informer[NodeView] = field(init=False)
    namespaces: Informer[NamespaceView] = field(init=False)
    pods: Informer[PodView] = field(init=False)
    device_claims: Informer[DeviceClaimView] = field(init=False)
    policies: Informer[PolicyView] = field(init=False)
    bindings: Informer[PolicyView] = field(init=False)
    volumes: Informer[VolumeRecord] = field(init=False)
    claims: Informer[ClaimRecord] = field(init=False)
    replicas: Informer[ReplicaRecord] = field(init=False)
    agents: Agents = field(init=False)
    ended: Ended = field(init=False)
    gone: GoneNodes = field(init=False)
    children: dict[str, Informer[Compact]] = field(init=False)

    def __post_init__(self) -> None:
        api = self.api
        feeds = self.heard.get
        self.deployments = Informer(
            api,
            MODEL_DEPLOYMENTS,
            DeploymentView.of,
            indices={
                "approval": lambda one: (one.spec.approval,) if one.spec else (),
                "namespace": lambda one: (one.namespace,),
            },
            feed=feeds(MODEL_DEPLOYMENTS.plural),
        )
        self.ended = Ended(self.deployments, self.now)
        self.approvals = Informer(
            api,
            MODEL_APPROVALS,
            ApprovalView.of,
            indices={"weights": lambda one: (one.model.manifest_digest,) if one.model else ()},
            feed=feeds(MODEL_APPROVALS.plural),
        )
        self.signatures = Informer(
            api,
            MODEL_SIGNATURES,
            SignatureView.of,
            indices={"approval": lambda one: (one.signature.approval,)},
            feed=feeds(MODEL_SIGNATURES.plural),
        )
        self.mirrors = Informer(api, MODEL_MIRRORS, MirrorView.of, feed=feeds(MODEL_MIRRORS.plural))
        self.gpunodes = Informer(api, GPU_NODES, GPUNodeView.of, feed=feeds(GPU_NODES.plural))
        self.nodes = Informer(api, NODES, NodeView.of)
        self.namespaces = Informer(api, NAMESPACES, NamespaceView.of)
        self.pods = Informer(
            api,
            PODS,
            PodView.of,
            indices={"deployment": _engine_pods, "node": _on_node},
        )
        self.device_claims = Informer(
            api,
            RESOURCE_CLAIMS,
            DeviceClaimView.of,
            indices={"node": _on_node},
            pace=Pace(absent_seconds=60.0),
        )
        self.agents = Agents(self.pods, self.nodes, self.namespace, self.now)
        self.gone = GoneNodes(self.pods, self.nodes)
        self.policies = Informer(api, VALIDATING_ADMISSION_POLICIES, PolicyView.of)
        self.bindings = Informer(api, VALIDATING_ADMISSION_POLICY_BINDINGS, PolicyView.of)
        self.volumes = Informer(
            api,
            PERSISTENT_VOLUMES,
            VolumeRecord.of,
            selection=Selection(labels=_OURS),
            indices={"owner": _by_owner},
        )
        self.replicas = _children_of(api, DEPLOYMENTS, ReplicaRecord.of)
        self.claims = _children_of(api, PERSISTENT_VOLUME_CLAIMS, ClaimRecord.of)
        self.children = {
            resource.kind: _children_of(api, resource, compact) for resource in _CHILDREN
        }
        self.children[PERSISTENT_VOLUME_CLAIMS.kind] = self.claims
        self.children[DEPLOYMENTS.kind] = self.replicas

    def holders_of(self, node: str) -> tuple[PodView | DeviceClaimView, ...]:
        """All pods of a node, and the claims that hold GPUs there."""
        return (*self.pods.by("node", node), *self.device_claims.by("node", node))

    def of_kind(self, kind: str) -> Informer[Compact]:
        """Where the children of that kind are."""
        return self.volumes if kind == PERSISTENT_VOLUMES.kind else self.children[kind]

    def all(self) -> tuple[Informer[Any], ...]:
        """Every informer."""
        return (
            self.deployments,
            self.approvals,
            self.signatures,
            self.mirrors,
            self.gpunodes,
            self.nodes,
            self.namespaces,
            self.pods,
            self.device_claims,
            self.policies,
            self.bindings,
            self.volumes,
            *self.children.values(),
        )

    async def synced(self) -> None:
        """Waits until every first list is in memory."""
        await asyncio.gather(*(informer.synced.wait() for informer in self.all()))
