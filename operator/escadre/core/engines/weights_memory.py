"""Bytes of weights and constant buffers on one GPU of a replica.

core/engines/gpu_memory.py asks it. Pure integers, rounded against the model.
"""

from typing import Final

from escadre.api.approval import Architecture
from escadre.core.engines.amounts import (
    GIB,
    MIB,
    ceil_div,
    padded_vocabulary,
    up_projected_width,
)
from escadre.core.engines.limits import WHOLE, Stage
from escadre.core.engines.replicated import encoder_replicated_bytes, replicated_bytes
from escadre.core.engines.textonly import encoder_bytes

__all__ = ["weights_bytes"]

_ELEMENT: Final = 2  # bytes of a weight that is not quantised
_LARGE: Final = 6144  # width of the decoders that are published with large encoders, and more
# Bytes of a weight of an expert.
_WEIGHT: Final = {"bfloat16": 2, "float16": 2, "float8": 1, "int8": 1}
_MXFP4_WIDTH: Final = 256  # what the kernels of MXFP4 pad the width of an expert to


def weights_bytes(
    architecture: Architecture, tensor_parallel_size: int, stage: Stage = WHOLE
) -> int:
    """Bytes of weights and constant buffers on one GPU of ``stage``.

    The tensors as stored, divided by the tensor parallel size, except what each GPU keeps whole
    (replicated.py), the key-value projections of GPUs beyond the key-value heads
    (vllm-project/vllm:vllm/model_executor/layers/linear.py QKVParallelLinear), the vocabulary
    padded to 64 (layers/vocab_parallel_embedding.py), the rotary table (layers/rotary_embedding:
    32 MiB for 131,072 tokens, seen in start-up logs), and with several GPUs the buffers their
    collectives make while loading (0.07 GiB seen).
    """
    size = tensor_parallel_size
    held = _held_bytes(architecture, stage)
    encoder = encoder_replicated_bytes(architecture)
    of_layers = replicated_bytes(architecture) - encoder
    replicated = min(_of_stage(of_layers, architecture, stage) + encoder, held)
    total = replicated + ceil_div(held - replicated, size)
    total += _of_stage(_added_bytes(architecture, size), architecture, stage)
    padding = padded_vocabulary(architecture) - architecture.vocabulary_size
    total += ceil_div(padding * architecture.hidden_size * 2 * _ELEMENT, size)
    total += 128 * MIB if size > 1 else 0
    return total + architecture.max_context_length * architecture.head_dimension * _ELEMENT


def _of_stage(amount: int, architecture: Architecture, stage: Stage) -> int:
    """The part of ``amount``, which all layers have, that the stage's layers have."""
    return amount if stage.whole else ceil_div(amount * stage.layers, architecture.layers)


def _held_bytes(architecture: Architecture, stage: Stage) -> int:
    """Stored bytes of a stage: its layers, the embedding in the first, the head in the last.

    As vLLM's layers weigh (tests/core/engines/test_weighed.py), encoders are whole in every stage,
    and so are both ends of Mixtral. Whether the ends share their weights only the headers tell;
    where they were not read it is taken to be so, and the layers weigh most. Without headers 1 GiB
    bounds the encoders of small models, and 5 GiB those of large ones, which have 48 layers.
    """
    if stage.whole:
        return architecture.weight_bytes
    groups = architecture.tensors
    one = _ELEMENT * architecture.vocabulary_size * architecture.hidden_size
    ends = one if groups is None else groups.embedding
    encoder = encoder_bytes(groups)
    held = _layers_bytes(architecture, architecture.weight_bytes - ends - encoder, stage)
    if architecture.experts is not None and architecture.latent_attention is None:
        held += 2 * one if groups is None else ends
    elif stage.first or stage.last:
        held += min(one, ends)
    if architecture.vision_heads is not None or architecture.audio_heads is not None:
        held += encoder or (GIB if architecture.hidden_size < _LARGE else 5 * GIB)
    return min(held, architecture.weight_bytes)


def _layers_bytes(architecture: Architecture, inner: int, stage: Stage) -> int:
    """What the layers of the stage hold of ``inner``, the bytes of all layers.

    The first layers of some models have no experts and hardly weigh (Mistral Large 3: three of 61;
    all of them count for one): the stages behind hold more than their share.
    """
    inner = max(0, inner)
    having = _layers_with_experts(architecture, inner)
    if having < stage.layers:
        return _of_stage(inner, architecture, stage)
    light = architecture.layers - having if stage.first else 0
    return ceil_div(inner * (stage.layers - max(0, light - 1)), having)


def _layers_with_experts(architecture: Architecture, inner: int) -> int:
    """As many as the bytes allow, all where they say nothing: numbers below a byte have scales."""
    experts, groups = architecture.experts, architecture.tensors
    if experts is None or architecture.dtype not in _WEIGHT:
        return architecture.layers
    expert = 3 * architecture.hidden_size * experts.intermediate_size
    expert *= _WEIGHT[architecture.dtype]
    if groups is not None:
        return min(groups.experts // (experts.routed * expert), architecture.layers)
    attention = 2 * architecture.hidden_size * architecture.attention_heads
    attention *= architecture.head_dimension * _ELEMENT
    layer = (experts.routed + experts.shared) * expert + attention
    return min(max(0, inner) // layer, architecture.layers)


def _added_bytes(architecture: Architecture, size: int) -> int:
    """What an engine makes of the layers beside the tensors as stored, on one GPU."""
    return (
        _repeated_bytes(architecture, size)
        + _absorbed_bytes(architecture, size)
        + ceil_div(_padded_bytes(architecture), size)
    )


def _repeated_bytes(architecture: Architecture, size: int) -> int:
    """Key-value projections of GPUs beyond the key-value heads."""
    heads = architecture.key_value_heads
    if architecture.latent_attention is not None or size <= heads:
        return 0
    width = architecture.hidden_size * heads * architecture.head_dimension
    projections = architecture.layers * 2 * width * _ELEMENT
    return ceil_div(projections, heads) - projections // size


def _padded_bytes(architecture: Architecture) -> int:
    """Experts in MXFP4 are padded along the width; gpt-oss has 2,880: 12.8 → 13.5, 60.8 → 64.4 GiB.

    vllm-project/vllm:vllm/model_executor/layers/quantization/mxfp4.py; 17 bytes for 32 numbers.
    """
    experts, numbers = architecture.experts, architecture.quantization
    if experts is None or numbers is None or numbers.method != "mxfp4":
        return 0
    padding = -architecture.hidden_size % _MXFP4_WIDTH
    rows = architecture.layers * experts.routed * 3 * experts.intermediate_size
    return ceil_div(rows * padding * 17, 32)


def _absorbed_bytes(architecture: Architecture, size: int) -> int:
    """MLA keeps 16-bit copies of the up-projections for decoding beside the weights as stored.

    vllm-project/vllm:vllm/v1/attention/backends/mla/common.py process_weights_after_loading
    """
    latent = architecture.latent_attention
    if latent is None:
        return 0
    heads = ceil_div(architecture.attention_heads, size)
    width = up_projected_width(architecture, heads) * latent.kv_lora_rank
    return architecture.layers * width * _ELEMENT
