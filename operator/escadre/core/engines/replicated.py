"""Bytes of the weights that every GPU of a tensor parallel group keeps whole.

core/engines/weights_memory.py divides the others among the GPUs. Pure.
"""

from typing import Final

from escadre.api.approval import Architecture
from escadre.core.engines.amounts import MIB, ceil_div

__all__ = ["encoder_replicated_bytes", "replicated_bytes"]

_ELEMENT: Final = 2  # bytes of a weight that is not quantised
_WIDE: Final = 4  # of norms and routers, which some files keep in float32
_SOUND_WIDTH: Final = 5120  # of Voxtral's encoder after it joins four frames
_SOUND: Final = 16 * MIB  # bytes of its convolutions and positions: 14 MiB weighed


def replicated_bytes(architecture: Architecture) -> int:
    """Tensors that every GPU keeps whole: norms, router, latent projections, adapters of encoders.

    Summed over the headers where they were read, else computed from the dimensions. Where the
    rank of the query's latent is not known a quarter of the width bounds it for the published
    Mistral models (vllm-project/vllm:vllm/model_executor/models/deepseek_v2.py, pixtral.py
    VisionLanguageAdapter, voxtral.py AudioLanguageAdapter; of sound also the convolutions).
    """
    groups = architecture.tensors
    if groups is not None:
        return groups.replicated + groups.encoder_replicated
    hidden = architecture.hidden_size
    total = _WIDE * (4 * architecture.layers + 1) * hidden
    if architecture.experts is not None:
        total += _WIDE * architecture.layers * architecture.experts.routed * hidden
    latent = architecture.latent_attention
    if latent is not None:
        ranks = latent.kv_lora_rank + latent.rope_head_dimension
        ranks += latent.query_rank or ceil_div(hidden, 4)
        total += _ELEMENT * architecture.layers * hidden * ranks
    return total + encoder_replicated_bytes(architecture)


def encoder_replicated_bytes(architecture: Architecture) -> int:
    """Of these, those of the encoder and what joins it to the decoder: the same in every stage."""
    groups, hidden, total = architecture.tensors, architecture.hidden_size, 0
    if groups is not None:
        return groups.encoder_replicated
    if architecture.vision_heads is not None:
        total += _ELEMENT * 2 * hidden * hidden
    if architecture.audio_heads is not None:
        total += _ELEMENT * (_SOUND_WIDTH + hidden) * hidden + _SOUND
    return total
