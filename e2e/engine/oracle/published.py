"""The catalog's models as files that vLLM reads, for weighing: their real sizes, without weights.

The dimensions of the decoders are the catalog's; what it does not have stands here: the encoders
and the ranks of latent attention (huggingface/transformers configuration_ministral3.py,
_mistral4.py; params.json of the repositories). Called by ``make oracle``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from e2e.engine.oracle.shapes import mistral_3
from escadre.core.catalog.entry import Entry
from escadre.core.catalog.shelf import find

__all__ = ["Published", "published"]

# Tensor parallel size and stages.
_LAYOUTS: Final = (
    *((size, 1) for size in (1, 2, 4, 8, 16)),
    *((size, stages) for stages in (2, 4) for size in (1, 4)),
)


@dataclass(frozen=True, slots=True)
class Published:
    """A model of the catalog, by its name there, and its files: one layout of them or the other."""

    name: str
    files: dict[str, dict[str, Any]]
    layouts: tuple[tuple[int, int], ...] = _LAYOUTS

    @property
    def form(self) -> Literal["mistral", "huggingface"]:
        """Whose layout of files it is; vLLM has other layers for encoders in each."""
        return "mistral" if "params.json" in self.files else "huggingface"

    @property
    def dtype(self) -> Literal["bfloat16", "float8"]:
        """What the layers are built with, whatever the model is published in."""
        quantised = any("quantization_config" in content for content in self.files.values())
        return "float8" if quantised else "bfloat16"

    def asked(self) -> str:
        """A line for weigh.py."""
        return json.dumps({"model": self.name, "files": self.files, "layouts": self.layouts})

    @property
    def sees(self) -> bool:
        """Whether it has an encoder of images, which encode.py runs."""
        return any("vision" in key for content in self.files.values() for key in content)

    def encoding(self) -> str:
        """A line for encode.py."""
        asked = {"form": self.form, "sizes": (1, 2, 4, 8), "images": (1, 2), "side": _SIDE}
        return json.dumps({"model": self.name, "files": self.files} | asked)


def published() -> Iterator[Published]:
    """One of each shape in the catalog that vLLM's CPU build can build."""
    for name in _DENSE:
        yield Published(name, {"config.json": _dense(_entry(name))})
    yield Published(_FP8, {"config.json": _dense(_entry(_FP8)) | {"quantization_config": _STATIC}})
    for name, encoder in _VISION.items():
        yield Published(name, {"config.json": _with_images(_entry(name), encoder)})
        yield Published(name, {"params.json": _params(_entry(name)) | _seeing(name, encoder)})
    hearing = {"params.json": _params(_entry(_SOUND)) | _HEARING}
    yield Published(_SOUND, hearing, tuple(one for one in _LAYOUTS if one[0] <= 4))  # of 20 heads
    for name in _MIXTURES:
        yield Published(name, {"config.json": _mixture(_entry(name))})
    for name, more in _LATENT.items():
        yield Published(name, {"params.json": _latent(_entry(name), more)})


_DENSE: Final = (
    "mistral-7b-v0.1",
    "mistral-7b-v0.3",
    "codestral-22b-v0.1",
    "mistral-nemo-instruct-2407",
    "ministral-8b-instruct-2410",
    "mistral-small-24b-instruct-2501",
    "mistral-large-instruct-2407",
)
_FP8: Final = "devstral-2-123b-instruct-2512"
_STATIC: Final = {"quant_method": "fp8", "activation_scheme": "static"}
_24_LAYERS: Final = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
_SIDE: Final = 1540  # pixels
_48_LAYERS: Final = {"hidden_size": 1664, "intermediate_size": 8192, "num_hidden_layers": 48}
_VISION: Final = {
    "mistral-small-3.2-24b-instruct-2506": _24_LAYERS,
    "ministral-3-3b-instruct-2512-bf16": _24_LAYERS,
    "ministral-3-8b-instruct-2512-bf16": _24_LAYERS,
    "ministral-3-14b-instruct-2512-bf16": _24_LAYERS,
    "mistral-medium-3.5-128b": _48_LAYERS,
}
_SOUND: Final = "voxtral-small-24b-2507"
_HEARING: Final = {
    "multimodal": {
        "whisper_model_args": {
            "encoder_args": {
                "dim": 1280,
                "n_layers": 32,
                "head_dim": 64,
                "hidden_dim": 5120,
                "n_heads": 20,
                "vocab_size": 51866,
                "max_source_positions": 1500,
                "audio_encoding_args": {
                    "sampling_rate": 16000,
                    "num_mel_bins": 128,
                    "hop_length": 160,
                    "window_size": 400,
                },
            },
            "downsample_args": {"downsample_factor": 4},
        }
    }
}
_MIXTURES: Final = ("mixtral-8x7b-v0.1", "mixtral-8x22b-v0.1")
_LATENT: Final[dict[str, dict[str, Any]]] = {
    "mistral-small-4-119b-2603": {
        "q_lora_rank": 1024,
        "qk_nope_head_dim": 64,
        "v_head_dim": 128,
        "first_k_dense_replace": 0,
    },
    "mistral-large-3-675b-instruct-2512": {
        "q_lora_rank": 1536,
        "qk_nope_head_dim": 128,
        "v_head_dim": 128,
        "first_k_dense_replace": 3,
    },
}


