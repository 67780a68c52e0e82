"""Whether blocks and groups of quantised weights survive the split over GPUs.

Weights that share a scale must stay together: what one GPU gets has to be whole blocks or groups.
vLLM checks it while it builds each layer, of groups when it looks for a kernel;
core/engines/legality.py asks here in the same order. Of latent attention only what approvals say of
its dimensions is judged. Pure.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from escadre import reasons
from escadre.api.approval import Architecture, LatentAttention
from escadre.core.engines.refusal import LayoutRefusal

__all__ = ["broken_attention", "broken_experts", "broken_feed_forward"]

_COMPRESSED: Final = "compressed-tensors"
_PACKED: Final = frozenset({"int4", "int8"})
_LET_OFF: Final = frozenset({"fp8", "deepseek_v4_fp8"})
_AWQ: Final = frozenset({"awq", "auto_awq", "awq_marlin"})
_GPTQ: Final = frozenset({"gptq", "auto_gptq", "gptq_marlin"})
_MODELOPT_FP4: Final = frozenset({"modelopt", "modelopt_fp4"})
_LEAST_GROUP: Final = 32  # of experts, whose groups vLLM halves until they fit
_HALF_BYTES: Final = 16  # numbers along the input, which ModelOpt's FP4 wants in multiples
# vllm-project/vllm:vllm/model_executor/layers/quantization/auto_awq.py (where Marlin is no choice),
# vllm/model_executor/kernels/linear choose_mp_linear_kernel.
_UNALIGNED: Final = (
    "ValueError: The input size is not aligned with the quantized weight shape. This can be caused "
    "by too large tensor parallel size."
)
_NO_KERNEL: Final = (
    "ValueError: Failed to find a kernel that can implement the WNA16 linear layer. …"
)
_NOT_OF_16: Final = "ValueError: Unsupported model when in features size is not multiple of 16"


class _Width(NamedTuple):
    """A width of one GPU that must be whole blocks or groups."""

    what: str
    width: int


def broken_attention(architecture: Architecture, size: int) -> Iterator[LayoutRefusal]:
    """Projections of queries, keys and values, and the one back; where the heads divide."""
    heads, key_value = architecture.attention_heads, architecture.key_value_heads
    if heads % size:
        return
    if architecture.latent_attention is not None:
        yield from _latent(architecture, architecture.latent_attention, size)
        return
    query = _Width("query", heads // size * architecture.head_dimension)
    key = _Width("key-value", max(1, key_value // size) * architecture.head_dimension)
    yield from _rows(architecture, (query, key))
    yield from _columns(architecture, query, size)


def _latent(
    architecture: Architecture, latent: LatentAttention, size: int
) -> Iterator[LayoutRefusal]:
    """Projections down to the latents, whole on every GPU; up from them; and the one back.

    vllm-project/vllm:vllm/model_executor/models/deepseek_v2.py; of the joined ones down only the
    last need not be whole blocks, which are the keys'.
    """
    heads = architecture.attention_heads // size
    if latent.query_rank is not None:
        yield from _rows(architecture, (_Width("query latent's", latent.query_rank),))
    if size == 1:
        return
    keys = architecture.head_dimension
    yield from _split_rows(architecture, "query", heads * (keys + latent.rope_head_dimension))
    if latent.value_head_dimension is not None:
        value = heads * latent.value_head_dimension
        yield from _split_rows(architecture, "key-value", heads * keys + value)
        yield from _columns(architecture, _Width("value", value), size)


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
    group = numbers.group_size if architecture.dtype in _PACKED else None
    if (
        group
        and numbers.method in _AWQ | _GPTQ
        and _halved(architecture, width.width, group) < (_LEAST_GROUP)
    ):
        yield _refusal(width, f"groups of {_LEAST_GROUP}", "AssertionError")
    if group and numbers.method == _COMPRESSED and width.width % group:
        words = (
            "ValueError: CompressedTensors WNA16 MoE with static group scales requires the MoE "
            f"intermediate size per tensor-parallel partition ({width.width}) to be divisible by "
            f"group_size ({group}). …"
        )
        yield _refusal(width, f"groups of {group}", words)


def _halved(architecture: Architecture, width: int, group: int) -> int:
    """The group that vLLM makes of one too large for an expert, by halving it.

    vllm-project/vllm:vllm/model_executor/layers/quantization/moe_wna16.py create_weights, which
    repeats the scales; where groups fit, Marlin takes them as they are.
    """
    while group and (width % group or architecture.hidden_size % group):
        group //= 2
    return group


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
    if numbers is None or numbers.method in _LET_OFF:
        return
    for width in widths:
        yield from _split_rows(architecture, width.what, width.width)


def _split_rows(architecture: Architecture, what: str, width: int) -> Iterator[LayoutRefusal]:
    """The same of a layer of one weight that is split, which no method lets off."""
    numbers = architecture.quantization
    if numbers is None or not numbers.block or width % numbers.block[0] == 0:
        return
    words = (
        f"ValueError: Weight output_partition_size = {width} is not divisible by weight "
        f"quantization block_n = {numbers.block[0]}."
    )
    yield _refusal(_Width(what, width), f"blocks of {numbers.block[0]} rows", words)


def _columns(architecture: Architecture, width: _Width, size: int) -> Iterator[LayoutRefusal]:
    """What a layer takes in: in blocks once it is split, in groups always."""
    numbers = architecture.quantization
    if numbers is None:
        return
    if numbers.block and size > 1 and width.width % numbers.block[1]:
        words = (
            f"ValueError: Weight input_size_per_partition = {width.width} is not divisible by "
            f"weight quantization block_k = {numbers.block[1]}."
        )
        yield _refusal(width, f"blocks of {numbers.block[1]} columns", words)
    group = numbers.group_size or 0
    if architecture.dtype in _PACKED and 0 < group < width.width * size and width.width % group:
        yield _refusal(width, f"groups of {group}", _words_of_groups(numbers.method))
    halves = architecture.dtype == "float4" and numbers.method in _MODELOPT_FP4
    if halves and width.width % _HALF_BYTES:
        yield _refusal(width, f"groups of {_HALF_BYTES}", _NOT_OF_16)


def _words_of_groups(method: str) -> str:
    """What vLLM prints of a group that is cut, where it is known; on Hopper it is more at times."""
    if method in _AWQ:
        return _UNALIGNED
    return _NO_KERNEL if method in _GPTQ | {_COMPRESSED} else ""


def _refusal(width: _Width, parts: str, engine: str) -> LayoutRefusal:
    return LayoutRefusal(
        reasons.QUANTIZATION_NOT_DIVISIBLE,
        f"the {width.what} width {width.width} of one GPU is no whole number of {parts}, in which "
        "the weights are quantised",
        engine,
    )
