"""Which layers have a window, by params.json and config.json, as vLLM reads them."""

from typing import Any

import pytest

from escadre.api.approval import SlidingWindow
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.reading import Part
from escadre.core.weights.windows import huggingface_window, mistral_window

EVERY = SlidingWindow(tokens=4096, pattern_layers=1, full_layers=0)
FULL, SLIDING = "full_attention", "sliding_attention"


@pytest.mark.parametrize(
    ("params", "window"),
    [
        pytest.param({}, None, id="nothing said"),
        pytest.param({"sliding_window": None}, None, id="null"),
        pytest.param({"sliding_window": 0}, None, id="zero: no window"),
        pytest.param({"_sliding_window": [4096]}, None, id="a key that vLLM does not read"),
        pytest.param({"sliding_window": 4096}, EVERY, id="one number: every layer"),
        pytest.param({"sliding_window": [4096]}, EVERY, id="a list of one"),
        pytest.param({"sliding_window": [None, None]}, None, id="a list without windows"),
        pytest.param(
            {"sliding_window": [None, 4096, 4096, 4096]},
            SlidingWindow(tokens=4096, pattern_layers=4, full_layers=1),
            id="every fourth layer sees all",
        ),
        pytest.param(
            {"sliding_window": [4096, None, 4096, None]},
            SlidingWindow(tokens=4096, pattern_layers=2, full_layers=1),
            id="the shortest pattern",
        ),
        pytest.param({"sliding_window": 4096, "kv_lora_rank": 512}, None, id="latent attention"),
        pytest.param({"sliding_window": 4096, "moe": {"num_experts": 8}}, EVERY, id="Mixtral"),
        pytest.param(
            {"sliding_window": [None, 4096], "moe": {"num_experts": 8}},
            None,
            id="Mixtral takes no pattern: all layers see all",
        ),
    ],
)
def test_window_of_a_params_json(params: dict[str, Any], window: SlidingWindow | None) -> None:
    assert mistral_window(Part("params.json", params), 36) == window


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"sliding_window": [4096, 8192]}, "one window, or none, for each"),
        ({"sliding_window": [None, 4096, 4096, 4096, 4096]}, "for 36 layers"),
        ({"sliding_window": [None, "4096"]}, "sliding_window lists"),
        ({"sliding_window": 4096, "layer_types": [SLIDING] * 36}, "no layer_types beside"),
        ({"sliding_window": "4096"}, "not a whole number"),
    ],
)
def test_what_vllm_ends_at_is_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(IntakeError, match=words):
        mistral_window(Part("params.json", params), 36)


@pytest.mark.parametrize(
    ("kind", "text", "window"),
    [
        ("mistral", {"sliding_window": 4096}, EVERY),
        ("mixtral", {"sliding_window": 4096}, EVERY),
        ("mistral", {"sliding_window": None}, None),
        ("mistral", {}, None),
        ("llama", {"sliding_window": 4096}, None),
        ("", {"sliding_window": 4096}, None),
        ("ministral", {"sliding_window": 4096, "layer_types": [SLIDING] * 4}, EVERY),
        ("ministral", {"sliding_window": 4096, "layer_types": [FULL] * 4}, None),
        (
            "ministral",
            {"sliding_window": 4096, "layer_types": [FULL, SLIDING, FULL, SLIDING]},
            SlidingWindow(tokens=4096, pattern_layers=2, full_layers=1),
        ),
        (
            "ministral3",
            {"sliding_window": 4096, "layer_types": [FULL, FULL, FULL, SLIDING]},
            SlidingWindow(tokens=4096, pattern_layers=4, full_layers=3),
        ),
        ("mixtral", {"sliding_window": 4096, "layer_types": [FULL, SLIDING] * 2}, None),
        ("ministral", {"sliding_window": 4096, "layer_types": [SLIDING] * 3}, None),
        ("ministral", {"sliding_window": 4096, "layer_types": ["linear_attention"] * 4}, None),
    ],
)
def test_window_of_a_config_json(
    kind: str, text: dict[str, Any], window: SlidingWindow | None
) -> None:
    assert huggingface_window(Part("config.json", text), kind, 4) == window
