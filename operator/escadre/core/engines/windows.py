"""How vLLM's cache serves layers that see all tokens beside layers that see a window of them.

The engine sorts the layers into groups of equal size, each with all its layers of one kind, and
gives every group blocks of its own from one pool: a block holds 16 tokens for the layers of one
group. A group with a window keeps the window and the tokens in flight, however long the request
(vllm-project/vllm:vllm/v1/core/kv_cache_utils.py _get_kv_cache_groups_uniform_page_size,
vllm/v1/kv_cache_interface.py SlidingWindowSpec). core/engines/gpu_memory.py and core/layouts ask.
Pure, whole numbers.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from escadre.api.approval import Architecture
from escadre.core.engines.amounts import ceil_div

__all__ = ["BLOCK_TOKENS", "CacheGroups", "cache_groups"]

BLOCK_TOKENS: Final = 16  # tokens per block of the key-value cache, vLLM's default on CUDA


@dataclass(frozen=True, slots=True)
class CacheGroups:
    """Groups of layers that each take blocks of their own.

    Args:
        layers: in one group, on the GPU that has most of them.
        full: groups that keep every token.
        sliding: groups that keep a window.
        held: most tokens that those keep of one request.
    """

    layers: int
    full: int = 1
    sliding: int = 0
    held: int = 0

    def blocks_for(self, tokens: int) -> int:
        """Blocks of the pool that a request of ``tokens`` takes; a window may begin in one."""
        blocks = self.full * _blocks(tokens)
        if self.sliding:
            blocks += self.sliding * (_blocks(min(tokens, self.held)) + 1)
        return blocks

    def longest(self, blocks: int, most: int) -> int:
        """The longest request that ``blocks`` hold, up to ``most`` tokens; 0: none at all."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            if self.blocks_for(middle) <= blocks:
                low = middle
            else:
                high = middle - 1
        return low


def cache_groups(
    architecture: Architecture, tokens_in_flight: int, layers: int | None = None
) -> CacheGroups:
    """The groups of a model, or of one pipeline stage of it.

    A group has as many layers as there are of the rarer kind, or of the commoner one when that is
    less than half as many again; a last group that is not full is padded.

    Args:
        architecture: of the whole model.
        tokens_in_flight: scheduled and not yet done, which no window lets go of.
        layers: that one GPU holds, all of them where it is not said.
    """
    window = architecture.sliding_window
    layers = architecture.layers if layers is None else layers
    if window is None or architecture.latent_attention is not None:
        return _alike(layers)
    held = window.tokens - 1 + tokens_in_flight
    full, sliding = window.full_layers, window.pattern_layers - window.full_layers
    if not full:
        return CacheGroups(layers, full=0, sliding=1, held=held)
    size, most = min(full, sliding), max(full, sliding)
    if 2 * most < 3 * size:
        size = most
    repeats = ceil_div(layers, window.pattern_layers)
    return CacheGroups(
        layers=min(layers, repeats * size),
        full=ceil_div(full, size),
        sliding=ceil_div(sliding, size),
        held=held,
    )


@lru_cache(maxsize=256)
def _alike(layers: int) -> CacheGroups:
    """One group of all layers: one object for thousands of layouts."""
    return CacheGroups(layers)


def _blocks(tokens: int) -> int:
    return ceil_div(tokens, BLOCK_TOKENS)
