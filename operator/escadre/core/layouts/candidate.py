"""One layout on one GPU product: its flags, how it fills a GPU, and whether a wish fits.

core/layouts/search.py makes candidates, smallest first, and takes the first that fits;
core/layouts/estimate.py asks for the words only.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.core.decimals import in_tenths
from escadre.core.engines.cards import may_be_switched
from escadre.core.engines.gpu_memory import (
    GPUFill,
    batched_tokens,
    cache_layers,
    effective_utilization,
    fill_gpu,
    overhead_bytes,
    visible_bytes,
)
from escadre.core.engines.legality import LayoutRefusal
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.shape import Shape
from escadre.core.engines.windows import BLOCK_TOKENS, CacheGroups
from escadre.core.memoryterms import MemoryTerms

__all__ = [
    "Candidate",
    "Engine",
    "GPUProduct",
    "Need",
    "candidate",
    "memory_words",
    "most_sequences",
    "refuse_memory",
]

_MOST_DEFAULT_CONCURRENCY: Final = 256
_GIGA: Final = 10**9


@dataclass(frozen=True, slots=True)
class GPUProduct:
    """A GPU product of the cluster; ``node_gpus`` is the most of them on one node.

    ``apart``: no two of them work together.
    """

    name: str
    memory_bytes: int
    reserved_bytes: int | None
    compute_capability: tuple[int, int]
    node_gpus: int
    apart: bool = False


class Need(NamedTuple):
    """What a replica must hold; ``concurrency`` None: as many typical requests as fit."""

    context: int
    typical: int
    concurrency: int | None

    def tokens(self, concurrency: int, groups: CacheGroups | None = None) -> int:
        """Tokens of cache, as the status shows them; with windows what its blocks have room for."""
        if groups is not None and groups.sliding:
            return self.blocks(concurrency, groups) * BLOCK_TOKENS
        return max(self.context, concurrency * self.typical)

    def blocks(self, concurrency: int, groups: CacheGroups) -> int:
        """Blocks of cache: each request rounds up."""
        return max(groups.blocks_for(self.context), concurrency * groups.blocks_for(self.typical))

    def words(self, groups: CacheGroups) -> str:
        """What takes the blocks, with its verb."""
        concurrency = self.concurrency or 1
        if self.blocks(concurrency, groups) == groups.blocks_for(self.context):
            return f"one request of {self.context:,} tokens needs"
        return f"{concurrency:,} requests of {self.typical:,} tokens need"


class Candidate(NamedTuple):
    """A shape on a product, with the flags and the memory that follow."""

    product: GPUProduct
    shape: Shape
    limits: EngineLimits
    utilization_percent: int
    fill: GPUFill


class Engine(NamedTuple):
    """How full it may make a GPU in percent, and what it takes beside weights and cache."""

    utilization_percent: int
    terms: MemoryTerms


def candidate(
    architecture: Architecture, need: Need, product: GPUProduct, shape: Shape, engine: Engine
) -> Candidate:
    """The layout with the wished concurrency, or one request: see most_sequences."""
    visible = visible_bytes(product.name, product.memory_bytes, product.reserved_bytes)
    percent = effective_utilization(visible, engine.utilization_percent)
    sequences = need.concurrency or 1
    limits = EngineLimits(
        tensor_parallel_size=shape.tensor,
        max_num_seqs=sequences,
        max_num_batched_tokens=batched_tokens(visible, sequences),
        pipeline_parallel_size=shape.pipeline,
        terms=engine.terms,
        switched=may_be_switched(product.name),
    )
    fill = fill_gpu(architecture, limits, visible, percent)
    return Candidate(product, shape, limits, percent, fill)


def most_sequences(architecture: Architecture, need: Need, one: Candidate) -> Candidate:
    """The layout with as many sequences as typical requests fit beside contextLength, at most 256.

    More sequences cost more overhead, so what fits falls with them: a binary search finds it. What
    the cache holds at the upper bound is a lower bound, mostly close.
    """

    def with_sequences(sequences: int) -> Candidate:
        visible = one.fill.visible_bytes
        limits = replace(
            one.limits,
            max_num_seqs=sequences,
            max_num_batched_tokens=batched_tokens(visible, sequences),
        )
        if one.shape.pipeline > 1:  # another stage may be the tightest
            fill = fill_gpu(architecture, limits, visible, one.utilization_percent)
            return one._replace(limits=limits, fill=fill)
        overhead = overhead_bytes(architecture, limits)
        groups = cache_layers(architecture, limits)
        fill = replace(one.fill, overhead_bytes=overhead, groups=groups)
        return one._replace(limits=limits, fill=fill)

    typical = one.fill.groups.blocks_for(need.typical)
    high = min(_MOST_DEFAULT_CONCURRENCY, one.fill.blocks // typical)
    low, best = 1, one
    middle = max(1, min(high, with_sequences(high).fill.blocks // typical))
    while low < high:
        tried = with_sequences(middle)
        if tried.fill.blocks >= need.blocks(middle, tried.fill.groups):
            low, best = middle, tried
        else:
            high = middle - 1
        middle = (low + high + 1) // 2
    return best


def refuse_memory(need: Need, fill: GPUFill) -> LayoutRefusal | None:
    """Why the wish does not fit the memory, None when it does."""
    if fill.blocks == 0:
        return LayoutRefusal(reasons.WEIGHTS_TOO_LARGE, memory_words(fill))
    concurrency = need.concurrency or 1
    needed = need.blocks(concurrency, fill.groups)
    if fill.blocks >= needed:
        return None
    return LayoutRefusal(
        reasons.CACHE_TOO_SMALL,
        f"{need.words(fill.groups)} {needed * BLOCK_TOKENS:,} tokens of key-value cache; "
        f"{_gigabytes(fill.cache_bytes)} beside the weights hold {fill.blocks * BLOCK_TOKENS:,}, "
        f"at {fill.bytes_per_token:,} bytes per token on each GPU",
    )


def memory_words(fill: GPUFill) -> str:
    """What would be on a GPU that has no room for any cache."""
    return (
        f"each GPU would hold {_gigabytes(fill.weights_bytes)} of weights and "
        f"{_gigabytes(fill.overhead_bytes)} of overhead, but has "
        f"{_gigabytes(fill.usable_bytes)} usable"
    )


def _gigabytes(amount: int) -> str:
    return f"{in_tenths(amount, _GIGA)} GB"
