"""Layouts in the words of the API: one that is planned, and those that were refused.

core/layouts/search.py decides them, and says them from here. Pure.
"""

import re
from collections.abc import Sequence
from typing import Final

from escadre.api.deployment import REJECTED, Capacity, Layout, MemoryArithmetic, RejectedLayout
from escadre.core.engines.gpu_memory import BLOCK_TOKENS, blocks_for
from escadre.core.engines.refusal import LayoutRefusal
from escadre.core.engines.shape import Shape
from escadre.core.layouts.candidate import Candidate, GPUProduct, Need

__all__ = ["bounded", "layout_of", "rejected", "short_product"]

_NOISE: Final = re.compile(
    r"-(SXM\d*|HBM\d\w*|PCIE|PCIe|Blackwell|Server|Workstation|Edition|Generation|Ada)(?=-|$)"
)


def short_product(name: str) -> str:
    """A product's name as people say it: NVIDIA-H100-80GB-HBM3 is H100."""
    short = re.sub(r"^(NVIDIA|Tesla|Quadro)-(GeForce-)?", "", name)
    short = _NOISE.sub("", short)
    if short.startswith("H100"):
        short = short.replace("-80GB", "")
    return short[:40] or name[:40]


def layout_of(need: Need, one: Candidate) -> Layout:
    """The layout with its flags and its arithmetic."""
    fill, limits, shape = one.fill, one.limits, one.shape
    return Layout(
        summary=f"{shape.gpus}×{short_product(one.product.name)} {shape.words}",
        product=one.product.name,
        gpus=shape.gpus,
        tensor_parallel_size=shape.tensor,
        pipeline_parallel_size=shape.pipeline,
        max_model_len=need.context,
        max_num_seqs=limits.max_num_seqs,
        max_num_batched_tokens=limits.max_num_batched_tokens,
        gpu_memory_utilization_percent=one.utilization_percent,
        typical_tokens=need.typical,
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
    )


def bounded(groups: Sequence[tuple[RejectedLayout, ...]]) -> tuple[RejectedLayout, ...]:
    """The refusals of all products that a status holds; each product's last ones say the most."""
    if sum(len(group) for group in groups) > REJECTED.most:
        share = max(1, REJECTED.most // len(groups))
        groups = [group[-share:] for group in groups]
    return tuple(REJECTED.cut([one for group in groups for one in group]))


def rejected(product: GPUProduct, shape: Shape, refusal: LayoutRefusal) -> RejectedLayout:
    """A shape on a product with what stands against it."""
    stages = {"pipeline_parallel_size": shape.pipeline} if shape.pipeline > 1 else {}
    return RejectedLayout(
        product=product.name,
        tensor_parallel_size=shape.tensor,
        **stages,
        reason=refusal.reason,
        message=refusal.message,
    )
