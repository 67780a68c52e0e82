"""Which shapes of a replica are tried on a GPU product, and in which order.

core/layouts/search.py judges them one after the other: for throughput the first that holds the
wish is taken, for latency the fastest of those that stay among GPUs joined by NVLink. Pure.
"""

import re
from collections.abc import Iterator
from typing import Final

from escadre.api.approval import Architecture
from escadre.core.engines.legality import candidate_sizes
from escadre.core.engines.shape import Shape
from escadre.core.facts.model import Wish
from escadre.core.layouts.candidate import GPUProduct

__all__ = ["beyond", "inside_links", "linked_gpus", "most_on_a_node", "within"]

_MOST_GPUS: Final = 64
# Cards on a board with NVLink switches; -NVL and -PCIe are single cards, at most bridged in pairs.
_LINKED: Final = re.compile(r"SXM\d*|HBM\d\w*|H20|H200|H800|B[23]00|GB[23]00|GH200")


def most_on_a_node(product: GPUProduct) -> int:
    """GPUs of one node that one replica may have; parts of a GPU have no links between them."""
    if product.apart or "-MIG-" in product.name:
        return 1
    return min(product.node_gpus, _MOST_GPUS)


def linked_gpus(product: GPUProduct) -> int:
    """How many GPUs of one node NVLink joins, 1 where none: by the product's name.

    Every such board's name is known; a product that is not known has its GPUs on PCIe.
    """
    words = set(product.name.split("-"))
    linked = "NVL" not in words and any(_LINKED.fullmatch(word) for word in words)
    return most_on_a_node(product) if linked else 1


def inside_links(shape: Shape, product: GPUProduct) -> bool:
    """Whether no token crosses PCIe between GPUs."""
    return shape.gpus <= linked_gpus(product)


def within(architecture: Architecture, product: GPUProduct, wish: Wish) -> Iterator[Shape]:
    """Shapes on one node, the first to be tried first."""
    most = most_on_a_node(product)
    sizes = _asked(wish.tensor_parallel_size) or candidate_sizes(architecture, most)
    yield from (Shape(size) for size in sizes if size <= most)


def beyond(architecture: Architecture, product: GPUProduct, wish: Wish) -> Iterator[Shape]:
    """Shapes that need a larger node than there is, to say what would hold the wish."""
    most = most_on_a_node(product)
    if product.apart or "-MIG-" in product.name:
        return
    sizes = _asked(wish.tensor_parallel_size) or candidate_sizes(architecture, _MOST_GPUS)
    yield from (Shape(size) for size in sizes if size > most)


def _asked(size: int | None) -> tuple[int, ...]:
    return () if size is None else (size,)
