"""Whether blocks and groups of quantised weights survive the split over GPUs.

Weights that share a scale must stay together: what one GPU gets has to be whole blocks or groups.
vLLM checks it while it builds each layer; core/engines/legality.py asks here in the same order.
Latent attention is not judged: the ranks of its queries and values are not among the facts. Pure.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.core.engines.refusal import LayoutRefusal

__all__ = ["broken_attention", "broken_experts", "broken_feed_forward"]

_COMPRESSED: Final = "compressed-tensors"
_PACKED: Final = frozenset({"int4", "int8"})
_LET_OFF: Final = frozenset({"fp8", "deepseek_v4_fp8"})


class _Width(NamedTuple):
    """A width of one GPU that must be whole blocks or groups."""

    what: str
    width: int


def broken_attention(architecture: Architecture, size: int) -> Iterator[LayoutRefusal]:
    """Projections of queries, keys and values, and the one back; where the heads divide."""
    heads, key_value = architecture.attention_heads, architecture.key_value_heads
    if heads % size:
        return
    query = _Width("query", heads // size * architecture.head_dimension)
    key = _Width("key-value", max(1, key_value // size) * architecture.head_dimension)
    yield from _rows(architecture, (query, key))
    yield from _columns(architecture, query, size)


def broken_feed_forward(architecture: Architecture, size: int) -> Iterator[LayoutRefusal]:
    """Of the dense layers, and of the experts that every token uses."""
    experts = architecture.experts
    if experts is None or experts.intermediate_size != architecture.intermediate_size:
        yield from _feed_forward(architecture, "feed-forward", architecture.intermediate_size, size)
    if experts is not None and experts.shared:
        shared = experts.shared * experts.intermediate_size
        yield from _feed_forward(architecture, "shared experts'", shared, size)


def broken_experts(architecture: Architecture, size: int) -> Iterator[LayoutRefusal]:
    """Of the routed experts, which have checks and words of their own.

    vllm-project/vllm:vllm/model_executor/layers/quantization/utils/fp8_utils.py,
    compressed_tensors/compressed_tensors_moe/compressed_tensors_moe_wna16.py
    """
    experts, numbers = architecture.experts, architecture.quantization
    if experts is None or numbers is None or experts.intermediate_size % size:
        return
    width = _Width("expert", experts.intermediate_size // size)
    if numbers.block and width.width % numbers.block[0]:
        words = (
            f"ValueError: The output_size of gate's and up's weight = {width.width} is not "
            f"divisible by weight quantization block_n = {numbers.block[0]}."
        )
        yield _refusal(width, f"blocks of {numbers.block[0]} rows", words)
    if numbers.block and size > 1 and width.width % numbers.block[1]:
        words = (
            f"ValueError: The input_size of down's weight = {width.width} is not divisible by "
            f"weight quantization block_k = {numbers.block[1]}."
        )
        yield _refusal(width, f"blocks of {numbers.block[1]} columns", words)
    group = numbers.group_size
    grouped = numbers.method == _COMPRESSED and architecture.dtype in _PACKED
    if grouped and group and width.width % group:
        words = (
            "ValueError: CompressedTensors WNA16 MoE with static group scales requires the MoE "
            f"intermediate size per tensor-parallel partition ({width.width}) to be divisible by "
            f"group_size ({group}). …"
        )
        yield _refusal(width, f"groups of {group}", words)


def _feed_forward(
    architecture: Architecture, what: str, whole: int, size: int
) -> Iterator[LayoutRefusal]:
    if whole % size:
        return
    width = _Width(what, whole // size)
    yield from _rows(architecture, (width,))
    yield from _columns(architecture, width, size)


def _rows(architecture: Architecture, widths: tuple[_Width, ...]) -> Iterator[LayoutRefusal]:
    """What a layer puts out, in blocks; also on one GPU, where several weights are joined to one.

    vllm-project/vllm:vllm/model_executor/layers/quantization/utils/fp8_utils.py; a layer of joined
    weights is let off by layers/linear.py where the method itself knows its blocks.
    """
    numbers = architecture.quantization
    if numbers is None or not numbers.block or numbers.method in _LET_OFF:
        return
    rows = numbers.block[0]
    for width in widths:
        if width.width % rows:
            words = (
                f"ValueError: Weight output_partition_size = {width.width} is not divisible by "
                f"weight quantization block_n = {rows}."
            )
            yield _refusal(width, f"blocks of {rows} rows", words)


def _columns(architecture: Architecture, width: _Width, size: int) -> Iterator[LayoutRefusal]:
    """What a layer takes in, in blocks or groups, once it is split."""
    numbers = architecture.quantization
    if numbers is None or size == 1:
        return
    if numbers.block and width.width % numbers.block[1]:
        words = (
            f"ValueError: Weight input_size_per_partition = {width.width} is not divisible by "
            f"weight quantization block_k = {numbers.block[1]}."
        )
        yield _refusal(width, f"blocks of {numbers.block[1]} columns", words)
    group = numbers.group_size or 0
    if architecture.dtype in _PACKED and 0 < group < width.width * size and width.width % group:
        words = (
            f"ValueError: Weight input_size_per_partition={width.width} … is not divisible by "
            f"group_size={group}. …"
        )
        known = numbers.method == _COMPRESSED  # which kernel others come upon first is not known
        yield _refusal(width, f"groups of {group}", words if known else "")


def _refusal(width: _Width, parts: str, engine: str) -> LayoutRefusal:
    return LayoutRefusal(
        reasons.QUANTIZATION_NOT_DIVISIBLE,
        f"the {width.what} width {width.width} of one GPU is no whole number of {parts}, in which "
        "the weights are quantised",
        engine,
    )
