"""Which of the cards that an agent reports its node gives to pods. Pure.

NVML sees every NVIDIA card. A device plugin may be told to leave some out, like a small one that
drives a display: pods never get those, so they are no GPUs here. Cards of other makers are in
neither.
"""

from collections import Counter
from collections.abc import Sequence

from escadre.api.gpunode import GPU
from escadre.state.views import NodeView
from escadre.state.views.unoffered import LABEL_PRODUCT

__all__ = ["given_out"]


def given_out(node: NodeView, cards: Sequence[GPU]) -> Sequence[GPU]:
    """Without those that are left out, where numbers tell which they are; else all of them.

    The device plugin announces as many devices as there are cards of one product: the one that the
    label names, or without a label the only such product.
    """
    kinds = Counter(one.product for one in cards if one.product)
    if len(kinds) < 2 or not 0 < node.devices < len(cards):  # noqa: PLR2004 - of two kinds
        return cards
    label = node.labels.get(LABEL_PRODUCT)
    fitting = [kind for kind, number in kinds.items() if number == node.devices]
    chosen = [kind for kind in fitting if kind == label] if label else fitting
    if len(chosen) != 1:
        return cards
    return [one for one in cards if one.product == chosen[0]]
