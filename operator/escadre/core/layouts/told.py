"""Layouts in the words of the API: one that is planned, and those that were refused.

core/layouts/search.py decides them, and says them from here; why none holds a wish is nofit.py's
to say. Pure.
"""

import math
import re
from collections.abc import Sequence
from typing import Final

from escadre.api.deployment import REJECTED, Capacity, Layout, MemoryArithmetic, RejectedLayout
from escadre.core.engines.refusal import LayoutRefusal
from escadre.core.engines.shape import Shape, shape_of
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.facts.model import Wish
from escadre.core.layouts.candidate import Candidate, GPUProduct
from escadre.core.layouts.shapes import MOST_GPUS
from escadre.core.layouts.trial import Trial

__all__ = [
    "bounded",
    "explain_override",
    "layout_of",
    "rejected",
    "short_product",
]

_TOLD: Final = 4
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


def layout_of(trial: Trial, one: Candidate) -> Layout:
    """The layout with its flags and its arithmetic."""
    need, fill, limits, shape = trial.need, one.fill, one.limits, one.shape
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
        text_only=True if trial.text_only else None,
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
            required_tokens=need.tokens(limits.max_num_seqs, fill.groups),
            full_length_requests=fill.blocks // fill.groups.blocks_for(need.context),
            typical_requests=fill.blocks // fill.groups.blocks_for(need.typical),
        ),
    )


def bounded(groups: Sequence[tuple[RejectedLayout, ...]]) -> tuple[RejectedLayout, ...]:
    """The refusals of all products that a status holds; each product's last ones say the most.

    Of shapes with the same number of GPUs the one that is tried first speaks for the others.
    """
    groups = [_telling(group) for group in groups]
    if sum(len(group) for group in groups) > REJECTED.most:
        share = max(1, REJECTED.most // len(groups))
        groups = [group[-share:] for group in groups]
    return tuple(REJECTED.cut([one for group in groups for one in group]))


def _telling(group: tuple[RejectedLayout, ...]) -> tuple[RejectedLayout, ...]:
    first: dict[int, RejectedLayout] = {}
    for one in group:
        first.setdefault(shape_of(one).gpus, one)
    return tuple(first.values())


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


def explain_override(wish: Wish, refused: Sequence[RejectedLayout]) -> str:
    """What spec.layout asks for, and what stands against the first and last shape it allows."""
    sizes = (("tp", wish.tensor_parallel_size), ("pp", wish.pipeline_parallel_size))
    words = [f"{name}{size}" for name, size in sizes if size is not None]
    if wish.product:
        words += [f"on {wish.product}" if words else wish.product]
    asks = f"spec.layout asks for {' '.join(words)}"
    if not refused:  # both sizes are given, and nothing could be tried
        gpus = math.prod(size or 1 for _, size in sizes)
        return f"{asks}: {gpus:,} GPUs, and a replica has {MOST_GPUS} at most"
    ends = {one.product: [one] for one in reversed(refused)}
    for one in refused:
        ends[one.product][1:] = [one]
    told = dict.fromkeys(
        f"{one.product} {shape_of(one).words}: {one.message}"
        for product in sorted(ends)
        for one in ends[product]
    )
    return "; ".join([asks, *list(told)[:_TOLD]])
