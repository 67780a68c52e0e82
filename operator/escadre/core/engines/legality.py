"""Which tensor parallel sizes vLLM accepts for a model on a GPU.

core/layouts/search.py asks before it counts memory. vLLM would refuse the same sizes, but only
after its processes started, with an assertion without context; here each refusal names the numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.reasons import Reason

__all__ = ["LayoutRefusal", "candidate_sizes", "check_dtype", "check_size", "is_native"]

_VOCABULARY_PADDING: Final = 64
_LOWEST_CAPABILITY: Final[dict[str, tuple[int, int]]] = {
    "bfloat16": (8, 0),
    "float8": (7, 5),
    "float4": (7, 5),
}
_NATIVE_CAPABILITY: Final[dict[str, tuple[int, int]]] = {
    "bfloat16": (8, 0),
    "float16": (7, 0),
    "float32": (8, 0),
    "float8": (8, 9),
    "float4": (10, 0),
}
_LATENT_CAPABILITY: Final = ((9, 0), (11, 0))  # from, below


@dataclass(frozen=True, slots=True)
class LayoutRefusal:
    """Why a layout is not possible: a reason and a message with numbers."""

    reason: Reason
    message: str


def candidate_sizes(architecture: Architecture, most: int) -> tuple[int, ...]:
    """Sizes worth judging, up to ``most``: powers of two and divisors of the attention heads.

    Only sizes that split the padded vocabulary evenly; this never excludes a power of two up to
    64 (vllm-project/vllm:vllm/model_executor/layers/vocab_parallel_embedding.py).
    """
    padded = -(-architecture.vocabulary_size // _VOCABULARY_PADDING) * _VOCABULARY_PADDING
    return tuple(
        size
        for size in range(1, most + 1)
        if padded % size == 0
        and (size & (size - 1) == 0 or architecture.attention_heads % size == 0)
    )


def check_size(architecture: Architecture, size: int) -> LayoutRefusal | None:
    """The first rule that tensor parallel size ``size`` breaks, None when it is legal."""
    return next(_broken_rules(architecture, size), None)


def check_dtype(architecture: Architecture, capability: tuple[int, int]) -> LayoutRefusal | None:
    """Whether a GPU of this compute capability can run the weights' type.

    vllm-project/vllm:vllm/platforms/cuda.py (bfloat16), vllm/config/vllm.py (quantised weights:
    Marlin kernels from 7.5 on).
    """
    lowest = _LOWEST_CAPABILITY.get(architecture.dtype, (0, 0))
    if capability >= lowest:
        return None
    return LayoutRefusal(
        reasons.DTYPE_NOT_SUPPORTED,
        f"{architecture.dtype} weights need compute capability {lowest[0]}.{lowest[1]}, "
        f"this GPU has {capability[0]}.{capability[1]}",
    )


def is_native(architecture: Architecture, capability: tuple[int, int]) -> bool:
    """Whether the GPU computes in the weights' type itself, and has fast kernels for MLA.

    vllm-project/vllm:vllm/v1/attention/backends/mla: on other cards than 9.x and 10.x only Triton.
    """
    native = capability >= _NATIVE_CAPABILITY[architecture.dtype]
    if architecture.latent_attention is not None:
        native = native and _LATENT_CAPABILITY[0] <= capability < _LATENT_CAPABILITY[1]
    return native


def _broken_rules(architecture: Architecture, size: int) -> Iterator[LayoutRefusal]:
    """vllm-project/vllm:vllm/config/model.py, vllm/model_executor/layers/linear.py, pixtral.py."""
    heads = architecture.attention_heads
    if heads % size:
        yield LayoutRefusal(
            reasons.HEADS_NOT_DIVISIBLE, f"{heads} attention heads do not divide by {size}"
        )
    key_value = architecture.key_value_heads
    if architecture.latent_attention is None and key_value % size and size % key_value:
        yield LayoutRefusal(
            reasons.KEY_VALUE_HEADS_NOT_DIVISIBLE,
            f"{key_value} key-value heads do not divide by {size}, nor {size} by {key_value}",
        )
    if architecture.intermediate_size % size:
        yield LayoutRefusal(
            reasons.INTERMEDIATE_NOT_DIVISIBLE,
            f"feed-forward width {architecture.intermediate_size} does not divide by {size}",
        )
    experts = architecture.experts
    if experts is not None and experts.intermediate_size % size:
        yield LayoutRefusal(
            reasons.INTERMEDIATE_NOT_DIVISIBLE,
            f"feed-forward width {experts.intermediate_size} of an expert does not divide by "
            f"{size}",
        )
    vision = architecture.vision_heads
    if vision is not None and vision % size:
        yield LayoutRefusal(
            reasons.HEADS_NOT_DIVISIBLE,
            f"{vision} attention heads of the vision encoder do not divide by {size}",
        )
