"""How fast the layouts of a wish would be: for `escadre plan -v`. Pure.

The speed of a product is that of the catalogue (core/engines/cards.py); one that it does not have
counts as the most alike, and is told so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from escadre.api.approval import Architecture
from escadre.api.deployment import Layout
from escadre.cli.shared import speeds
from escadre.cli.shared.tables import grid
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.speed import Speed, speed_of
from escadre.core.engines.textonly import without_encoder
from escadre.core.layouts.candidate import GPUProduct
from escadre.core.layouts.shapes import card_for

__all__ = ["Paced", "document", "paced", "view"]


@dataclass(frozen=True, slots=True)
class Paced:
    """A layout and its speed; ``like``: the product whose speed it has, None for its own."""

    layout: Layout
    speed: Speed
    like: str | None


def paced(
    architecture: Architecture, layouts: Sequence[Layout], products: Sequence[GPUProduct]
) -> tuple[Paced, ...]:
    """The speed of each layout of a model on the products of the fleet."""
    known = {product.name: product for product in products}
    leaves_out = any(one.text_only for one in layouts)
    served = without_encoder(architecture) if leaves_out else architecture
    return tuple(_paced(served, one, known[one.product]) for one in layouts)


def _paced(architecture: Architecture, layout: Layout, product: GPUProduct) -> Paced:
    card = card_for(product)
    limits = EngineLimits(
        layout.tensor_parallel_size,
        layout.max_num_seqs,
        layout.max_num_batched_tokens,
        layout.pipeline_parallel_size,
    )
    return Paced(layout, speed_of(architecture, limits, card.rates), card.derived_from)


def view(found: Sequence[Paced]) -> Table:
    """Tokens per second, with the wish's typical tokens in the cache of each request."""
    table = grid("  LAYOUT", "PROMPTS", "ONE ALONE", "ALL AT ONCE", "")
    for one in found:
        layout = one.layout
        requests = layout.max_num_seqs
        prompts, alone, each = speeds.cells(one.speed, requests, layout.typical_tokens)
        like = f"as {one.like}" if one.like else ""
        table.add_row(f"  {layout.summary}", prompts, alone, f"{requests} × {each}", like)
    return table


def document(found: Sequence[Paced]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {
            "layout": one.layout.summary,
            "product": one.layout.product,
            "speedOf": one.like or one.layout.product,
            **speeds.document(one.speed),
        }
        for one in found
    ]
