"""The encoder of a model: what of it the planner knows, and when a model cannot be planned.

vLLM keeps a key-value cache for the causal encoder of Voxtral Realtime as well, four states for
each token of the text, in the blocks of the text model's cache
(vllm-project/vllm:vllm/model_executor/models/whisper_causal.py). That is about ten times the text
model's own and not counted here, so such a model is refused rather than planned too small. Called
by architecture.py. Pure.
"""

from typing import Final

from escadre.api.approval import VisionEncoder
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.reading import Part

__all__ = ["OWN_CACHE", "audio_width", "check_encoder", "mistral_encoder", "pixtral_encoder"]

OWN_CACHE: Final = (
    "its encoder keeps a key-value cache of its own in vLLM, about ten times that of the text, "
    "which the planner does not count"
)


def check_encoder(config: Part, audio: Part) -> None:
    """Raises IntakeError for an encoder whose cache nobody counts."""
    causal = audio.facts.get("causal") is True
    if causal or config.text("model_type") == "voxtral_realtime":
        raise IntakeError(f"{audio.where}: causal: {OWN_CACHE}: no layout is planned for it")


def mistral_encoder(vision: Part) -> VisionEncoder | None:
    """Of a params.json, which says of both whether patches are merged."""
    return _vision_encoder(vision, _whole(vision, "spatial_merge_size") or 1)


def pixtral_encoder(config: Part, vision: Part) -> VisionEncoder | None:
    """Of a config.json, where it is a Pixtral's; only Mistral 3 merges patches, two a side."""
    if vision.text("model_type") != "pixtral":
        return None
    default = 2 if config.text("model_type") == "mistral3" else 1
    return _vision_encoder(vision, _whole(config, "spatial_merge_size") or default)


def audio_width(audio: Part, *names: str) -> int | None:
    """Feed-forward width of an encoder of sound, None where nothing says it."""
    return next((size for name in names if (size := _whole(audio, name))), None)


def _vision_encoder(vision: Part, merge_size: int) -> VisionEncoder | None:
    """Its dimensions where all of them are there; ``merge_size`` patches a side make a token."""
    names = ("hidden_size", "intermediate_size", "image_size", "patch_size")
    sizes = {name: size for name in names if (size := _whole(vision, name))}
    if len(sizes) < len(names) or not merge_size:
        return None
    return VisionEncoder.model_validate({**sizes, "merge_size": merge_size})


def _whole(part: Part, name: str) -> int:
    """A number above 0; 0 for whatever else stands there, or nothing does."""
    value = part.facts.get(name)
    return value if type(value) is int and value > 0 else 0
