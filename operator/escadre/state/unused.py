"""Nodes with GPUs that cannot be planned with, for whoever misses GPUs. Pure."""

from collections.abc import Sequence

from escadre.api.gpunode import GPU
from escadre.core.facts.node import Unused
from escadre.state.nodes import memory_of, told_product
from escadre.state.views import NodeView
from escadre.state.views.unoffered import (
    LABEL_CAPABILITY,
    LABEL_MEMORY,
    LABEL_PRODUCT,
    unlabelled,
)

__all__ = ["unused"]


def unused(node: NodeView, gpus: Sequence[GPU] = ()) -> Unused | None:
    """Of a node of which state/nodes.py makes no facts; None for one without GPUs.

    ``gpus`` are what its agent says, where its word counts.
    """
    why = node.unoffered or (_undescribed(node, gpus) if node.gpus else "")
    if not why or node.terminating:
        return None
    return Unused(node.name, node.labels.get(LABEL_PRODUCT) or told_product(gpus), why)


def _undescribed(node: NodeView, gpus: Sequence[GPU]) -> str:
    if not node.labels.get(LABEL_PRODUCT) and not told_product(gpus):
        return unlabelled(node.labels)
    if memory_of(node, gpus):
        return (
            f"has no label {LABEL_CAPABILITY}, and its agent does not tell the compute capability"
        )
    memory = node.labels.get(LABEL_MEMORY, "")
    if not memory:
        return f"has no label {LABEL_MEMORY}, and its agent does not tell the memory"
    return f"has a label {LABEL_MEMORY} that is no number of MiB: {memory}"