def _entry(name: str) -> Entry:
    entry = find(name)
    if entry is None:
        raise LookupError(f"{name} is not in the catalog")
    return entry


def _dense(entry: Entry) -> dict[str, Any]:
    shape = entry.shape
    assert shape is not None
    return {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "head_dim": shape.head_dimension,
        "hidden_act": "silu",
        "max_position_embeddings": entry.limit or entry.documented,
        "sliding_window": None,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1e6,
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": shape.tied,
        "torch_dtype": "bfloat16",
    }


def _with_images(entry: Entry, encoder: dict[str, int]) -> dict[str, Any]:
    shape = entry.shape
    assert shape is not None
    vision = encoder | {
        "model_type": "pixtral",
        "num_attention_heads": entry.vision_heads,
        "head_dim": encoder["hidden_size"] // (entry.vision_heads or 1),
        "num_channels": 3,
        "image_size": _SIDE,
        "patch_size": 14,
        "hidden_act": "silu",
        "rope_theta": 1e4,
    }
    return mistral_3(_dense(entry), vision) | {"tie_word_embeddings": shape.tied}


def _mixture(entry: Entry) -> dict[str, Any]:
    experts = entry.experts
    assert experts is not None
    return _dense(entry) | {
        "architectures": ["MixtralForCausalLM"],
        "model_type": "mixtral",
        "num_local_experts": experts.routed,
        "num_experts_per_tok": experts.per_token,
    }


def _params(entry: Entry) -> dict[str, Any]:
    shape = entry.shape
    assert shape is not None
    return {
        "dim": shape.hidden,
        "n_layers": shape.layers,
        "head_dim": shape.head_dimension,
        "hidden_dim": shape.feed_forward,
        "n_heads": shape.heads,
        "n_kv_heads": shape.key_value_heads,
        "norm_eps": 1e-5,
        "vocab_size": shape.vocabulary,
        "rope_theta": 1e6,
        "tied_embeddings": shape.tied,
        "max_position_embeddings": entry.limit or entry.documented,
    }


def _seeing(name: str, encoder: dict[str, int]) -> dict[str, Any]:
    vision = encoder | {
        "num_attention_heads": _entry(name).vision_heads,
        "num_channels": 3,
        "image_size": _SIDE,
        "patch_size": 14,
        "rope_theta": 1e4,
        "spatial_merge_size": 2,
        "mm_projector_id": "patch_merge",
        "add_pre_mm_projector_layer_norm": True,
        "image_token_id": 10,
        "image_break_token_id": 12,
        "image_end_token_id": 13,
    }
    return {"vision_encoder": vision}


def _latent(entry: Entry, more: dict[str, Any]) -> dict[str, Any]:
    """In bfloat16 and without the encoder, though both are published in FP8 and see images."""
    latent, experts = entry.latent, entry.experts
    assert latent is not None
    assert experts is not None
    ranks = {key: value for key, value in more.items() if key != "first_k_dense_replace"}
    return (
        _params(entry)
        | ranks
        | {
            "kv_lora_rank": latent.kv_lora_rank,
            "qk_rope_head_dim": latent.rope_head_dimension,
            "llama_4_scaling": {"original_max_position_embeddings": 8192, "beta": 0.1},
            "moe": {
                "num_experts": experts.routed,
                "num_experts_per_tok": experts.per_token,
                "num_shared_experts": experts.shared,
                "expert_hidden_dim": experts.intermediate_size,
                "first_k_dense_replace": more["first_k_dense_replace"],
                "route_every_n": 1,
                "routed_scale": 1.0,
                "num_expert_groups": 1,
                "num_expert_groups_per_tok": 1,
            },
        }
    )
