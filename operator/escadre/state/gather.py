"""From the caches to the frozen snapshot that the fleet plan is made from. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from escadre.api.gpunode import MirrorSource, WantedWeights
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey, ReplicaFacts
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.model import Wish
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.belief import NodeBelief, believe
from escadre.core.replicas.rollout import choose_leaving
from escadre.settings import Settings
from escadre.state.caches import Caches
from escadre.state.judge import DeploymentApproval
from escadre.state.memory import Memory
from escadre.state.observe import Observed, observe
from escadre.state.views import DeploymentView, GPUNodeView, NodeView, PodView

__all__ = ["belief_of", "deployment_facts", "node_facts", "snapshot"]

MEBIBYTE = 1 << 20
PREFIX = "nvidia.com"


def belief_of(
    caches: Caches, node: NodeView, gpunode: GPUNodeView | None, now: float
) -> NodeBelief | None:
    """What is believed of a node; None while it has no GPUNode of its own."""
    if gpunode is None or gpunode.node_uid != node.uid:
        return None
    return believe(
        node.name,
        node_uid=node.uid,
        boot_id=node.boot_id,
        status=gpunode.status,
        agent=caches.agents.of(node.name),
        now=now,
    )


def node_facts(
    caches: Caches,
    node: NodeView,
    now: float,
    tolerations: Sequence[Mapping[str, Any]] = (),
) -> NodeFacts | None:
    """A node with GPUs as planning sees it; None for one without a described GPU.

    ``tolerations`` are those of the engine pods.
    """
    gpunode = caches.gpunodes.get(node.name)
    belief = belief_of(caches, node, gpunode, now)
    trusted = gpunode.status if gpunode and belief and belief.trusted else None
    gpus = trusted.gpus if trusted else []
    first = gpus[0] if gpus else None
    product = node.labels.get(f"{PREFIX}/gpu.product") or (first.product if first else "")
    memory_label = node.labels.get(f"{PREFIX}/gpu.memory", "")
    if first:
        total = min(one.memory_bytes for one in gpus)
    elif memory_label.isdecimal():
        total = int(memory_label) * MEBIBYTE
    else:
        total = 0
    if not product or not total or not node.gpus:
        return None
    allocatable = node.gpus
    if gpus:
        allocatable = min(allocatable, sum(one.healthy for one in gpus))
    return NodeFacts(
        name=node.name,
        uid=node.uid,
        product=product,
        memory_bytes=total,
        compute_capability=_capability(node, first.compute_capability if first else ""),
        gpus=allocatable,
        gpus_foreign=sum(_foreign(pod) for pod in caches.pods.by("node", node.name)),
        reserved_bytes=first.reserved_bytes if first else None,
        nvlink=all(one.nvlink for one in gpus) if gpus else None,
        blocked="is being deleted" if node.terminating else _blocked(node, tolerations),
        agent_ready=belief is not None and belief.trusted,
        verified=belief.verified if belief else frozenset(),
        weights=belief.weights if belief else {},
        wanted=_wanted(gpunode),
    )


def _blocked(node: NodeView, tolerations: Sequence[Mapping[str, Any]]) -> str:
    if node.blocked:
        return node.blocked
    taint = node.untolerated(tolerations)
    if taint:
        return f"has the taint {taint}, which engines do not tolerate"
    sharing = node.labels.get(f"{PREFIX}/gpu.sharing-strategy", "none")
    if sharing not in {"none", ""}:
        return f"shares its GPUs ({sharing})"
    replicas = node.labels.get(f"{PREFIX}/gpu.replicas", "1")
    if replicas not in {"0", "1"}:
        return f"offers each GPU {replicas} times"
    if "MIG-" in node.labels.get(f"{PREFIX}/gpu.product", ""):
        return "offers MIG slices"
    return ""


def _capability(node: NodeView, reported: str) -> tuple[int, int]:
    major = node.labels.get(f"{PREFIX}/gpu.compute.major", "")
    minor = node.labels.get(f"{PREFIX}/gpu.compute.minor", "")
    if not major.isdecimal():
        major, _, minor = reported.partition(".")
    return (int(major) if major.isdecimal() else 0, int(minor) if minor.isdecimal() else 0)


def _foreign(pod: PodView) -> int:
    return 0 if pod.component == "engine" or pod.finished else pod.gpus


def _wanted(gpunode: GPUNodeView | None) -> tuple[WantedWeights, ...]:
    if gpunode is None:
        return ()
    try:
        return tuple(WantedWeights.model_validate(one) for one in gpunode.spec.get("weights") or ())
    except ValidationError:
        return ()  # written by another version: planned anew


def deployment_facts(
    caches: Caches,
    memory: Memory,
    platform: str,
    view: DeploymentView,
    approval: DeploymentApproval,
    desired: int,
) -> DeploymentFacts:
    """A ModelDeployment as planning sees it, with the replicas that are to leave marked.

    Made anew only when an object it is made from has another version: of a thousand deployments
    one pass finds few changed.
    """
    key = DeploymentKey(view.namespace, view.name)
    where = (view.namespace, view.name)
    records = caches.replicas.by("deployment", where)
    pods = caches.pods.by("deployment", where)
    # Versions, not the objects: those would be kept alive when newer ones have come.
    versions = [one.resource_version for one in records]
    versions += [one.resource_version for one in pods]
    seen = (view.uid, view.generation, approval.approved, approval.model, desired, *versions)
    known = memory.facts.get(key)
    if known is not None and known[0] == seen:
        return known[1]
    facts = _deployment_facts(caches, memory, platform, view, approval, desired)
    # Who is to leave is a question of demand as well, and a damaged replica one of its node.
    if len(records) <= desired and all(one.layout is not None for one in facts.replicas):
        memory.facts[key] = (seen, facts)
    else:
        memory.facts.pop(key, None)
    return facts


def _deployment_facts(
    caches: Caches,
    memory: Memory,
    platform: str,
    view: DeploymentView,
    approval: DeploymentApproval,
    desired: int,
) -> DeploymentFacts:
    replicas = observe(caches, memory, view, approval.model, platform)
    leaving = choose_leaving([one.view for one in replicas], desired)
    return DeploymentFacts(
        key=DeploymentKey(view.namespace, view.name),
        uid=view.uid,
        created=view.created,
        wish=Wish.of(view.spec),
        model=approval.model if approval.approved else None,
        min_replicas=view.spec.scaling.min_replicas if view.spec else 0,
        desired=desired,
        replicas=tuple(_replica_facts(caches, one, one.view.slot in leaving) for one in replicas),
    )


def _replica_facts(caches: Caches, one: Observed, leaving: bool) -> ReplicaFacts:
    pod, record, layout = one.pod, one.record, one.record.layout
    node = caches.nodes.get(one.node)
    product = node.labels.get(f"{PREFIX}/gpu.product", "") if node else ""
    return ReplicaFacts(
        slot=one.view.slot,
        node=one.node or None,
        # Whatever its annotations say, a pod on a node holds what it asked for.
        gpus=layout.gpus if layout else (pod.gpus if pod else 0),
        product=layout.product if layout else product,
        manifest_digest=record.inputs.manifest_digest if record.inputs else "",
        wish_matches=one.view.current and layout is not None,
        layout=layout,
        bound=pod is not None and bool(pod.node),
        ready=one.view.state == "Ready",
        draining=one.view.drain is not None,
        leaving=leaving or one.view.terminating,
    )


def snapshot(
    caches: Caches,
    settings: Settings,
    deployments: tuple[DeploymentFacts, ...],
    now: float,
) -> FleetSnapshot:
    """Everything one planning pass sees."""
    found = (
        node_facts(caches, node, now, settings.engine.tolerations) for node in caches.nodes.values()
    )
    return FleetSnapshot(
        deployments=deployments,
        nodes=tuple(sorted((one for one in found if one), key=lambda node: node.name)),
        mirrors={
            view.name: MirrorSource.model_validate(
                {"name": view.name, **view.spec.model_dump(by_alias=True)}
            )
            for view in caches.mirrors.values()
            if view.spec is not None and not view.terminating
        },
        gpu_memory_utilization_percent=settings.engine.gpu_memory_utilization_percent,
    )
