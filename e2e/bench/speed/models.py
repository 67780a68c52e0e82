"""Public models of the measured runs, as an approval would describe them.

The dimensions are those of their config.json; the bytes follow from them, with embedding and head
in 16 bits, since the runs say the number format but not the files.
"""

from typing import Final

from escadre.api.approval import Architecture, Experts, LatentAttention, Quantization

__all__ = ["KNOWN", "architecture_of"]

_SHARE_OF_SCALES: Final = {"": 16.0, "fp8": 8.0, "fp4": 4.5, "int4": 4.5}
_DTYPES: Final = {"": "bfloat16", "fp8": "float8", "fp4": "float4", "int4": "int4"}
_GROUPS: Final = {"fp4": 16, "int4": 32}


def _dense(layers: int, hidden: int, heads: int, width: int, vocabulary: int) -> Architecture:
    return Architecture(
        format="huggingface",
        tokenizer="huggingface",
        dtype="bfloat16",
        weight_bytes=1,
        hidden_size=hidden,
        intermediate_size=width,
        layers=layers,
        attention_heads=heads,
        key_value_heads=8,
        head_dimension=128,
        vocabulary_size=vocabulary,
        max_context_length=131072,
    )


def _experts(one: Architecture, experts: Experts, **facts: object) -> Architecture:
    return one.model_copy(update={"experts": experts, **facts})


_MODELS: Final = {
    "meta-llama/Llama-3.1-70B": _dense(80, 8192, 64, 28672, 128256),
    "nvidia/Llama-3.1-8B-Instruct-FP8": _dense(32, 4096, 32, 14336, 128256),
    "Qwen/Qwen3-32B": _dense(64, 5120, 64, 25600, 151936),
    "Qwen/Qwen3-235B-A22B-FP8": _experts(
        _dense(94, 4096, 64, 12288, 151936),
        Experts(routed=128, per_token=8, shared=0, intermediate_size=1536),
        key_value_heads=4,
    ),
    "MiniMaxAI/MiniMax-M2.5": _experts(
        _dense(62, 3072, 48, 1536, 200064),
        Experts(routed=256, per_token=8, shared=0, intermediate_size=1536),
    ),
    "moonshotai/Kimi-K2.5": _experts(
        _dense(61, 7168, 64, 18432, 163840),
        Experts(routed=384, per_token=8, shared=1, intermediate_size=2048),
        key_value_heads=64,
        latent_attention=LatentAttention(kv_lora_rank=512, rope_head_dimension=64),
    ),
}
KNOWN: Final = frozenset(_MODELS)


def architecture_of(model: str, precision: str) -> Architecture:
    """The model in that number format (as the runs write it; "" is bfloat16)."""
    one = _MODELS[model]
    group = _GROUPS.get(precision)
    return one.model_copy(
        update={
            "dtype": _DTYPES[precision],
            "weight_bytes": _bytes(one, precision),
            "quantization": Quantization(method=precision, group_size=group) if group else None,
        }
    )


def _bytes(one: Architecture, precision: str) -> int:
    """Attention with latents stays in 16 bits in the published quantised files."""
    hidden, heads, width = one.hidden_size, one.attention_heads, one.head_dimension
    packed = _SHARE_OF_SCALES[precision] / 8
    latent = one.latent_attention
    if latent is None:
        attention = hidden * width * 2 * (heads + one.key_value_heads) * packed
    else:
        query, rope, rank = 1536, latent.rope_head_dimension, latent.kv_lora_rank
        parameters = hidden * (query + rank + rope) + heads * query * (width + rope)
        attention = 2 * (parameters + heads * width * (2 * rank + hidden))
    feed_forward = one.intermediate_size
    if one.experts is not None:
        experts = one.experts
        feed_forward = experts.intermediate_size * (experts.routed + experts.shared)
    layers = one.layers * (attention + 3 * hidden * feed_forward * packed)
    return int(layers) + 4 * one.vocabulary_size * hidden
