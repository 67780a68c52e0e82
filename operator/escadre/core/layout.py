"""The smallest single-node layout that holds a wish, and why every smaller one does not.

core/fleet.py calls it for each deployment, the command line for a dry run. It knows products, not
nodes: which node a replica goes to is the fleet's decision. Pure and deterministic, whole numbers;
what fits a GPU is core/memory.py's answer, which sizes are legal core/legality.py's.

A layout fits when its cache holds one request of contextLength and ``concurrency`` requests of
typicalTokens, counted in blocks. Without a wished concurrency it is as many typical requests as
fit, 256 at most. Products are ranked: fewest GPUs, native arithmetic for the weights' type,
least memory left over (large cards stay for large models), name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

from escadre.api.approval import Architecture
from escadre.api.deployment import Capacity, MemoryArithmetic, Plan, RejectedLayout
from escadre.core.facts import Wish
from escadre.core.legality import LayoutRefusal, candidate_sizes, check_dtype, check_size, is_native
from escadre.core.memory import (
    BLOCK_TOKENS,
    EngineLimits,
    GPUFill,
    batched_tokens,
    blocks_for,
    effective_utilization,
    fill_gpu,
    overhead_bytes,
    visible_bytes,
)

__all__ = ["GPUProduct", "LayoutDecision", "plan_layout", "short_product"]

_DEFAULT_TYPICAL_TOKENS: Final = 4096
_MOST_DEFAULT_CONCURRENCY: Final = 256
_MOST_GPUS: Final = 64
_MOST_REJECTED: Final = 32
_GIGA: Final = 10**9
_NOISE: Final = re.compile(
    r"-(SXM\d*|HBM\d\w*|PCIE|PCIe|Blackwell|Server|Workstation|Edition|Generation|Ada)(?=-|$)"
)


@dataclass(frozen=True, slots=True)
class GPUProduct:
    """A GPU product of the cluster; ``node_gpus`` is the most of them on one node."""

    name: str
    memory_bytes: int
    reserved_bytes: int | None
    compute_capability: tuple[int, int]
    node_gpus: int


@dataclass(frozen=True, slots=True)
class LayoutDecision:
    """The layout, or why there is none.

    ``alternatives`` are the best layouts of each product, ranked; the first is ``plan``.
    """

    plan: Plan | None
    alternatives: tuple[Plan, ...]
    reason: str
    message: str
    rejected: tuple[RejectedLayout, ...] = ()


class _Need(NamedTuple):
    context: int
    typical: int
    concurrency: int | None

    def tokens(self, concurrency: int) -> int:
        return max(self.context, concurrency * self.typical)

    def blocks(self, concurrency: int) -> int:
        return max(blocks_for(self.context), concurrency * blocks_for(self.typical))


class _Candidate(NamedTuple):
    product: GPUProduct
    limits: EngineLimits
    utilization_percent: int
    fill: GPUFill

    @property
    def size(self) -> int:
        return self.limits.tensor_parallel_size


class _Search(NamedTuple):
    """What came out of one product: its smallest layout that fits, or the best that does not."""

    fitting: _Candidate | None
    closest: _Candidate | None
    rejected: tuple[RejectedLayout, ...]


@lru_cache(maxsize=4096)
def plan_layout(
    architecture: Architecture,
    wish: Wish,
    products: tuple[GPUProduct, ...],
    utilization_percent: int,
) -> LayoutDecision:
    """Decides the layout of one replica; pure, so its answers are kept for the next pass."""
    need = _Need(
        wish.context_length,
        wish.typical_tokens or min(wish.context_length, _DEFAULT_TYPICAL_TOKENS),
        wish.concurrency,
    )
    refusal = _refuse_wish(architecture, need, products)
    if refusal is not None:
        return LayoutDecision(None, (), refusal.reason, refusal.message)
    ordered = sorted(products, key=lambda product: product.name)
    searches = [_search(architecture, need, product, utilization_percent) for product in ordered]
    ranked = sorted(
        ((search.fitting, search.rejected) for search in searches if search.fitting is not None),
        key=lambda found: _rank(architecture, need, found[0]),
    )
    failed = [search for search in searches if search.fitting is None]
    if not ranked:
        rejected = _bounded([search.rejected for search in failed])
        message = _explain(architecture, need, failed, rejected)
        return LayoutDecision(None, (), "NoLayoutFits", message, rejected)
    rejected = _bounded([*(found[1] for found in ranked), *(search.rejected for search in failed)])
    plans = tuple(
        _plan(need, fitting, wish.target_queue_depth, rejected if index == 0 else smaller)
        for index, (fitting, smaller) in enumerate(ranked)
    )
    return LayoutDecision(plans[0], plans, "Planned", plans[0].summary, rejected)


def short_product(name: str) -> str:
    """A product's name as people say it: NVIDIA-H100-80GB-HBM3 is H100."""
    short = re.sub(r"^(NVIDIA|Tesla|Quadro)-(GeForce-)?", "", name)
    short = _NOISE.sub("", short)
    if short.startswith("H100"):
        short = short.replace("-80GB", "")
    return short[:40] or name[:40]


