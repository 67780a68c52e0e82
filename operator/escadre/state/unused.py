"""Nodes with GPUs that cannot be planned with, for whoever misses GPUs. Pure."""

from escadre.core.facts.node import Unused
from escadre.state.views import NodeView
from escadre.state.views.unoffered import (
    LABEL_CAPABILITY,
    LABEL_MEMORY,
    LABEL_PRODUCT,
    unlabelled,
)

__all__ = ["unused"]


def unused(node: NodeView) -> Unused | None:
    """Of a node of which state/nodes.py makes no facts; None for one without GPUs."""
    why = node.unoffered or (_undescribed(node) if node.gpus else "")
    if not why or node.terminating:
        return None
    return Unused(node.name, node.labels.get(LABEL_PRODUCT, ""), why)


def _undescribed(node: NodeView) -> str:
    if not node.labels.get(LABEL_PRODUCT):
        return unlabelled(node.labels)
    memory = node.labels.get(LABEL_MEMORY, "")
    if not memory:
        return f"has no label {LABEL_MEMORY}, and its agent does not tell the memory"
    if not memory.isdecimal():
        return f"has a label {LABEL_MEMORY} that is no number of MiB: {memory}"
    return f"has no label {LABEL_CAPABILITY}, and its agent does not tell the compute capability"
