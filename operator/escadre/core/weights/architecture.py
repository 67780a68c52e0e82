"""The planner's facts of a model, from params.json or config.json and the safetensors headers.

Field names follow the checkpoints: Mistral's params.json as vLLM reads it, or the config.json of
Hugging Face models with its text_config. What is missing and cannot be derived ends the draft, with
the field's name; nothing is guessed that a person could not check. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from escadre.api.approval import Architecture, Experts, LatentAttention, TensorBytes
from escadre.core.profile import DEFAULT_PROFILE, EngineProfile
from escadre.core.weights.classdefaults import encoder_of, text_kind, text_of
from escadre.core.weights.drafting import check_draft_tensors, check_no_draft
from escadre.core.weights.encoders import (
    audio_width,
    check_encoder,
    mistral_encoder,
    pixtral_encoder,
)
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.intake import Selection
from escadre.core.weights.length import huggingface_length, mistral_length
from escadre.core.weights.numberformat import SEPARATE, Dtype, NumberFormat, read_format
from escadre.core.weights.reading import Part
from escadre.core.weights.safetensors import Tensor
from escadre.core.weights.tensorgroups import tensor_bytes
from escadre.core.weights.windows import huggingface_window, mistral_window
from escadre.fieldfaults import first_fault

__all__ = ["Dtype", "Stored", "read_architecture", "read_facts", "stored"]

_Facts = Mapping[str, object]

_PLAIN: Final[dict[str, Dtype]] = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
# How numbers of each format may be stored; packed ones stand in wider types.
_STORAGE: Final[dict[Dtype, frozenset[str]]] = {
    "float8": frozenset({"F8_E4M3", "F8_E5M2"}),
    "float4": frozenset({"F4", "U8"}),
    "int8": frozenset({"I8", "I32"}),
    "int4": frozenset({"I32", "U8"}),
}


@dataclass(frozen=True, slots=True)
class Stored:
    """What the weight files hold: bytes of all tensors, and in which numbers most of them are.

    ``groups`` is None where the headers were not read.
    """

    weight_bytes: int
    dtype: Dtype
    quantization: NumberFormat | None = None
    groups: TensorBytes | None = None


def stored(tensors: Iterable[Tensor], numbers: NumberFormat | None, config: str) -> Stored:
    """Sums the tensors up; raises IntakeError when types and configuration contradict.

    Args:
        tensors: of all weight files.
        numbers: what the configuration says of quantisation.
        config: the file that says it, for messages.
    """
    held = tuple(tensors)
    check_draft_tensors(held)
    sizes: Counter[str] = Counter()
    for tensor in held:
        sizes[tensor.dtype] += tensor.size
    dtype = _quantised(numbers, sizes, config) if numbers else _plain(sizes, config)
    return Stored(sizes.total(), dtype, numbers, tensor_bytes(held))


def read_architecture(
    selection: Selection,
    config: _Facts,
    tensors: Iterable[Tensor],
    separate: _Facts | None = None,
    profile: EngineProfile = DEFAULT_PROFILE,
) -> Architecture:
    """Read the facts.

    Args:
        selection: what is drafted.
        config: content of params.json or config.json.
        tensors: of all weight files.
        separate: content of ModelOpt's own file, when there is one.
        profile: of the version of vLLM that is to serve it.

    Raises:
        IntakeError: naming the file and the field that is missing or out of bounds.
    """
    numbers = read_format(Part(selection.config, config), separate)
    held = stored(tensors, numbers, selection.config)
    return read_facts(selection, config, held, profile)


def read_facts(
    selection: Selection,
    config: _Facts,
    weights: Stored,
    profile: EngineProfile = DEFAULT_PROFILE,
) -> Architecture:
    """The facts, where the weights are known without their headers; raises as read_architecture."""
    facts: dict[str, object] = {
        "format": selection.format,
        "tokenizer": selection.tokenizer,
        "dtype": weights.dtype,
        "weight_bytes": weights.weight_bytes,
        "tensors": weights.groups,
    }
    numbers = weights.quantization
    if numbers is not None:
        facts["quantization"] = {
            "method": numbers.method,
            "group_size": numbers.group_size,
            "block": numbers.block,
        }
    read = _mistral if selection.format == "mistral" else _huggingface
    document = Part(selection.config, config)
    check_no_draft(document)
    try:
        return Architecture.model_validate(facts | read(document, profile))
    except ValidationError as error:
        raise IntakeError(f"{selection.config}: {first_fault(error)}") from error


def _plain(sizes: Counter[str], config: str) -> Dtype:
    """Type of most bytes; norms of another type do not count."""
    most = _most(sizes)
    if most in _PLAIN:
        return _PLAIN[most]
    if most in frozenset[str]().union(*_STORAGE.values()):
        raise IntakeError(
            f"most weights are stored as {most}, as quantised ones are, but neither {config} nor "
            f"{SEPARATE} says how: the engine would build the model unquantised"
        )
    raise IntakeError(f"most weights have the type {most}, which is not supported")


def _quantised(numbers: NumberFormat, sizes: Counter[str], config: str) -> Dtype:
    """What the metadata says; where it says several, that of most bytes."""
    if not numbers.dtypes:
        raise IntakeError(
            f"{config}: in which numbers {numbers.method} keeps the weights is not known here"
        )
    return max(
        numbers.dtypes,
        key=lambda dtype: sum(sizes[one] for one in _STORAGE.get(dtype, frozenset())),
    )


def _most(sizes: Counter[str]) -> str:
    return max(sorted(sizes), key=lambda dtype: sizes[dtype])


def _mistral(params: Part, profile: EngineProfile) -> dict[str, object]:
    heads = params.number("n_heads")
    hidden = params.number("dim")
    moe = params.part("moe")
    dense = params.number("hidden_dim")
    multimodal = params.part("multimodal")
    vision = multimodal.part("vision_encoder_args") or params.part("vision_encoder")
    audio = multimodal.part("whisper_model_args").part("encoder_args")
    check_encoder(params, audio)
    layers = params.number("n_layers")
    facts: dict[str, object] = {
        "hidden_size": hidden,
        "intermediate_size": dense,
        "layers": layers,
        "attention_heads": heads,
        "key_value_heads": params.number("n_kv_heads", default=heads),
        "head_dimension": _head_dimension(params, hidden, heads),
        "vocabulary_size": params.number("vocab_size"),
        "max_context_length": mistral_length(params, profile),
        "latent_attention": _latent(params),
        "sliding_window": mistral_window(params, layers),
    }
    if vision:
        facts["vision_heads"] = vision.number("num_attention_heads")
        facts["vision_encoder"] = mistral_encoder(vision)
    if audio:
        facts["audio_heads"] = audio.number("n_heads")
        facts["audio_intermediate_size"] = audio_width(audio, "hidden_dim")
    if moe:
        facts["experts"] = Experts.model_validate(
            {
                "routed": moe.number("num_experts"),
                "per_token": moe.number("num_experts_per_tok"),
                "shared": moe.number("num_shared_experts", default=0),
                "intermediate_size": moe.number("expert_hidden_dim", default=dense),
            }
        )
    return facts


def _huggingface(config: Part, profile: EngineProfile) -> dict[str, object]:
    text = text_of(config)
    heads = text.number("num_attention_heads")
    hidden = text.number("hidden_size")
    dense = text.number("intermediate_size")
    vision, audio = encoder_of(config, "vision_config"), encoder_of(config, "audio_config")
    check_encoder(config, audio)
    layers = text.number("num_hidden_layers")
    facts: dict[str, object] = {
        "hidden_size": hidden,
        "intermediate_size": dense,
        "layers": layers,
        "attention_heads": heads,
        "key_value_heads": text.number("num_key_value_heads", default=heads),
        "head_dimension": _head_dimension(text, hidden, heads),
        "vocabulary_size": text.number("vocab_size"),
        "max_context_length": huggingface_length(text, profile),
        "latent_attention": _latent(text),
        "sliding_window": huggingface_window(text, text_kind(config), layers),
    }
    if vision:
        facts["vision_heads"] = vision.number("num_attention_heads")
        facts["vision_encoder"] = pixtral_encoder(config, vision)
    if audio:
        facts["audio_heads"] = audio.number("encoder_attention_heads", "num_attention_heads")
        facts["audio_intermediate_size"] = audio_width(
            audio, "encoder_ffn_dim", "intermediate_size"
        )
    routed = text.number("n_routed_experts", "num_local_experts", "num_experts", default=0)
    if routed:
        facts["experts"] = Experts.model_validate(
            {
                "routed": routed,
                "per_token": text.number("num_experts_per_tok"),
                "shared": text.number("n_shared_experts", default=0),
                "intermediate_size": text.number("moe_intermediate_size", default=dense),
            }
        )
    return facts


def _head_dimension(facts: Part, hidden: int, heads: int) -> int:
    if _latent(facts) and facts.facts.get("qk_nope_head_dim"):
        return facts.number("qk_nope_head_dim")
    return facts.number("head_dim", default=hidden // max(heads, 1))


def _latent(facts: Part) -> LatentAttention | None:
    if not facts.facts.get("kv_lora_rank"):
        return None
    return LatentAttention.model_validate(
        {
            "kv_lora_rank": facts.number("kv_lora_rank"),
            "rope_head_dimension": facts.number("qk_rope_head_dim"),
            "query_rank": facts.number("q_lora_rank", default=0) or None,
            "value_head_dimension": facts.number("v_head_dim", default=0) or None,
        }
    )