def _refuse_wish(
    architecture: Architecture, need: _Need, products: Sequence[GPUProduct]
) -> LayoutRefusal | None:
    if need.context > architecture.max_context_length:
        return LayoutRefusal(
            "ContextTooLong",
            f"contextLength {need.context} is more than the {architecture.max_context_length} "
            "tokens the model allows",
        )
    if need.typical > need.context:
        return LayoutRefusal(
            "TypicalTokensTooLong",
            f"typicalTokens {need.typical} is more than contextLength {need.context}",
        )
    if not any(product.node_gpus > 0 for product in products):
        return LayoutRefusal(
            "NoGPUNodes", "no node offers GPUs with product, memory and compute capability"
        )
    return None


def _search(
    architecture: Architecture, need: _Need, product: GPUProduct, utilization_percent: int
) -> _Search:
    """Smallest first, past the node's size too, to say what would be needed."""
    refusal = check_dtype(architecture, product.compute_capability)
    if refusal is not None:
        return _Search(None, None, (_reject(product, 1, refusal),))
    sliced = "-MIG-" in product.name  # slices of a GPU have no links between them
    most = 1 if sliced else min(product.node_gpus, _MOST_GPUS)
    rejected: list[RejectedLayout] = []
    closest: _Candidate | None = None
    for size in candidate_sizes(architecture, 1 if sliced else _MOST_GPUS):
        refusal = check_size(architecture, size)
        if refusal is not None:
            if size <= most:
                rejected.append(_reject(product, size, refusal))
            continue
        candidate = _candidate(architecture, need, product, size, utilization_percent)
        refusal = _refuse_memory(need, candidate)
        if size > most:
            if refusal is None:
                rejected.append(_reject(product, size, _too_small(product, size, most)))
                break
            continue
        if refusal is None:
            if need.concurrency is None:
                candidate = _most_sequences(architecture, need, candidate)
            return _Search(candidate, None, tuple(rejected))
        rejected.append(_reject(product, size, refusal))
        if closest is None or candidate.fill.blocks > closest.fill.blocks:
            closest = candidate
    return _Search(None, closest, tuple(rejected))


def _candidate(
    architecture: Architecture,
    need: _Need,
    product: GPUProduct,
    size: int,
    utilization_percent: int,
) -> _Candidate:
    """The layout with the wished concurrency, or one request: see _most_sequences."""
    visible = visible_bytes(product.name, product.memory_bytes, product.reserved_bytes)
    percent = effective_utilization(visible, utilization_percent)
    sequences = need.concurrency or 1
    limits = EngineLimits(size, sequences, batched_tokens(visible, sequences))
    fill = fill_gpu(architecture, limits, visible, percent)
    return _Candidate(product, limits, percent, fill)


