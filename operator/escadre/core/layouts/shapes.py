"""Which shapes of a replica are tried on a GPU product, and in which order.

core/layouts/search.py judges them one after the other: for throughput the first that holds the
wish is taken, for latency the fastest of those that stay among GPUs joined by NVLink. Pure.

Where NVLink joins the GPUs of a node, tensor parallelism alone comes first, and stages only where
no tensor parallel size holds the wish. Across PCIe every layer's sums cross the bus, and vLLM's own
all-reduce is off beyond two GPUs (vllm-project/vllm:vllm/distributed/device_communicators/
custom_all_reduce.py): there stages of one or two GPUs come before more tensor parallelism, which is
what vLLM recommends (docs/serving/parallelism_scaling.md).

Stages make up a power of two GPUs, or the whole node: what is left over is then of use to others.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from escadre.core.engines.cards import Card, card_of, is_switched
from escadre.core.engines.shape import Shape
from escadre.core.facts.model import Wish
from escadre.core.layouts.candidate import GPUProduct

__all__ = [
    "MOST_GPUS",
    "beyond",
    "card_for",
    "inside_links",
    "is_parted",
    "linked_gpus",
    "most_on_a_node",
    "within",
]

MOST_GPUS: Final = 64
_PAIR: Final = 2


def is_parted(product: GPUProduct) -> bool:
    """Whether its GPUs are parts of a GPU, which have no links between them."""
    return product.apart or "-MIG-" in product.name


def most_on_a_node(product: GPUProduct) -> int:
    """GPUs of one node that one replica may have."""
    return 1 if is_parted(product) else min(product.node_gpus, MOST_GPUS)


@lru_cache(maxsize=256)
def card_for(product: GPUProduct) -> Card:
    """The card that the product is, or the one whose speed is taken for it."""
    return card_of(product.name, product.memory_bytes >> 20, product.compute_capability)


def linked_gpus(product: GPUProduct) -> int:
    """How many GPUs of one node NVLink joins, 1 where none.

    Of a card that is not known by its name, for links are not like those of a card that is alike.
    """
    card = card_for(product)
    joined = card.rates.nvlink_domain.value if card.derived_from is None else MOST_GPUS
    if card.derived_from is not None and not is_switched(product.name):
        joined = 1
    return max(1, min(joined, most_on_a_node(product)))


def inside_links(shape: Shape, product: GPUProduct) -> bool:
    """Whether all its GPUs share each layer and no sum of theirs crosses PCIe."""
    return shape.pipeline == 1 and shape.tensor <= linked_gpus(product)


def within(sizes: tuple[int, ...], product: GPUProduct, wish: Wish) -> tuple[Shape, ...]:
    """Shapes on one node, the first to be tried first; ``sizes`` as candidate_sizes gives them."""
    most, linked = most_on_a_node(product), linked_gpus(product) > 1
    shapes = _shapes(sizes, most, wish.tensor_parallel_size, wish.pipeline_parallel_size)
    return _in_order(shapes, linked)


def beyond(sizes: tuple[int, ...], product: GPUProduct, wish: Wish) -> Iterator[Shape]:
    """Shapes that need a larger node than there is, in the order in which they would be tried."""
    most = most_on_a_node(product)
    shapes = _shapes(sizes, MOST_GPUS, wish.tensor_parallel_size, wish.pipeline_parallel_size)
    ordered = _in_order(shapes, linked=linked_gpus(product) > 1)
    return (shape for shape in ordered if shape.gpus > most)


@lru_cache(maxsize=1024)
def _shapes(
    sizes: tuple[int, ...], most: int, tensor: int | None, pipeline: int | None
) -> tuple[Shape, ...]:
    """Every shape of at most so many GPUs that the wish leaves open, legal or not."""
    counts = {most, *(1 << power for power in range(most.bit_length()))}
    found: set[Shape] = set()
    for size in sizes if tensor is None else (tensor,):
        stages = {1, *(gpus // size for gpus in counts if gpus % size == 0)}
        found.update(Shape(size, number) for number in (stages if pipeline is None else {pipeline}))
    return tuple(one for one in found if one.gpus <= most)


@lru_cache(maxsize=1024)
def _in_order(shapes: tuple[Shape, ...], linked: bool) -> tuple[Shape, ...]:
    def order(shape: Shape) -> tuple[int, ...]:
        staged = linked and shape.pipeline > 1
        return (staged, shape.gpus, not linked and shape.tensor > _PAIR, -shape.tensor)

    return tuple(sorted(shapes, key=order))
