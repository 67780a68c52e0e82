"""The planner's facts of a model, from params.json or config.json and the safetensors headers.

Field names follow the checkpoints: Mistral's params.json as vLLM reads it, or the config.json of
Hugging Face models with its text_config. What is missing and cannot be derived ends the draft, with
the field's name; nothing is guessed that a person could not check. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import ValidationError

from escadre.api.approval import Architecture, Experts, LatentAttention
from escadre.core.weights.intake import IntakeError, Selection
from escadre.core.weights.safetensors import Tensor

__all__ = ["Dtype", "Stored", "read_architecture", "read_facts", "stored"]

Dtype = Literal["bfloat16", "float16", "float32", "float8", "float4"]
_Facts = Mapping[str, object]

_DTYPES: Final[dict[str, Dtype]] = {
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
    "F8_E4M3": "float8",
    "F8_E5M2": "float8",
    "F4": "float4",
    "U8": "float4",  # two 4-bit values packed in a byte (NVFP4)
}
_VLLM_CONTEXT: Final = 128_000  # vLLM's own default for a params.json that says nothing


@dataclass(frozen=True, slots=True)
class Stored:
    """What the headers of the weight files say: bytes of all tensors, and the type of most."""

    weight_bytes: int
    dtype: Dtype


def stored(tensors: Iterable[Tensor]) -> Stored:
    """Sums the tensors up; raises IntakeError on a type that is not supported."""
    described = list(tensors)
    return Stored(sum(tensor.size for tensor in described), _dtype(described))


def read_architecture(
    selection: Selection, config: Mapping[str, object], tensors: Iterable[Tensor]
) -> Architecture:
    """Read the facts.

    Args:
        selection: what is drafted.
        config: content of params.json or config.json.
        tensors: of all weight files.

    Raises:
        IntakeError: naming the file and the field that is missing or out of bounds.
    """
    return read_facts(selection, config, stored(tensors))


def read_facts(selection: Selection, config: Mapping[str, object], weights: Stored) -> Architecture:
    """The facts, where the weights are known without their headers; raises as read_architecture."""
    facts: dict[str, object] = {
        "format": selection.format,
        "tokenizer": selection.tokenizer,
        "dtype": weights.dtype,
        "weight_bytes": weights.weight_bytes,
    }
    read = _mistral if selection.format == "mistral" else _huggingface
    try:
        return Architecture.model_validate(facts | read(selection.config, config))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise IntakeError(f"{selection.config}: {where}: {first['msg']}") from error


def _dtype(tensors: Iterable[Tensor]) -> Dtype:
    """Type of most bytes; scales and norms of another type do not count."""
    sizes: Counter[str] = Counter()
    for tensor in tensors:
        sizes[tensor.dtype] += tensor.size
    most = max(sorted(sizes), key=lambda dtype: sizes[dtype])
    if most not in _DTYPES:
        raise IntakeError(f"most weights have the type {most}, which is not supported")
    return _DTYPES[most]


def _mistral(path: str, params: _Facts) -> dict[str, object]:
    heads = _number(path, params, "n_heads")
    hidden = _number(path, params, "dim")
    moe = _part(params, "moe")
    dense = _number(path, params, "hidden_dim")
    vision = _part(_part(params, "multimodal"), "vision_encoder_args") or _part(
        params, "vision_encoder"
    )
    facts: dict[str, object] = {
        "hidden_size": hidden,
        "intermediate_size": dense,
        "layers": _number(path, params, "n_layers"),
        "attention_heads": heads,
        "key_value_heads": _number(path, params, "n_kv_heads", default=heads),
        "head_dimension": _head_dimension(path, params, hidden, heads),
        "vocabulary_size": _number(path, params, "vocab_size"),
        "max_context_length": _number(
            path, params, "max_position_embeddings", "max_seq_len", default=_VLLM_CONTEXT
        ),
        "latent_attention": _latent(path, params),
    }
    if vision:
        facts["vision_heads"] = _number(path, vision, "num_attention_heads")
    if moe:
        facts["experts"] = Experts.model_validate(
            {
                "routed": _number(path, moe, "num_experts"),
                "per_token": _number(path, moe, "num_experts_per_tok"),
                "shared": _number(path, moe, "num_shared_experts", default=0),
                "intermediate_size": _number(path, moe, "expert_hidden_dim", default=dense),
            }
        )
    return facts


def _huggingface(path: str, config: _Facts) -> dict[str, object]:
    text = _part(config, "text_config") or config
    heads = _number(path, text, "num_attention_heads")
    hidden = _number(path, text, "hidden_size")
    dense = _number(path, text, "intermediate_size")
    vision = _part(config, "vision_config")
    facts: dict[str, object] = {
        "hidden_size": hidden,
        "intermediate_size": dense,
        "layers": _number(path, text, "num_hidden_layers"),
        "attention_heads": heads,
        "key_value_heads": _number(path, text, "num_key_value_heads", default=heads),
        "head_dimension": _head_dimension(path, text, hidden, heads),
        "vocabulary_size": _number(path, text, "vocab_size"),
        "max_context_length": _number(path, text, "max_position_embeddings"),
        "latent_attention": _latent(path, text),
    }
    if vision:
        facts["vision_heads"] = _number(path, vision, "num_attention_heads")
    routed = _number(path, text, "n_routed_experts", "num_local_experts", "num_experts", default=0)
    if routed:
        facts["experts"] = Experts.model_validate(
            {
                "routed": routed,
                "per_token": _number(path, text, "num_experts_per_tok"),
                "shared": _number(path, text, "n_shared_experts", default=0),
                "intermediate_size": _number(path, text, "moe_intermediate_size", default=dense),
            }
        )
    return facts


def _head_dimension(path: str, facts: _Facts, hidden: int, heads: int) -> int:
    if _latent(path, facts) and facts.get("qk_nope_head_dim"):
        return _number(path, facts, "qk_nope_head_dim")
    return _number(path, facts, "head_dim", default=hidden // max(heads, 1))


def _latent(path: str, facts: _Facts) -> LatentAttention | None:
    if not facts.get("kv_lora_rank"):
        return None
    return LatentAttention.model_validate(
        {
            "kv_lora_rank": _number(path, facts, "kv_lora_rank"),
            "rope_head_dimension": _number(path, facts, "qk_rope_head_dim"),
        }
    )


def _part(facts: _Facts, name: str) -> _Facts:
    part = facts.get(name)
    return part if isinstance(part, dict) else {}


def _number(path: str, facts: _Facts, *names: str, default: int | None = None) -> int:
    """The first of ``names`` that is there, a whole number; null counts as missing."""
    for name in names:
        value = facts.get(name)
        if type(value) is int:
            if value < 0:
                raise IntakeError(f"{path}: {name} is {value}")
            return value
        if value is not None:
            raise IntakeError(f"{path}: {name} is not a whole number: {str(value)[:40]}")
    if default is None:
        raise IntakeError(f"{path}: {' or '.join(names)} is missing")
    return default
