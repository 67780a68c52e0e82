"""Layers that see a window of the last tokens only: what a configuration says, as vLLM reads it.

A params.json may name one window for all layers, or one for each of a few layers, over and over
(vllm-project/vllm:vllm/transformers_utils/configs/mistral.py); a config.json one window, and by
layer_types which layers have it (vllm/model_executor/models/llama.py, vllm/engine/arg_utils.py).
Where it is not certain that the engine keeps a window, every layer counts as seeing all tokens: the
cache is then never larger than planned. Called by architecture.py. Pure.
"""

from typing import Final

from escadre.api.approval import SlidingWindow
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.reading import Part

__all__ = ["huggingface_window", "mistral_window"]

# Classes whose layers keep the window of a config.json; a key that is absent stands for none here.
_KEEPING: Final = frozenset({"mistral", "ministral", "ministral3", "mixtral"})
_FULL: Final = "full_attention"
_SLIDING: Final = "sliding_attention"


def mistral_window(params: Part, layers: int) -> SlidingWindow | None:
    """Of a params.json; raises IntakeError for what vLLM ends at."""
    said = params.facts.get("sliding_window")
    if not said or params.facts.get("kv_lora_rank"):
        return None  # layers with latents keep no window
    if not isinstance(said, list):
        if params.facts.get("layer_types") is not None:
            raise IntakeError(f"{params.where}: vLLM takes no layer_types beside sliding_window")
        return _every_layer(params)
    return _pattern(params, said, layers)


def huggingface_window(text: Part, kind: str, layers: int) -> SlidingWindow | None:
    """Of the text part of a config.json, whose model_type is ``kind``."""
    if kind not in _KEEPING or not text.facts.get("sliding_window"):
        return None
    types = text.facts.get("layer_types")
    if types is None:
        return _every_layer(text)
    if not isinstance(types, list) or len(types) != layers or kind == "mixtral":
        return None
    if not {*map(str, types)} <= {_FULL, _SLIDING}:
        return None
    return _window(text.number("sliding_window"), [one == _FULL for one in types])


def _every_layer(part: Part) -> SlidingWindow:
    return SlidingWindow(tokens=part.number("sliding_window"), pattern_layers=1, full_layers=0)


def _pattern(params: Part, said: list[object], layers: int) -> SlidingWindow | None:
    windows = {window for window in said if window is not None}
    if len(windows) > 1 or layers % len(said) or not all(type(one) is int for one in windows):
        raise IntakeError(
            f"{params.where}: sliding_window lists {str(said)[:60]} for {layers} layers, and vLLM "
            "takes one window, or none, for each of so many layers as go into all without a rest"
        )
    tokens = next((window for window in windows if type(window) is int), 0)
    if tokens <= 0 or params.part("moe"):
        return None  # Mixtral's layers take only a window that all of them have
    return _window(tokens, [window is None for window in said])


def _window(tokens: int, full: list[bool]) -> SlidingWindow | None:
    """With the shortest pattern that repeats; None where no layer has a window."""
    if all(full):
        return None
    length = len(full)
    shortest = next(
        part
        for part in range(1, length + 1)
        if length % part == 0 and full == full[:part] * (length // part)
    )
    return SlidingWindow(tokens=tokens, pattern_layers=shortest, full_layers=sum(full[:shortest]))
