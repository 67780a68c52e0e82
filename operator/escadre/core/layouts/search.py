"""The smallest single-node layout that holds a wish, and why every smaller one does not.

core/fleet/plan.py calls it for each deployment, the command line for a dry run. It knows products,
not nodes: which node a replica goes to is the fleet's decision. Pure and deterministic, whole
numbers; what fits a GPU is core/engines/gpu_memory.py's answer, which sizes are legal
core/engines/legality.py's.

A layout fits when its cache holds one request of contextLength and ``concurrency`` requests of
typicalTokens, counted in blocks. Without a wished concurrency it is as many typical requests as
fit, 256 at most. Products are ranked: fewest GPUs, native arithmetic for the weights' type,
least memory left over (large cards stay for large models), name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.api.deployment import Layout, RejectedLayout
from escadre.core.counting import count
from escadre.core.engines.gpu_memory import BLOCK_TOKENS, blocks_for
from escadre.core.engines.legality import (
    LayoutRefusal,
    candidate_sizes,
    check_dtype,
    check_method,
    check_size,
    is_native,
)
from escadre.core.engines.shape import Shape, shape_of
from escadre.core.facts.model import Wish
from escadre.core.layouts.candidate import (
    Candidate,
    GPUProduct,
    Need,
    candidate,
    most_sequences,
    refuse_memory,
)
from escadre.core.layouts.told import bounded, layout_of, rejected
from escadre.reasons import Reason

__all__ = ["GPUProduct", "LayoutDecision", "every_refusal", "plan_layout"]

_DEFAULT_TYPICAL_TOKENS: Final = 4096
_MOST_GPUS: Final = 64


@dataclass(frozen=True, slots=True)
class LayoutDecision:
    """The best layout of each product, ranked, or why there is none."""

    alternatives: tuple[Layout, ...]
    reason: Reason
    message: str
    rejected: tuple[RejectedLayout, ...] = ()

    @property
    def layout(self) -> Layout | None:
        """The best of all, None when there is none."""
        return self.alternatives[0] if self.alternatives else None


class _Search(NamedTuple):
    """What came out of one product: its smallest layout that fits, or the best that does not."""

    fitting: Candidate | None
    closest: Candidate | None
    rejected: tuple[RejectedLayout, ...]


@lru_cache(maxsize=4096)
def plan_layout(
    architecture: Architecture,
    wish: Wish,
    products: tuple[GPUProduct, ...],
    utilization_percent: int,
    profile: EngineProfile = DEFAULT_PROFILE,
) -> LayoutDecision:
    """Decides the layout of one replica; pure, so its answers are kept for the next pass."""
    need = _need(wish)
    refusal = _refuse_wish(architecture, need, products, profile)
    if refusal is not None:
        return LayoutDecision((), refusal.reason, refusal.message)
    ordered = sorted(products, key=lambda product: product.name)
    searches = [
        _search(architecture, need, product, utilization_percent, profile) for product in ordered
    ]
    ranked = sorted(
        ((search.fitting, search.rejected) for search in searches if search.fitting is not None),
        key=lambda found: _rank(architecture, need, found[0]),
    )
    failed = [search for search in searches if search.fitting is None]
    if not ranked:
        refused = bounded([search.rejected for search in failed])
        message = _explain(architecture, need, failed, refused)
        return LayoutDecision((), reasons.NO_LAYOUT_FITS, message, refused)
    refused = bounded([*(found[1] for found in ranked), *(search.rejected for search in failed)])
    layouts = tuple(layout_of(need, fitting) for fitting, _ in ranked)
    return LayoutDecision(layouts, reasons.PLANNED, layouts[0].summary, refused)


def every_refusal(
    architecture: Architecture,
    wish: Wish,
    products: Sequence[GPUProduct],
    utilization_percent: int,
    profile: EngineProfile = DEFAULT_PROFILE,
) -> tuple[RejectedLayout, ...]:
    """Every layout that was tried and refused, also those that a status has no room for."""
    need = _need(wish)
    if _refuse_wish(architecture, need, products, profile) is not None:
        return ()
    ordered = sorted(products, key=lambda product: product.name)
    searches = (_search(architecture, need, one, utilization_percent, profile) for one in ordered)
    return tuple(refused for search in searches for refused in search.rejected)


def _need(wish: Wish) -> Need:
    return Need(
        wish.context_length,
        wish.typical_tokens or min(wish.context_length, _DEFAULT_TYPICAL_TOKENS),
        wish.concurrency,
    )


def _refuse_wish(
    architecture: Architecture,
    need: Need,
    products: Sequence[GPUProduct],
    profile: EngineProfile,
) -> LayoutRefusal | None:
    if need.context > architecture.max_context_length:
        return LayoutRefusal(
            reasons.CONTEXT_TOO_LONG,
            f"contextLength {need.context} is more than the {architecture.max_context_length} "
            "tokens the model allows",
        )
    unserved = check_method(architecture, profile)
    if unserved is not None:
        return unserved
    if need.typical > need.context:
        return LayoutRefusal(
            reasons.TYPICAL_TOKENS_TOO_LONG,
            f"typicalTokens {need.typical} is more than contextLength {need.context}",
        )
    if not any(product.node_gpus > 0 for product in products):
        return LayoutRefusal(
            reasons.NO_GPU_NODES, "no node offers GPUs with product, memory and compute capability"
        )
    return None


def _search(
    architecture: Architecture,
    need: Need,
    product: GPUProduct,
    utilization_percent: int,
    profile: EngineProfile,
) -> _Search:
    """Smallest first, past the node's size too, to say what would be needed."""
    refusal = check_dtype(architecture, product.compute_capability, profile)
    if refusal is not None:
        return _Search(None, None, (rejected(product, Shape(), refusal),))
    sliced = product.apart or "-MIG-" in product.name  # parts of GPUs have no links between them
    most = 1 if sliced else min(product.node_gpus, _MOST_GPUS)
    refused: list[RejectedLayout] = []
    closest: Candidate | None = None
    for size in candidate_sizes(architecture, 1 if sliced else _MOST_GPUS):
        shape = Shape(size)
        refusal = check_size(architecture, size)
        if refusal is not None:
            if size <= most:
                refused.append(rejected(product, shape, refusal))
            continue
        one = candidate(architecture, need, product, shape, utilization_percent)
        refusal = refuse_memory(need, one.fill)
        if size > most:
            if refusal is None:
                refused.append(rejected(product, shape, _too_small(product, size, most)))
                break
            continue
        if refusal is None:
            if need.concurrency is None:
                one = most_sequences(architecture, need, one)
            return _Search(one, None, tuple(refused))
        refused.append(rejected(product, shape, refusal))
        if closest is None or one.fill.blocks > closest.fill.blocks:
            closest = one
    return _Search(None, closest, tuple(refused))


