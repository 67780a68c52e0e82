"""A node with GPUs as planning sees it, from its Node, its GPUNode and its pods. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from escadre import reasons
from escadre.api.gpunode import GPU, GPUNodeSpec
from escadre.core.facts.node import NodeFacts, Unbelieved
from escadre.core.fleet.belief import AgentView, NodeBelief, believe
from escadre.names import is_label_value
from escadre.state.cards import given_out
from escadre.state.closed import passing, unfit, unplaceable, whole_cards
from escadre.state.views import DeviceClaimView, GPUNodeView, NodeView, PodView
from escadre.state.views.unoffered import LABEL_CAPABILITY, LABEL_MEMORY, LABEL_PRODUCT

__all__ = [
    "belief_of",
    "memory_of",
    "node_facts",
    "own_label",
    "told_gpus",
    "told_product",
]

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
    holders: Sequence[PodView | DeviceClaimView],
    tolerations: Tolerations,
) -> NodeFacts | None:
    """The facts; None for a node without a described GPU.

    ``holders`` are all pods of the node and the claims of its GPUs, ``tolerations`` those of the
    engine pods.
    """
    gpus = told_gpus(node, gpunode, belief)
    product = node.labels.get(LABEL_PRODUCT) or told_product(gpus)
    memory, capability = memory_of(node, gpus), _capability(node, gpus)
    if not product or not memory or not capability or not node.gpus:
        return None
    lasting, told = unfit(node, gpus), _told(gpunode)
    return NodeFacts(
        name=node.name,
        uid=node.uid,
        product=product,
        memory_bytes=memory,
        compute_capability=capability,
        gpus=min(node.gpus, whole_cards(gpus)) if gpus else node.gpus,
        gpus_foreign=sum(_foreign(one) for one in holders),
        reserved_bytes=next((one.reserved_bytes for one in gpus if one.reserved_bytes), None),
        blocked=lasting or passing(node, tolerations) or unplaceable(node, product),
        unfit=bool(lasting),
        apart=node.labels.get(f"{_PREFIX}/vgpu.present") == "true",
        unbelieved=belief.unbelieved if belief else _UNTOLD,
        verified=belief.verified if belief else frozenset(),
        weights=belief.weights if belief else {},
        wanted=tuple(told.weights),
        mirrors=tuple(told.mirrors),
    )


def told_gpus(
    node: NodeView, gpunode: GPUNodeView | None, belief: NodeBelief | None
) -> Sequence[GPU]:
    """What the agent says of the GPUs that pods get, where its word counts."""
    if gpunode is None or belief is None or not belief.trusted:
        return ()
    return given_out(node, gpunode.status.gpus)


def told_product(gpus: Sequence[GPU]) -> str:
    """The product that an agent tells first, which speaks for the node; "" where it tells none."""
    return next((one.product for one in gpus if one.product), "")


def own_label(node: NodeView, gpus: Sequence[GPU]) -> str:
    """The product that the operator labels the node with: where feature discovery names none."""
    product = "" if node.labels.get(LABEL_PRODUCT) else told_product(gpus)
    return product if is_label_value(product) else ""


def memory_of(node: NodeView, gpus: Sequence[GPU]) -> int:
    """Of the smallest GPU as NVML measured it, else as the label tells, else the machine's.

    0 is unknown. Whoever labels a node with unified memory may leave some of it to the system.
    """
    measured = [one for one in gpus if one.memory_bytes and one.memory_source is None]
    if measured:
        return min(one.memory_bytes for one in measured)
    label = node.labels.get(LABEL_MEMORY, "")
    if label.isdecimal() and int(label):
        return int(label) * _MEBIBYTE
    return min((one.memory_bytes for one in gpus if one.memory_bytes), default=0)


def _capability(node: NodeView, gpus: Sequence[GPU]) -> tuple[int, int] | None:
    major = node.labels.get(LABEL_CAPABILITY, "")
    minor = node.labels.get(f"{_PREFIX}/gpu.compute.minor", "")
    if not major.isdecimal():
        told = (one.compute_capability for one in gpus if one.compute_capability)
        major, _, minor = next(told, "").partition(".")
    return (int(major), int(minor) if minor.isdecimal() else 0) if major.isdecimal() else None


def _foreign(one: PodView | DeviceClaimView) -> int:
    if isinstance(one, DeviceClaimView):
        return one.gpus
    return 0 if one.component == "engine" or one.finished else one.gpus


def _told(gpunode: GPUNodeView | None) -> GPUNodeSpec:
    """What the node was told last."""
    try:
        return GPUNodeSpec.model_validate(gpunode.spec if gpunode else {})
    except ValidationError:
        return GPUNodeSpec()  # written by another version: planned anew
