"""Generated model files whose sizes are odd enough to break each rule of tensor parallelism alone.

A size is ordinary, as models have it, or generous: a multiple of whatever splits it. Where all but
one are generous, that one is the sole cause of a refusal. Seeded: the same list on every machine,
which `make oracle` judges with vLLM's own layers and tests/core/engines/test_oracle.py with ours.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from random import Random
from typing import Any, Final, Literal

from e2e.engine.oracle import numbers

__all__ = ["NUMBER", "SEED", "SIZES", "Shape", "generous", "mistral_3", "shapes"]

SEED: Final = 20261128
NUMBER: Final = 1760
SIZES: Final = (*range(1, 33), 48, 64, 96)

_GENEROUS_HEADS: Final = (96, 192, 480, 1440)
_GENEROUS_WIDTH: Final = 2880 * 128
_GENEROUS_HIDDEN: Final = 45 * 128
_GENEROUS_VOCABULARY: Final = 64 * 2880
_GENEROUS_RANK: Final = 1536
_HEADS: Final = (8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 96, 128)
_KEY_VALUE: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
_WIDTHS: Final = (1001, 3072, 8960, 9216, 10240, 11008, 14336, 16384, 28672, 32768)
_VOCABULARIES: Final = (32000, 32768, 49152, 65024, 100352, 131072, 151936)
_HIDDEN: Final = (512, 1280, 3072, 4096, 5120, 6144)
_ENCODER_HEADS: Final = (8, 12, 16, 20, 24)
_QUERY_RANKS: Final = (512, 1000, 1500)

Format = Literal["mistral", "huggingface"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's params.json or config.json; ``family`` is what it is a kind of.

    ``beside`` is the config.json beside a params.json, where vLLM takes what it misses from it.
    """

    family: str
    format: Format
    document: dict[str, Any]
    beside: dict[str, Any] | None = None

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """By their names."""
        files = {"params.json" if self.format == "mistral" else "config.json": self.document}
        return files if self.beside is None else files | {"config.json": self.beside}

    def asked(self) -> str:
        """A line for judge.py, of every size."""
        return json.dumps({"files": self.files, "sizes": SIZES})


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The sizes that tensor parallelism splits; those of an encoder only where there is one."""

    hidden: int
    heads: int
    key_value: int
    width: int
    vocabulary: int
    expert: int
    encoder: int
    encoder_width: int
    query_rank: int


def shapes(number: int, seed: int = SEED) -> Iterator[Shape]:
    """So many shapes, the families by turns."""
    random = Random(seed)  # noqa: S311 - shapes, not secrets
    families = list(_FAMILIES.items())
    for index in range(number):
        name, (form, make) = families[index % len(families)]
        beside = _BESIDE if name == "experts" else None
        yield Shape(name, form, make(_draw(random)), beside)


def generous(family: str) -> Shape:
    """The one of a family in which every size divides by whatever splits it."""
    sizes = _Sizes(
        hidden=_GENEROUS_HIDDEN,
        heads=max(_GENEROUS_HEADS),
        key_value=max(_GENEROUS_HEADS),
        width=_GENEROUS_WIDTH,
        vocabulary=_GENEROUS_VOCABULARY,
        expert=_GENEROUS_WIDTH,
        encoder=max(_GENEROUS_HEADS),
        encoder_width=_GENEROUS_WIDTH,
        query_rank=_GENEROUS_RANK,
    )
    form, make = _FAMILIES[family]
    return Shape(family, form, make(sizes))


def _draw(random: Random) -> _Sizes:
    names = [field.name for field in fields(_Sizes)]
    ordinary = set(random.sample(names, random.choice((1, 1, 1, 2, 2, len(names)))))
    heads = random.choice(_HEADS if "heads" in ordinary else _GENEROUS_HEADS)
    fitting = [one for one in _KEY_VALUE if heads % one == 0]
    return _Sizes(
        hidden=random.choice(_HIDDEN) if "hidden" in ordinary else _GENEROUS_HIDDEN,
        heads=heads,
        key_value=random.choice(fitting) if "key_value" in ordinary else heads,
        width=random.choice(_WIDTHS) if "width" in ordinary else _GENEROUS_WIDTH,
        vocabulary=(
            random.choice(_VOCABULARIES) if "vocabulary" in ordinary else _GENEROUS_VOCABULARY
        ),
        expert=random.choice(_WIDTHS) if "expert" in ordinary else _GENEROUS_WIDTH,
        encoder=random.choice(_ENCODER_HEADS if "encoder" in ordinary else _GENEROUS_HEADS),
        encoder_width=random.choice(_WIDTHS if "encoder_width" in ordinary else (_GENEROUS_WIDTH,)),
        query_rank=random.choice(_QUERY_RANKS) if "query_rank" in ordinary else _GENEROUS_RANK,
    )


def _params(sizes: _Sizes) -> dict[str, Any]:
    return {
        "dim": sizes.hidden,
        "n_layers": 1,
        "head_dim": 64,
        "hidden_dim": sizes.width,
        "n_heads": sizes.heads,
        "n_kv_heads": sizes.key_value,
        "norm_eps": 1e-5,
        "vocab_size": sizes.vocabulary,
        "rope_theta": 1e6,
        "max_position_embeddings": 4096,
    }


# vLLM 0.32 builds such experts from a params.json only with this of Hugging Face's beside it.
_BESIDE: Final = {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}


def _mixtral(sizes: _Sizes) -> dict[str, Any]:
    """Its experts are as wide as ``hidden_dim``."""
    return _params(sizes) | {"moe": {"num_experts": 4, "num_experts_per_tok": 2}}


def _large_3(sizes: _Sizes) -> dict[str, Any]:
    """A dense layer, then one of experts with a shared one; latent attention."""
    return _params(sizes) | {
        "n_layers": 2,
        "n_kv_heads": sizes.heads,
        "q_lora_rank": 128,
        "kv_lora_rank": 64,
        "qk_nope_head_dim": 64,
        "qk_rope_head_dim": 32,
        "v_head_dim": 64,
        "llama_4_scaling": {"original_max_position_embeddings": 4096, "beta": 0.1},
        "moe": {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "num_shared_experts": 1,
            "expert_hidden_dim": sizes.expert,
            "first_k_dense_replace": 1,
            "route_every_n": 1,
            "routed_scale": 1.0,
            "num_expert_groups": 1,
            "num_expert_groups_per_tok": 1,
        },
    }


def _large_3_blocks(sizes: _Sizes) -> dict[str, Any]:
    """With the latents of the published one."""
    ranks = {
        "q_lora_rank": sizes.query_rank,
        "kv_lora_rank": 512,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
    }
    return _large_3(sizes) | ranks | {"quantization": numbers.COMPRESSED_BLOCKS}


def _vision(sizes: _Sizes) -> dict[str, Any]:
    return {
        "hidden_size": 64 * sizes.encoder,
        "num_channels": 3,
        "image_size": 64,
        "patch_size": 16,
        "intermediate_size": sizes.encoder_width,
        "num_hidden_layers": 1,
        "num_attention_heads": sizes.encoder,
        "rope_theta": 1e4,
    }


def _pixtral(sizes: _Sizes) -> dict[str, Any]:
    more = {"image_token_id": 10, "image_break_token_id": 12, "image_end_token_id": 13}
    return _params(sizes) | {"vision_encoder": _vision(sizes) | more}


def _voxtral(sizes: _Sizes) -> dict[str, Any]:
    encoder = {
        "dim": 64 * sizes.encoder,
        "n_layers": 1,
        "head_dim": 64,
        "hidden_dim": sizes.encoder_width,
        "n_heads": sizes.encoder,
        "vocab_size": 51866,
        "max_source_positions": 1500,
        "audio_encoding_args": {
            "sampling_rate": 16000,
            "num_mel_bins": 128,
            "hop_length": 160,
            "window_size": 400,
        },
    }
    whisper = {"encoder_args": encoder, "downsample_args": {"downsample_factor": 4}}
    return _params(sizes) | {"multimodal": {"whisper_model_args": whisper}}


def _config(sizes: _Sizes) -> dict[str, Any]:
    return {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.width,
        "num_hidden_layers": 1,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.key_value,
        "head_dim": 64,
        "hidden_act": "silu",
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1e6,
        "vocab_size": sizes.vocabulary,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }


def _mixtral_config(sizes: _Sizes) -> dict[str, Any]:
    return _config(sizes) | {
        "architectures": ["MixtralForCausalLM"],
        "model_type": "mixtral",
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
    }


def _mistral_3_config(sizes: _Sizes) -> dict[str, Any]:
    vision = _vision(sizes) | {"model_type": "pixtral", "head_dim": 64, "hidden_act": "silu"}
    return mistral_3(_config(sizes), vision)


def mistral_3(text: dict[str, Any], vision: dict[str, Any]) -> dict[str, Any]:
    """A config.json of vision beside text, in Hugging Face's layout."""
    return {
        "architectures": ["Mistral3ForConditionalGeneration"],
        "model_type": "mistral3",
        "image_token_index": 10,
        "multimodal_projector_bias": False,
        "projector_hidden_act": "gelu",
        "spatial_merge_size": 2,
        "vision_feature_layer": -1,
        "text_config": text,
        "vision_config": vision,
        "torch_dtype": "bfloat16",
    }


def _quantised(
    config: Callable[[_Sizes], dict[str, Any]], format_: dict[str, Any]
) -> Callable[[_Sizes], dict[str, Any]]:
    return lambda sizes: config(sizes) | {"quantization_config": format_}


_FAMILIES: Final[dict[str, tuple[Format, Callable[[_Sizes], dict[str, Any]]]]] = {
    "dense": ("mistral", _params),
    "dense, config.json": ("huggingface", _config),
    "experts": ("mistral", _mixtral),
    "experts, config.json": ("huggingface", _mixtral_config),
    "latent attention, shared experts": ("mistral", _large_3),
    "latent attention in blocks": ("mistral", _large_3_blocks),
    "vision": ("mistral", _pixtral),
    "vision, config.json": ("huggingface", _mistral_3_config),
    "audio": ("mistral", _voxtral),
    **{
        f"{name}, config.json": ("huggingface", _quantised(_config, format_))
        for name, format_ in numbers.FORMATS.items()
    },
    **{
        f"experts in {name}, config.json": ("huggingface", _quantised(_mixtral_config, format_))
        for name, format_ in numbers.FORMATS.items()
        if name in numbers.OF_EXPERTS
    },
}
