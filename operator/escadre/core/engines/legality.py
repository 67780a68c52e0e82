"""Which tensor parallel sizes vLLM accepts for a model on a GPU.

core/layouts/search.py asks before it counts memory. vLLM would refuse the same sizes, but only
after its processes started, with an assertion without context; here each refusal names the numbers,
and beside them what vLLM prints. `escadre layout legal` shows both.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from escadre import reasons
from escadre.api.approval import Architecture, Experts
from escadre.core.engines.amounts import padded_vocabulary
from escadre.core.engines.refusal import LayoutRefusal
from escadre.core.engines.shards import broken_attention, broken_experts, broken_feed_forward
from escadre.core.profile import DEFAULT_PROFILE, EngineProfile
from escadre.core.weights.numberformat import not_served

__all__ = [
    "NATIVE_CAPABILITY",
    "LayoutRefusal",
    "candidate_sizes",
    "check_dtype",
    "check_method",
    "check_size",
    "is_native",
]

# Methods without a fall-back on Turing, by their get_min_capability:
# vllm-project/vllm:vllm/model_executor/layers/quantization (modelopt, mxfp4, experts_int8).
_FROM_8_0: Final = frozenset(
    {"modelopt", "modelopt_mxfp8", "mxfp8", "mxfp4", "gpt_oss_mxfp4", "experts_int8"}
)
NATIVE_CAPABILITY: Final[dict[str, tuple[int, int]]] = {
    "bfloat16": (8, 0),
    "float16": (7, 0),
    "float32": (8, 0),
    "float8": (8, 9),
    "float4": (10, 0),
    "int8": (7, 5),
    "int4": (7, 5),
}
# Of vllm-project/vllm:vllm/model_executor/models/llama.py and mixtral.py (key-value heads),
# layers/linear.py (feed-forward width) and layers/fused_moe/config.py (experts): bare asserts.
_SILENT: Final = "AssertionError"
_LATENT_CAPABILITY: Final = ((9, 0), (11, 0))  # from, below


def candidate_sizes(architecture: Architecture, most: int) -> tuple[int, ...]:
    """Sizes worth judging, up to ``most``: powers of two and divisors of the attention heads.

    Only sizes that split the padded vocabulary evenly: it never excludes a power of two up to 64,
    and whatever else it excludes would only fill the list of what was rejected.
    """
    padded = padded_vocabulary(architecture)
    return tuple(
        size
        for size in range(1, most + 1)
        if padded % size == 0
        and (size & (size - 1) == 0 or architecture.attention_heads % size == 0)
    )


@lru_cache(maxsize=8192)  # asked for each product and each wish alike
def check_size(architecture: Architecture, size: int) -> LayoutRefusal | None:
    """The first rule that tensor parallel size ``size`` breaks, None when it is legal."""
    return next(_broken_rules(architecture, size), None)


def check_dtype(
    architecture: Architecture,
    capability: tuple[int, int],
    profile: EngineProfile = DEFAULT_PROFILE,
) -> LayoutRefusal | None:
    """Whether a GPU of this compute capability can run the weights' type.

    bfloat16 is no reason against one: without --dtype vLLM computes in float16 where it must
    (vllm-project/vllm:vllm/config/model.py _resolve_auto_dtype). vllm/config/vllm.py (quantised
    weights), docs/getting_started/installation/gpu.cuda.inc.md (7.5 and above for any).
    """
    lowest = profile.lowest_capability  # quantised weights run on Marlin from there
    numbers = architecture.quantization
    method = numbers.method if numbers and numbers.method in _FROM_8_0 else ""
    if method:
        lowest = max(lowest, (8, 0))
    if capability >= lowest:
        return None
    engine = (
        f"ValueError: The quantization method {method} is not supported for the current GPU. "
        f"Minimum capability: 80. Current capability: {capability[0]}{capability[1]}."
    )
    return LayoutRefusal(
        reasons.DTYPE_NOT_SUPPORTED,
        f"{method or architecture.dtype} weights need compute capability "
        f"{lowest[0]}.{lowest[1]}, this GPU has {capability[0]}.{capability[1]}",
        engine if method else "",
    )


def check_method(
    architecture: Architecture, profile: EngineProfile = DEFAULT_PROFILE
) -> LayoutRefusal | None:
    """Whether this version of vLLM serves weights quantised in this way.

    vllm-project/vllm:vllm/config/model.py _verify_quantization
    """
    numbers = architecture.quantization
    if numbers is None or numbers.method in profile.quantization:
        return None
    return LayoutRefusal(
        reasons.QUANTIZATION_NOT_SERVED,
        not_served(numbers.method, profile),
        f"ValueError: Unknown quantization method: {numbers.method}.",
    )


def is_native(architecture: Architecture, capability: tuple[int, int]) -> bool:
    """Whether the GPU computes in the weights' type itself, and has fast kernels for MLA.

    vllm-project/vllm:vllm/v1/attention/backends/mla: on other cards than 9.x and 10.x only Triton.
    """
    native = capability >= NATIVE_CAPABILITY[architecture.dtype]
    if architecture.latent_attention is not None:
        native = native and _LATENT_CAPABILITY[0] <= capability < _LATENT_CAPABILITY[1]
    return native


def _broken_rules(architecture: Architecture, size: int) -> Iterator[LayoutRefusal]:
    """In the order in which vLLM 0.32 comes upon them: the configuration, then what it builds.

    vllm-project/vllm:vllm/config/model.py; models/mistral3.py (Hugging Face's files) builds the
    vision encoder and its projector before the text part, pixtral.py (Mistral's own) after it.
    """
    heads = architecture.attention_heads
    if heads % size:
        yield LayoutRefusal(
            reasons.HEADS_NOT_DIVISIBLE,
            f"{heads} attention heads do not divide by {size}",
            f"ValueError: Total number of attention heads ({heads}) must be divisible by tensor "
            f"parallel size ({size}).",
        )
    parts = (_broken_text, _broken_encoder)
    for part in parts if architecture.format == "mistral" else reversed(parts):
        yield from part(architecture, size)


def _broken_encoder(architecture: Architecture, size: int) -> Iterator[LayoutRefusal]:
    """Of a layer its attention first, then its feed-forward; behind the layers the projector."""
    if architecture.vision_heads is not None:
        yield from _broken_vision(architecture, architecture.vision_heads, size)
    if architecture.audio_heads is not None:
        yield from _broken_audio(architecture, architecture.audio_heads, size)


def _broken_vision(architecture: Architecture, heads: int, size: int) -> Iterator[LayoutRefusal]:
    if heads % size:
        yield LayoutRefusal(
            reasons.HEADS_NOT_DIVISIBLE,
            f"{heads} attention heads of the vision encoder do not divide by {size}",
            _not_divisible(heads, size),
        )
    encoder, hidden = architecture.vision_encoder, architecture.hidden_size
    if encoder is not None and encoder.intermediate_size % size:
        yield LayoutRefusal(
            reasons.INTERMEDIATE_NOT_DIVISIBLE,
            f"feed-forward width {encoder.intermediate_size} of the vision encoder does not divide "
            f"by {size}",
            _SILENT,
        )
    if architecture.format == "huggingface" and hidden % size:
        yield LayoutRefusal(
            reasons.INTERMEDIATE_NOT_DIVISIBLE,
            f"width {hidden} of the vision projector does not divide by {size}",
            _not_divisible(hidden, size),
        )


def _broken_audio(architecture: Architecture, heads: int, size: int) -> Iterator[LayoutRefusal]:
    """vllm-project/vllm:vllm/model_executor/models/whisper.py: the first is a bare assert."""
    if heads % size:
        yield LayoutRefusal(
            reasons.HEADS_NOT_DIVISIBLE,
            f"{heads} attention heads of the audio encoder do not divide by {size}",
            _SILENT,
        )
    width = architecture.audio_intermediate_size
    if width is not None and width % size:
        yield LayoutRefusal(
            reasons.INTERMEDIATE_NOT_DIVISIBLE,
            f"feed-forward width {width} of the audio encoder does not divide by {size}",
            _not_divisible(width, size),
        )


def _broken_text(architecture: Architecture, size: int) -> Iterator[LayoutRefusal]:
    padded = padded_vocabulary(architecture)
    if padded % size:
        yield LayoutRefusal(
            reasons.VOCABULARY_NOT_DIVISIBLE,
            f"the vocabulary, padded to {padded} entries, does not divide by {size}",
            _not_divisible(padded, size),
        )
    key_value = architecture.key_value_heads
    if architecture.latent_attention is None and key_value % size and size % key_value:
        yield LayoutRefusal(
            reasons.KEY_VALUE_HEADS_NOT_DIVISIBLE,
            f"{key_value} key-value heads do not divide by {size}, nor {size} by {key_value}",
            _SILENT,
        )
    else:
        yield from broken_attention(architecture, size)
    dense, experts = architecture.intermediate_size, architecture.experts
    if dense % size and not (experts and experts.intermediate_size == dense):
        yield LayoutRefusal(
            reasons.INTERMEDIATE_NOT_DIVISIBLE,
            f"feed-forward width {dense} does not divide by {size}",
            _SILENT,
        )
    yield from broken_feed_forward(architecture, size)
    if experts is not None:
        yield from _broken_experts(experts, size)
        yield from broken_experts(architecture, size)


def _broken_experts(experts: Experts, size: int) -> Iterator[LayoutRefusal]:
    """vllm-project/vllm:vllm/model_executor/layers/linear.py (shared ones) and fused_moe."""
    if experts.intermediate_size % size:
        yield LayoutRefusal(
            reasons.INTERMEDIATE_NOT_DIVISIBLE,
            f"feed-forward width {experts.intermediate_size} of an expert does not divide by "
            f"{size}",
            _SILENT,
        )


def _not_divisible(number: int, size: int) -> str:
    """vllm-project/vllm:vllm/distributed/utils.py ensure_divisibility."""
    return f"AssertionError: {number} is not divisible by {size}"
