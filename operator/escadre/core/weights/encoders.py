"""The encoder of a model, as far as it decides whether a model can be planned.

vLLM keeps a key-value cache for the causal encoder of Voxtral Realtime as well, four states for
each token of the text, in the blocks of the text model's cache
(vllm-project/vllm:vllm/model_executor/models/whisper_causal.py). That is about ten times the text
model's own and not counted here, so such a model is refused rather than planned too small. Called
by architecture.py. Pure.
"""

from typing import Final

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.reading import Part

__all__ = ["OWN_CACHE", "check_encoder"]

OWN_CACHE: Final = (
    "its encoder keeps a key-value cache of its own in vLLM, about ten times that of the text, "
    "which the planner does not count"
)


def check_encoder(config: Part, audio: Part) -> None:
    """Raises IntakeError for an encoder whose cache nobody counts."""
    causal = audio.facts.get("causal") is True
    if causal or config.text("model_type") == "voxtral_realtime":
        raise IntakeError(f"{audio.where}: causal: {OWN_CACHE}: no layout is planned for it")
