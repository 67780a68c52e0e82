"""Why no engine may go to a node, in words, from its Node and its agent's report. Pure.

state/nodes.py asks. What never passes by itself (shared, sliced and different GPUs) is told apart
from what does (cordoned, tainted, not Ready): a node of the first kind can never serve.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from escadre.api.gpunode import GPU
from escadre.names import NODE_LABEL_PRODUCT, is_label_value
from escadre.state.views import NodeView
from escadre.state.views.meta import GPU_RESOURCE
from escadre.state.views.unoffered import LABEL_PRODUCT

__all__ = ["passing", "unfit", "unplaceable", "whole_cards"]

_PREFIX: Final = "nvidia.com"


def passing(node: NodeView, tolerations: Sequence[Mapping[str, Any]]) -> str:
    """What may end without anybody changing how the GPUs are offered; "" for nothing."""
    if node.terminating:
        return "is being deleted"
    if node.blocked:
        return node.blocked
    taint = node.untolerated(tolerations)
    if taint:
        return f"has the taint {taint}, which engines do not tolerate"
    return ""


def unplaceable(node: NodeView, product: str) -> str:
    """Whether no engine can ask for the node's product, which its agent told; "" if one can.

    controller/node.py labels the node with it as soon as it looks at it.
    """
    if node.labels.get(LABEL_PRODUCT) or node.labels.get(NODE_LABEL_PRODUCT) == product:
        return ""
    if is_label_value(product):
        return f"is not labelled {NODE_LABEL_PRODUCT}={product} yet"
    return f"has GPUs whose name no label can hold, {product}: run GPU feature discovery"


def unfit(node: NodeView, gpus: Sequence[GPU]) -> str:
    """What stays until somebody offers the GPUs otherwise; "" for nothing.

    ``gpus`` are those that a believed agent reports, empty without one.
    """
    return _shared(node, gpus) or _sliced(node, gpus) or _different(node, gpus)


def whole_cards(gpus: Sequence[GPU]) -> int:
    """GPUs of the report that can be used, and are not sliced."""
    return sum(one.healthy and not one.mig for one in gpus)


def _shared(node: NodeView, gpus: Sequence[GPU]) -> str:
    sharing = node.labels.get(f"{_PREFIX}/gpu.sharing-strategy", "none")
    if sharing not in {"none", ""}:
        return f"shares its GPUs ({sharing})"
    replicas = node.labels.get(f"{_PREFIX}/gpu.replicas", "1")
    if replicas not in {"0", "1", ""}:
        return f"offers each GPU {replicas} times"
    # A device plugin can share GPUs without any label. The larger count speaks: a card that fell
    # off the bus is still offered for a while.
    label = node.labels.get(f"{_PREFIX}/gpu.count", "")
    cards = max(len(gpus), int(label) if label.isdecimal() else 0)
    if cards and node.gpus > cards:
        return f"shares its GPUs: it offers {node.gpus} {GPU_RESOURCE} and has {cards} cards"
    return ""


def _sliced(node: NodeView, gpus: Sequence[GPU]) -> str:
    if "MIG-" in node.labels.get(LABEL_PRODUCT, ""):
        return "offers MIG slices"
    sliced = sum(one.mig for one in gpus)
    whole = len(gpus) - sliced
    beside = node.labels.get(f"{_PREFIX}/mig.strategy") == "mixed"  # slices have their own resource
    if not sliced or (beside and node.gpus <= whole):
        return ""
    return f"has {sliced} of {len(gpus)} GPUs in MIG mode"


def _different(node: NodeView, gpus: Sequence[GPU]) -> str:
    """Pods get any card of the node, and are planned for the one that its label names."""
    known = [one for one in gpus if one.product]
    label = node.labels.get(LABEL_PRODUCT) or (known[0].product if known else "")
    named = [one for one in known if one.product == label] or known[:1]
    if not named:
        return ""
    memory = min(one.memory_bytes for one in named)
    capability = named[0].compute_capability
    odd = {
        one.product
        for one in known
        if one.product != named[0].product
        and (
            0 < one.memory_bytes < memory
            or (one.compute_capability and one.compute_capability != capability)
        )
    }
    if not odd:
        return ""
    others = " and ".join(sorted(odd))
    return f"has different GPUs, {others} beside {named[0].product}: pods may get either"
