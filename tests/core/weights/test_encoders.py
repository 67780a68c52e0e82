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
