"""What a config.json leaves to the defaults of its model class: numbers by model_type.

Published files leave out what equals the default, a Pixtral its heads for one. Only a model_type
that stands there, or that the class of the whole gives its parts, brings defaults. The numbers are
those of huggingface/transformers:src/transformers/models/*/configuration_*.py (5.19). Pure.
"""

from collections.abc import Mapping
from typing import Final

from escadre.core.weights.reading import Part

__all__ = ["encoder_of", "text_kind", "text_of"]

_Defaults = Mapping[str, int]

_LLAMA: Final[_Defaults] = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
}
_MISTRAL: Final[_Defaults] = {
    **_LLAMA,
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
}
_TEXT: Final[Mapping[str, _Defaults]] = {
    "llama": _LLAMA,
    "mistral": _MISTRAL,
    "mixtral": {**_MISTRAL, "num_local_experts": 8, "num_experts_per_tok": 2},
    "ministral3": {
        **_MISTRAL,
        "vocab_size": 131072,
        "num_hidden_layers": 34,
        "head_dim": 128,
        "max_position_embeddings": 262144,
    },
    "mistral4": {
        "vocab_size": 131072,
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "moe_intermediate_size": 2048,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "n_shared_experts": 1,
        "n_routed_experts": 128,
        "num_experts_per_tok": 4,
        "kv_lora_rank": 256,
        "qk_rope_head_dim": 64,
        "qk_nope_head_dim": 64,
        "q_lora_rank": 1024,
        "v_head_dim": 128,
        "max_position_embeddings": 1048576,
    },
}
_PIXTRAL: Final[_Defaults] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "image_size": 1024,
    "patch_size": 16,
    "num_attention_heads": 16,
}
_ENCODERS: Final[Mapping[str, _Defaults]] = {
    "pixtral": _PIXTRAL,
    "clip_vision_model": {"num_attention_heads": 12},
    "siglip_vision_model": {"num_attention_heads": 12},
    "voxtral_encoder": {"num_attention_heads": 20, "intermediate_size": 5120},
}
# The class of the whole: model_type of its parts, and what it gives the text besides.
_PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "mistral3": {"text_config": "mistral", "vision_config": "pixtral"},
    "llava": {"text_config": "llama", "vision_config": "clip_vision_model"},
    "voxtral": {"text_config": "llama", "audio_config": "voxtral_encoder"},
}
# An encoder that the class builds although the file says nothing of it.
_ALWAYS_THERE: Final[Mapping[tuple[str, str], Mapping[str, object]]] = {
    ("mistral3", "vision_config"): {
        **_PIXTRAL,
        "image_size": 1540,
        "patch_size": 14,
        "model_type": "pixtral",
    },
    ("llava", "vision_config"): {"num_attention_heads": 16},
    ("voxtral", "audio_config"): _ENCODERS["voxtral_encoder"],
}
_VOXTRAL_TEXT: Final[_Defaults] = {
    "vocab_size": 131072,
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 30,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "head_dim": 128,
}


def text_of(config: Part) -> Part:
    """The text part, with the defaults of its class."""
    whole = config.text("model_type")
    text = config.part("text_config") or config
    defaults = dict(_TEXT.get(text_kind(config), {}))
    if whole == "voxtral" and text is not config:
        defaults |= _VOXTRAL_TEXT
    return text.filled(defaults)


def text_kind(config: Part) -> str:
    """The model_type of the text part, "" where nothing says it."""
    text = config.part("text_config")
    return _kind(config, text, "text_config") if text else config.text("model_type")


def encoder_of(config: Part, name: str) -> Part:
    """``vision_config`` or ``audio_config`` with the defaults of its class; empty without one."""
    part = config.part(name)
    if not part:
        return part.filled(_ALWAYS_THERE.get((config.text("model_type"), name), {}))
    kind = _kind(config, part, name)
    defaults = dict(_ENCODERS.get(kind, {}))
    if "encoder_attention_heads" in part.facts:
        defaults.pop("num_attention_heads", None)
    return part.filled({**defaults, **({"model_type": kind} if kind else {})})


def _kind(config: Part, part: Part, name: str) -> str:
    given = part.text("model_type")
    return given or _PARTS.get(config.text("model_type"), {}).get(name, "")