def _most_sequences(architecture: Architecture, need: _Need, one: _Candidate) -> _Candidate:
    """The layout with as many sequences as typical requests fit beside contextLength, at most 256.

    More sequences cost more overhead, so what fits falls with them: a binary search finds it. What
    the cache holds at the upper bound is a lower bound, mostly close.
    """

    def with_sequences(sequences: int) -> _Candidate:
        visible = one.fill.visible_bytes
        limits = EngineLimits(one.size, sequences, batched_tokens(visible, sequences))
        overhead = overhead_bytes(architecture, limits)
        return one._replace(limits=limits, fill=replace(one.fill, overhead_bytes=overhead))

    typical = blocks_for(need.typical)
    high = min(_MOST_DEFAULT_CONCURRENCY, one.fill.blocks // typical)
    low, best = 1, one
    middle = max(1, min(high, with_sequences(high).fill.blocks // typical))
    while low < high:
        tried = with_sequences(middle)
        if tried.fill.blocks >= need.blocks(middle):
            low, best = middle, tried
        else:
            high = middle - 1
        middle = (low + high + 1) // 2
    return best


def _refuse_memory(need: _Need, candidate: _Candidate) -> LayoutRefusal | None:
    fill = candidate.fill
    if fill.blocks == 0:
        return LayoutRefusal(
            "WeightsTooLarge",
            f"each GPU would hold {_gigabytes(fill.weights_bytes)} of weights and "
            f"{_gigabytes(fill.overhead_bytes)} of overhead, but has "
            f"{_gigabytes(fill.usable_bytes)} usable",
        )
    concurrency = need.concurrency or 1
    if fill.blocks >= need.blocks(concurrency):
        return None
    what = (
        f"one request of {need.context} tokens"
        if need.blocks(concurrency) == blocks_for(need.context)
        else f"{concurrency} requests of {need.typical} tokens"
    )
    return LayoutRefusal(
        "CacheTooSmall",
        f"{what} need {need.blocks(concurrency) * BLOCK_TOKENS} tokens of key-value cache; "
        f"{_gigabytes(fill.cache_bytes)} beside the weights hold {fill.blocks * BLOCK_TOKENS}, "
        f"at {fill.bytes_per_token} bytes per token on each GPU",
    )


def _too_small(product: GPUProduct, size: int, most: int) -> LayoutRefusal:
    return LayoutRefusal(
        "NodeTooSmall",
        f"{size} GPUs on one node would hold it; the largest node with {product.name} has {most}",
    )


def _rank(
    architecture: Architecture, need: _Need, candidate: _Candidate
) -> tuple[int, bool, int, str]:
    concurrency = need.concurrency or 1
    left = candidate.fill.blocks - need.blocks(concurrency)
    return (
        candidate.size,
        not is_native(architecture, candidate.product.compute_capability),
        left * BLOCK_TOKENS * candidate.fill.bytes_per_token * candidate.size,
        candidate.product.name,
    )


def _plan(
    need: _Need,
    candidate: _Candidate,
    target_queue_depth: int | None,
    rejected: tuple[RejectedLayout, ...],
) -> Plan:
    fill, limits, size = candidate.fill, candidate.limits, candidate.size
    return Plan(
        summary=f"{size}×{short_product(candidate.product.name)} tp{size}",
        product=candidate.product.name,
        gpus=size,
        tensor_parallel_size=size,
        pipeline_parallel_size=1,
        max_model_len=need.context,
        max_num_seqs=limits.max_num_seqs,
        max_num_batched_tokens=limits.max_num_batched_tokens,
        gpu_memory_utilization_percent=candidate.utilization_percent,
        typical_tokens=need.typical,
        target_queue_depth=target_queue_depth or -(-3 * limits.max_num_seqs // 4),
        memory=MemoryArithmetic(
            visible_bytes=fill.visible_bytes,
            usable_bytes=fill.usable_bytes,
            weights_bytes=fill.weights_bytes,
            overhead_bytes=fill.overhead_bytes,
            key_value_cache_bytes=fill.cache_bytes,
            key_value_bytes_per_token=fill.bytes_per_token,
        ),
        capacity=Capacity(
            key_value_tokens=fill.blocks * BLOCK_TOKENS,
            required_tokens=need.tokens(limits.max_num_seqs),
            full_length_requests=fill.blocks // blocks_for(need.context),
            typical_requests=fill.blocks // blocks_for(need.typical),
        ),
        rejected=list(rejected),
    )


def _explain(
    architecture: Architecture,
    need: _Need,
    searches: Sequence[_Search],
    rejected: tuple[RejectedLayout, ...],
) -> str:
    """What was wished, the most this cluster could hold, and what would be needed."""
    parts = [f"no layout on one node holds {need.tokens(need.concurrency or 1)} tokens of cache"]
    if need.concurrency is not None and need.concurrency * need.typical > need.context:
        parts[0] += f" ({need.concurrency} requests of {need.typical} tokens)"
    close = [search.closest for search in searches if search.closest is not None]
    best = max(close, key=lambda one: (one.fill.blocks, one.product.name), default=None)
    if best is not None and best.fill.blocks:
        tokens = best.fill.blocks * BLOCK_TOKENS
        context = min(tokens, architecture.max_context_length)
        parts.append(
            f"the most is {tokens} tokens on {best.size}×{best.product.name}: contextLength up to "
            f"{context}, or {best.fill.blocks // blocks_for(need.typical)} requests of "
            f"{need.typical} tokens"
        )
    parts.extend(
        f"{one.tensor_parallel_size}×{one.product} on one node would hold it, none has so many"
        for one in [one for one in rejected if one.reason == "NodeTooSmall"][:2]
    )
    if len(parts) == 1:
        parts.extend(f"{one.product}: {one.message}" for one in rejected[-2:])
    return "; ".join(parts)


def _bounded(groups: Sequence[tuple[RejectedLayout, ...]]) -> tuple[RejectedLayout, ...]:
    """The refusals of all products, 32 at most; each product's last ones say the most."""
    if sum(len(group) for group in groups) > _MOST_REJECTED:
        share = max(1, _MOST_REJECTED // len(groups))
        groups = [group[-share:] for group in groups]
    return tuple(one for group in groups for one in group)[:_MOST_REJECTED]


def _reject(product: GPUProduct, size: int, refusal: LayoutRefusal) -> RejectedLayout:
    return RejectedLayout(
        product=product.name[:128],
        tensor_parallel_size=size,
        reason=refusal.reason,
        message=refusal.message[:512],
    )


def _gigabytes(amount: int) -> str:
    """Decimal gigabytes with one digit, by whole-number arithmetic."""
    tenths = abs(amount) * 10 // _GIGA
    return f"{'-' if amount < 0 else ''}{tenths // 10}.{tenths % 10} GB"
