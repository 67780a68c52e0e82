"""The longest context by the engine's own rule, which is not one key of the configuration.

vLLM takes the least of all keys that may say it, or model_max_length if that is there, fills in
128,000 for a params.json, and lengthens by the factor of some RoPE scalings
(vllm-project/vllm:vllm/config/model.py _get_and_verify_max_len,
vllm/transformers_utils/model_arch_config_convertor.py). Called by architecture.py. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from escadre.core.profile import EngineProfile
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.reading import Part
from escadre.fieldfaults import shown

__all__ = ["huggingface_length", "mistral_length"]

_SILENT: Final = 128_000
_POSITIONS: Final = "max_position_embeddings"
_KEYS: Final = (
    _POSITIONS,
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
# Scalings whose factor does not lengthen what the file says.
_AS_IT_STANDS: Final = frozenset({"", "default", "su", "longrope", "llama3", "mrope"})
_YARN: Final = frozenset({"yarn", "deepseek_yarn", "deepseek_llama_scaling"})


def mistral_length(params: Part, profile: EngineProfile) -> int:
    """Of a params.json."""
    positions = params.number(_POSITIONS, default=_SILENT)
    sequence = params.number("max_seq_len", default=_SILENT if profile.caps_params else positions)
    filled = Part(params.where, {**params.facts, _POSITIONS: positions, "max_seq_len": sequence})
    yarn = params.part("yarn")
    if yarn:
        scaling = {**yarn.facts, "rope_type": "yarn"}
        filled = Part(params.where, {**filled.facts, "rope_parameters": scaling})
    return _length(filled, profile)


def huggingface_length(text: Part, profile: EngineProfile) -> int:
    """Of the text part of a config.json, with the defaults of its class."""
    if not any(text.facts.get(key) is not None for key in _KEYS):
        text.number(_POSITIONS)  # says that it is missing
    return _length(text, profile)


def _length(facts: Part, profile: EngineProfile) -> int:
    said = [facts.number(key) for key in _KEYS if facts.facts.get(key) is not None]
    length = facts.number("model_max_length", default=0) or min(said)
    factor = 1.0
    for scaling in _scalings(facts):
        kind = scaling.text("rope_type") or scaling.text("type")
        if kind in _AS_IT_STANDS or (kind in _YARN and not profile.stretches_yarn):
            continue
        factor = _factor(scaling, factor)
        if kind in _YARN:
            length = scaling.number("original_max_position_embeddings", default=length)
    return int(length * factor)


def _scalings(facts: Part) -> Iterator[Part]:
    """The RoPE parameters: one object, or one for each kind of layer."""
    part = facts.part("rope_parameters") or facts.part("rope_scaling")
    nested = [name for name, value in part.facts.items() if isinstance(value, Mapping)]
    yield from [part.part(name) for name in nested] or [part]


def _factor(scaling: Part, otherwise: float) -> float:
    value = scaling.facts.get("factor", otherwise)
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1 << 20:
        raise IntakeError(f"{scaling.where}: factor is not a number above 0: {shown(value)}")
    return float(value)
