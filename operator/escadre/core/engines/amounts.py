"""Whole-number arithmetic of what fills a GPU: units of bytes, division, the padded vocabulary.

core/engines counts with it. Pure.
"""

from typing import Final

from escadre.api.approval import Architecture

__all__ = ["GIB", "MIB", "ceil_div", "padded_vocabulary", "up_projected_width"]

MIB: Final = 1 << 20  # bytes
GIB: Final = 1 << 30
_PADDING: Final = 64


def ceil_div(amount: int, parts: int) -> int:
    """One of so many equal parts, rounded up."""
    return -(-amount // parts)


def up_projected_width(architecture: Architecture, heads: int) -> int:
    """Numbers that so many heads of latent attention make of one latent: their keys and values."""
    latent = architecture.latent_attention
    values = latent.value_head_dimension if latent is not None else None
    return heads * (architecture.head_dimension + (values or architecture.head_dimension))


def padded_vocabulary(architecture: Architecture) -> int:
    """Entries of embedding and head as vLLM lays them out: a multiple of 64.

    vllm-project/vllm:vllm/model_executor/layers/vocab_parallel_embedding.py
    """
    return ceil_div(architecture.vocabulary_size, _PADDING) * _PADDING
