"""Encoders whose cache nobody counts end a draft before anything is hashed."""

from typing import Any

import pytest
from tests.core.weights.test_architecture import HF_SMALL_3, HUGGINGFACE, MISTRAL, SMALL_3

from escadre.core.weights.architecture import Stored, read_facts
from escadre.core.weights.findings import IntakeError

WHISPER: dict[str, Any] = {"encoder_args": {"n_heads": 32}}
WEIGHTS = Stored(1, "bfloat16")


def params(**encoder: object) -> dict[str, Any]:
    args = {"encoder_args": {**WHISPER["encoder_args"], **encoder}}
    text = {key: value for key, value in SMALL_3.items() if key != "vision_encoder"}
    return {**text, "multimodal": {"whisper_model_args": args}}


def test_an_encoder_without_a_cache_is_taken() -> None:
    assert read_facts(MISTRAL, params(causal=False), WEIGHTS).audio_heads == 32
    assert read_facts(MISTRAL, params(), WEIGHTS).audio_heads == 32


def test_a_causal_encoder_is_refused() -> None:
    with pytest.raises(IntakeError, match="encoder_args: causal: its encoder keeps a key-value"):
        read_facts(MISTRAL, params(causal=True), WEIGHTS)


@pytest.mark.parametrize("audio", [{}, {"audio_config": {"encoder_attention_heads": 32}}])
def test_so_is_its_class(audio: dict[str, Any]) -> None:
    document = {**HF_SMALL_3, "model_type": "voxtral_realtime", **audio}
    with pytest.raises(IntakeError, match="no layout is planned for it"):
        read_facts(HUGGINGFACE, document, WEIGHTS)


PIXTRAL = {"hidden_size": 1024, "intermediate_size": 4096}


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        pytest.param(
            {"image_size": 1540, "patch_size": 14, "spatial_merge_size": 2},
            PIXTRAL | {"image_size": 1540, "patch_size": 14, "merge_size": 2},
            id="patches of which four make a token",
        ),
        pytest.param(
            {"image_size": 1024, "patch_size": 16},
            PIXTRAL | {"image_size": 1024, "patch_size": 16, "merge_size": 1},
            id="patches that stay alone",
        ),
        pytest.param({"image_size": 1540}, None, id="a size that is missing"),
        pytest.param({"image_size": [1, 2], "patch_size": 14}, None, id="no whole number"),
    ],
)
def test_dimensions_of_a_vision_encoder(
    encoder: dict[str, Any], expected: dict[str, int] | None
) -> None:
    vision = PIXTRAL | {"num_attention_heads": 16} | encoder
    read = read_facts(MISTRAL, {**SMALL_3, "vision_encoder": vision}, WEIGHTS).vision_encoder
    assert (read and read.model_dump()) == expected


@pytest.mark.parametrize(
    ("document", "sizes"),
    [
        pytest.param({"model_type": "mistral3", "vision_config": None}, (1540, 14, 2), id="whole"),
        pytest.param(
            {"model_type": "mistral3", "vision_config": {"a": 1}}, (1024, 16, 2), id="own"
        ),
        pytest.param(
            {"model_type": "llava", "vision_config": {"model_type": "pixtral", "patch_size": 32}},
            (1024, 32, 1),
            id="beside another class",
        ),
        pytest.param({"model_type": "llava", "vision_config": {"a": 1}}, None, id="CLIP"),
    ],
)
def test_defaults_of_a_pixtral(
    document: dict[str, Any], sizes: tuple[int, int, int] | None
) -> None:
    """huggingface/transformers configuration_pixtral.py, configuration_mistral3.py (5.19)."""
    read = read_facts(HUGGINGFACE, {**HF_SMALL_3, **document}, WEIGHTS).vision_encoder
    assert (read and (read.image_size, read.patch_size, read.merge_size)) == sizes


def test_feed_forward_width_of_an_audio_encoder() -> None:
    assert read_facts(MISTRAL, params(hidden_dim=5120), WEIGHTS).audio_intermediate_size == 5120
    assert read_facts(MISTRAL, params(), WEIGHTS).audio_intermediate_size is None
    config = {**HF_SMALL_3, "vision_config": None, "model_type": "voxtral"}
    assert read_facts(HUGGINGFACE, config, WEIGHTS).audio_intermediate_size == 5120