def _too_small(product: GPUProduct, size: int, most: int) -> LayoutRefusal:
    return LayoutRefusal(
        reasons.NODE_TOO_SMALL,
        f"{size} GPUs on one node would hold it; the largest node with {product.name} has {most}",
    )


def _rank(architecture: Architecture, need: Need, one: Candidate) -> tuple[int, bool, int, str]:
    concurrency = need.concurrency or 1
    left = one.fill.blocks - need.blocks(concurrency)
    return (
        one.shape.gpus,
        not is_native(architecture, one.product.compute_capability),
        left * BLOCK_TOKENS * one.fill.bytes_per_token * one.shape.gpus,
        one.product.name,
    )


def _explain(
    architecture: Architecture,
    need: Need,
    searches: Sequence[_Search],
    refused: tuple[RejectedLayout, ...],
) -> str:
    """What was wished, the most this cluster could hold, and what would be needed."""
    parts = [f"no layout on one node holds {need.tokens(need.concurrency or 1):,} tokens of cache"]
    if need.concurrency is not None and need.concurrency * need.typical > need.context:
        parts[0] += f" ({count(need.concurrency, 'request')} of {need.typical:,} tokens)"
    close = [search.closest for search in searches if search.closest is not None]
    best = max(close, key=lambda one: (one.fill.blocks, one.product.name), default=None)
    if best is not None and best.fill.blocks:
        tokens = best.fill.blocks * BLOCK_TOKENS
        context = min(tokens, architecture.max_context_length)
        requests = count(best.fill.blocks // blocks_for(need.typical), "request")
        parts.append(
            f"the most is {tokens:,} tokens on {best.shape.gpus}×{best.product.name}: "
            f"contextLength up to {context}, or {requests} of {need.typical:,} tokens"
        )
    parts.extend(
        f"{shape_of(one).gpus}×{one.product} on one node would hold it, none has so many"
        for one in [one for one in refused if one.reason == reasons.NODE_TOO_SMALL][:2]
    )
    if len(parts) == 1:
        parts.extend(f"{one.product}: {one.message}" for one in refused[-2:])
    return "; ".join(parts)
