"""Layouts for the deployments of one planning pass: on which products, decided once a wish."""

from collections.abc import Iterable
from dataclasses import replace

from escadre.api.deployment import Layout
from escadre.core.engines.gpu_memory import visible_bytes
from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.facts.node import NodeFacts
from escadre.core.layouts.search import GPUProduct, LayoutDecision, plan_layout
from escadre.core.profile import EngineProfile

__all__ = ["Layouts", "products_of"]


def products_of(nodes: Iterable[NodeFacts]) -> tuple[GPUProduct, ...]:
    """The GPU products of the nodes; the card that CUDA sees least of speaks for its product.

    A node that can never serve says nothing of its product, neither of its cards nor of its size.
    """
    kinds = {
        (
            node.product,
            node.memory_bytes,
            node.reserved_bytes,
            node.compute_capability,
            node.gpus,
            node.apart,
        ): None
        for node in sorted(nodes, key=lambda node: node.name)
        if node.gpus > 0 and node.product and not node.unfit
    }
    products: dict[str, GPUProduct] = {}
    for kind in kinds:  # thousands of nodes are of a few kinds
        one = GPUProduct(*kind)
        other = products.get(one.name)
        products[one.name] = one if other is None else _joined(one, other)
    return tuple(products[name] for name in sorted(products))


def _joined(one: GPUProduct, other: GPUProduct) -> GPUProduct:
    least = min(
        (one, other),
        key=lambda card: (
            visible_bytes(card.name, card.memory_bytes, card.reserved_bytes),
            card.memory_bytes,
        ),
    )
    return replace(
        least,
        compute_capability=min(one.compute_capability, other.compute_capability),
        node_gpus=max(one.node_gpus, other.node_gpus),
        apart=one.apart or other.apart,
    )


class Layouts:
    """Layout decisions of one pass; the key spares hashing an architecture a thousand times."""

    def __init__(
        self, products: tuple[GPUProduct, ...], percent: int, profile: EngineProfile
    ) -> None:
        self._products = products
        self._percent = percent
        self._profile = profile
        self._sizes = {product.name: product.node_gpus for product in products}
        self._decisions: dict[tuple[str, str, Wish], LayoutDecision] = {}

    def decide(self, model: ApprovedModel, wish: Wish) -> LayoutDecision:
        """The layout for a model and a wish on today's products."""
        key = (model.approval, model.approval_uid, wish)
        if key not in self._decisions:
            self._decisions[key] = plan_layout(
                model.architecture, wish, self._products, self._percent, self._profile
            )
        return self._decisions[key]

    def has_room(self, layout: Layout) -> bool:
        """Whether some node has so many GPUs of the layout's product, free or not."""
        return layout.gpus <= self._sizes.get(layout.product, 0)
