"""A node with GPUs as planning sees it, from its Node, its GPUNode and its pods. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from escadre import reasons
from escadre.api.gpunode import GPU, WantedWeights
from escadre.core.facts.node import NodeFacts, Unbelieved
from escadre.core.fleet.belief import AgentView, NodeBelief, believe
from escadre.state.views import GPUNodeView, NodeView, PodView

__all__ = ["belief_of", "node_facts"]

_MEBIBYTE: Final = 1 << 20
_PREFIX: Final = "nvidia.com"
_UNTOLD: Final = Unbelieved(reasons.AGENT_NOT_READY, "it has no GPUNode of its own yet")

Tolerations = Sequence[Mapping[str, Any]]


def belief_of(
    node: NodeView, gpunode: GPUNodeView | None, agent: AgentView, now: float
) -> NodeBelief | None:
    """What is believed of a node; None while it has no GPUNode of its own."""
    if gpunode is None or gpunode.node_uid != node.uid:
        return None
    return believe(
        node_uid=node.uid,
        boot_id=node.boot_id,
        status=gpunode.status,
        agent=agent,
        now=now,
    )


def node_facts(
    node: NodeView,
    gpunode: GPUNodeView | None,
    belief: NodeBelief | None,
    pods: Sequence[PodView],
    tolerations: Tolerations,
) -> NodeFacts | None:
    """The facts; None for a node without a described GPU.

    ``pods`` are all of the node, ``tolerations`` those of the engine pods.
    """
    trusted = gpunode.status if gpunode and belief and belief.trusted else None
    gpus = trusted.gpus if trusted else []
    first = gpus[0] if gpus else None
    product = node.labels.get(f"{_PREFIX}/gpu.product") or (first.product if first else "")
    memory = _memory(node, gpus)
    if not product or not memory or not node.gpus:
        return None
    return NodeFacts(
        name=node.name,
        uid=node.uid,
        product=product,
        memory_bytes=memory,
        compute_capability=_capability(node, first.compute_capability if first else ""),
        gpus=min(node.gpus, sum(one.healthy for one in gpus)) if gpus else node.gpus,
        gpus_foreign=sum(_foreign(pod) for pod in pods),
        reserved_bytes=first.reserved_bytes if first else None,
        blocked="is being deleted" if node.terminating else _blocked(node, tolerations),
        unbelieved=belief.unbelieved if belief else _UNTOLD,
        verified=belief.verified if belief else frozenset(),
        weights=belief.weights if belief else {},
        wanted=_wanted(gpunode),
    )


def _memory(node: NodeView, gpus: Sequence[GPU]) -> int:
    """Of the smallest GPU as the agent measured it, else as the node's label tells; 0 unknown."""
    if gpus:
        return min(one.memory_bytes for one in gpus)
    label = node.labels.get(f"{_PREFIX}/gpu.memory", "")
    return int(label) * _MEBIBYTE if label.isdecimal() else 0


def _blocked(node: NodeView, tolerations: Tolerations) -> str:
    if node.blocked:
        return node.blocked
    taint = node.untolerated(tolerations)
    if taint:
        return f"has the taint {taint}, which engines do not tolerate"
    sharing = node.labels.get(f"{_PREFIX}/gpu.sharing-strategy", "none")
    if sharing not in {"none", ""}:
        return f"shares its GPUs ({sharing})"
    replicas = node.labels.get(f"{_PREFIX}/gpu.replicas", "1")
    if replicas not in {"0", "1"}:
        return f"offers each GPU {replicas} times"
    if "MIG-" in node.labels.get(f"{_PREFIX}/gpu.product", ""):
        return "offers MIG slices"
    return ""


def _capability(node: NodeView, reported: str) -> tuple[int, int]:
    major = node.labels.get(f"{_PREFIX}/gpu.compute.major", "")
    minor = node.labels.get(f"{_PREFIX}/gpu.compute.minor", "")
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
