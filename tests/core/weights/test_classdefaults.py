"""What published files leave out, because it equals the default of their model class."""

from typing import Any

import pytest
from tests.core.weights.test_architecture import HF_SMALL_3, facts

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.intake import Selection

HUGGINGFACE = Selection(("config.json",), (), "huggingface", "huggingface")
TEXT: dict[str, Any] = HF_SMALL_3["text_config"]
PIXTRAL: dict[str, Any] = {  # as a published copy of Pixtral 12B has it
    "model_type": "llava",
    "text_config": {
        "model_type": "mistral",
        "hidden_size": 5120,
        "head_dim": 128,
        "num_hidden_layers": 40,
        "max_position_embeddings": 1024000,
        "vocab_size": 131072,
    },
    "vision_config": {
        "model_type": "pixtral",
        "head_dim": 64,
        "image_size": 1024,
        "rope_theta": 10000.0,
    },
}


def test_a_pixtral_that_says_next_to_nothing() -> None:
    read = facts(HUGGINGFACE, PIXTRAL)
    assert read["visionHeads"] == 16
    assert (read["attentionHeads"], read["keyValueHeads"]) == (32, 8)
    assert (read["intermediateSize"], read["headDimension"]) == (14336, 128)
    assert read["maxContextLength"] == 1024000


@pytest.mark.parametrize(
    ("document", "heads"),
    [
        pytest.param({"vision_config": {"model_type": "pixtral"}}, 16, id="by its own type"),
        pytest.param({"model_type": "mistral3", "vision_config": {"a": 14}}, 16, id="whole"),
        pytest.param({"model_type": "mistral3"}, 16, id="the class builds one unasked"),
        pytest.param({"model_type": "llava", "vision_config": {"a": 14}}, 12, id="CLIP"),
        pytest.param({"model_type": "llava"}, 16, id="CLIP as LLaVA builds it"),
        pytest.param(
            {"vision_config": {"model_type": "pixtral", "num_attention_heads": 12}},
            12,
            id="what stands there wins",
        ),
    ],
)
def test_heads_of_vision(document: dict[str, Any], heads: int) -> None:
    assert facts(HUGGINGFACE, {"text_config": TEXT, **document})["visionHeads"] == heads


@pytest.mark.parametrize(
    ("document", "heads"),
    [
        pytest.param({"audio_config": {"model_type": "voxtral_encoder"}}, 20, id="by its type"),
        pytest.param({"model_type": "voxtral", "audio_config": {"a": 14}}, 20, id="whole"),
        pytest.param({"model_type": "voxtral"}, 20, id="the class builds one unasked"),
        pytest.param(
            {"model_type": "voxtral", "audio_config": {"encoder_attention_heads": 16}},
            16,
            id="under its other name",
        ),
    ],
)
def test_heads_of_audio(document: dict[str, Any], heads: int) -> None:
    assert facts(HUGGINGFACE, {"text_config": TEXT, **document})["audioHeads"] == heads


def test_a_voxtral_s_text_part_has_defaults_of_its_own() -> None:
    read = facts(HUGGINGFACE, {"model_type": "voxtral", "text_config": {"rope_theta": 1e8}})
    assert (read["layers"], read["hiddenSize"], read["intermediateSize"]) == (30, 3072, 8192)
    assert (read["attentionHeads"], read["keyValueHeads"]) == (32, 8)


@pytest.mark.parametrize(
    ("kind", "heads", "length"),
    [("mistral", 8, 131072), ("llama", 32, 2048), ("ministral3", 8, 262144)],
)
def test_key_value_heads_and_length_of_a_class(kind: str, heads: int, length: int) -> None:
    left_out = {"num_key_value_heads", "max_position_embeddings"}
    said = {key: value for key, value in TEXT.items() if key not in left_out}
    read = facts(HUGGINGFACE, {"model_type": kind, **said})
    assert (read["keyValueHeads"], read["maxContextLength"]) == (heads, length)


def test_latent_attention_and_experts_of_a_class() -> None:
    read = facts(HUGGINGFACE, {"model_type": "mistral4"})
    assert read["latentAttention"] == {
        "kvLoraRank": 256,
        "ropeHeadDimension": 64,
        "queryRank": 1024,
        "valueHeadDimension": 128,
    }
    assert read["experts"]["routed"] == 128
    assert read["headDimension"] == 64


def test_without_a_class_nothing_is_filled_in() -> None:
    with pytest.raises(IntakeError, match=r"config\.json: num_attention_heads is missing"):
        facts(HUGGINGFACE, {"hidden_size": 4096})
