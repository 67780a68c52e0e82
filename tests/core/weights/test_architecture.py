"""The planner's facts, from configurations as published models have them."""

from typing import Any

import pytest

from escadre.core.weights.architecture import read_architecture
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.intake import Selection
from escadre.core.weights.safetensors import Tensor

MISTRAL = Selection(("params.json",), (), "mistral", "mistral")
HUGGINGFACE = Selection(("config.json",), (), "huggingface", "huggingface")
BF16 = [Tensor("w", "BF16", (50,), 0, 100), Tensor("norm", "F32", (1,), 100, 104)]

SMALL_3 = {
    "dim": 5120,
    "n_layers": 40,
    "head_dim": 128,
    "hidden_dim": 32768,
    "n_heads": 32,
    "n_kv_heads": 8,
    "vocab_size": 131072,
    "max_position_embeddings": 131072,
    "vision_encoder": {"hidden_size": 1024, "num_attention_heads": 16},
}
MIXTRAL = {
    "dim": 4096,
    "n_layers": 32,
    "head_dim": 128,
    "hidden_dim": 14336,
    "n_heads": 32,
    "n_kv_heads": 8,
    "vocab_size": 32000,
    "max_seq_len": 32768,
    "moe": {"num_experts_per_tok": 2, "num_experts": 8},
}
LARGE_3 = {
    "dim": 7168,
    "n_layers": 61,
    "hidden_dim": 16384,
    "n_heads": 128,
    "n_kv_heads": 128,
    "head_dim": 192,
    "vocab_size": 131072,
    "max_position_embeddings": 294912,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "moe": {
        "num_experts": 128,
        "num_experts_per_tok": 4,
        "num_shared_experts": 1,
        "expert_hidden_dim": 4096,
    },
}
HF_SMALL_3 = {
    "text_config": {
        "hidden_size": 5120,
        "intermediate_size": 32768,
        "num_hidden_layers": 40,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 131072,
        "max_position_embeddings": 131072,
    },
    "vision_config": {"num_attention_heads": 16},
}
HF_MIXTRAL = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": None,
    "vocab_size": 32000,
    "max_position_embeddings": 32768,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}


def facts(selection: Selection, config: dict[str, Any]) -> dict[str, Any]:
    return read_architecture(selection, config, BF16).model_dump(by_alias=True, exclude_none=True)


@pytest.mark.parametrize(
    ("params", "config"),
    [
        pytest.param(SMALL_3, HF_SMALL_3, id="dense with vision"),
        pytest.param(MIXTRAL, HF_MIXTRAL, id="mixture of experts"),
    ],
)
def test_both_descriptions_of_a_model_give_the_same_facts(
    params: dict[str, Any], config: dict[str, Any]
) -> None:
    ignored = {"format", "tokenizer"}
    ours, theirs = facts(MISTRAL, params), facts(HUGGINGFACE, config)
    assert {k: v for k, v in ours.items() if k not in ignored} == {
        k: v for k, v in theirs.items() if k not in ignored
    }


def test_a_dense_model_with_vision() -> None:
    others = dict.fromkeys(("embedding", "experts", "encoderSharded", "encoderReplicated"), 0)
    assert facts(MISTRAL, SMALL_3) == {
        "format": "mistral",
        "tokenizer": "mistral",
        "dtype": "bfloat16",
        "weightBytes": 104,
        "hiddenSize": 5120,
        "intermediateSize": 32768,
        "layers": 40,
        "attentionHeads": 32,
        "keyValueHeads": 8,
        "headDimension": 128,
        "vocabularySize": 131072,
        "maxContextLength": 131072,
        "visionHeads": 16,
        "tensors": {"sharded": 0, "replicated": 104, **others},
    }


def test_latent_attention_with_shared_experts() -> None:
    read = facts(MISTRAL, LARGE_3)
    assert read["latentAttention"] == {"kvLoraRank": 512, "ropeHeadDimension": 64}
    assert read["headDimension"] == 128
    assert read["experts"] == {
        "routed": 128,
        "perToken": 4,
        "shared": 1,
        "intermediateSize": 4096,
    }


def test_vision_under_multimodal_is_found() -> None:
    params = {k: v for k, v in SMALL_3.items() if k != "vision_encoder"}
    params["multimodal"] = {"vision_encoder_args": SMALL_3["vision_encoder"]}
    assert facts(MISTRAL, params)["visionHeads"] == 16


def test_a_silent_params_file_has_vllm_s_context() -> None:
    params = {k: v for k, v in SMALL_3.items() if k != "max_position_embeddings"}
    assert facts(MISTRAL, params)["maxContextLength"] == 128000


@pytest.mark.parametrize(
    ("tensors", "dtype"),
    [
        pytest.param([("BF16", 90), ("F32", 10)], "bfloat16", id="bf16 with norms in full"),
        pytest.param([("F16", 10)], "float16", id="half"),
    ],
)
def test_what_is_not_quantised_is_of_the_type_of_most_bytes(
    tensors: list[tuple[str, int]], dtype: str
) -> None:
    described = [Tensor(str(i), kind, (size,), 0, size) for i, (kind, size) in enumerate(tensors)]
    assert read_architecture(MISTRAL, SMALL_3, described).dtype == dtype


@pytest.mark.parametrize("kind", ["F8_E4M3", "U8", "F4", "I32", "I8"])
def test_quantised_weights_of_which_nobody_says_how_are_refused(kind: str) -> None:
    """The engine would build such a model unquantised, or fail while it loads."""
    with pytest.raises(IntakeError, match=f"stored as {kind}, .* neither config.json nor hf_quant"):
        read_architecture(HUGGINGFACE, HF_SMALL_3, [Tensor("w", kind, (4,), 0, 4)])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"n_layers": None}, "n_layers is missing", id="missing"),
        pytest.param({"dim": "5120"}, "dim is not a whole number", id="text"),
        pytest.param({"dim": 5120.5}, "dim is not a whole number", id="fraction"),
        pytest.param({"n_heads": -32}, "n_heads is -32", id="negative"),
        pytest.param({"n_layers": 0}, r"params\.json: layers: ", id="out of bounds"),
        pytest.param({"n_heads": 0, "head_dim": None}, r"params\.json", id="no heads"),
        pytest.param({"moe": {"num_experts": 8}}, "num_experts_per_tok is missing", id="half moe"),
    ],
)
def test_what_is_missing_or_wrong_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(IntakeError, match=says):
        facts(MISTRAL, SMALL_3 | change)


def test_a_type_the_planner_does_not_know_is_refused() -> None:
    with pytest.raises(IntakeError, match="type I64"):
        read_architecture(MISTRAL, SMALL_3, [Tensor("w", "I64", (1,), 0, 8)])


VOXTRAL = {
    **SMALL_3,
    "vision_encoder": None,
    "multimodal": {"whisper_model_args": {"encoder_args": {"dim": 1280, "n_heads": 20}}},
}


def test_heads_of_an_audio_encoder() -> None:
    read = facts(MISTRAL, VOXTRAL)
    assert (read["audioHeads"], read.get("visionHeads")) == (20, None)
    config = {**HF_SMALL_3, "vision_config": None, "audio_config": {"encoder_attention_heads": 20}}
    assert facts(HUGGINGFACE, config)["audioHeads"] == 20


@pytest.mark.parametrize(
    ("selection", "document", "says"),
    [
        (
            MISTRAL,
            {**SMALL_3, "vision_encoder": {"hidden_size": 1024}},
            r"params\.json: vision_encoder: num_attention_heads is missing",
        ),
        (
            MISTRAL,
            {**VOXTRAL, "multimodal": {"whisper_model_args": {"encoder_args": {"dim": 1280}}}},
            r"params\.json: multimodal: whisper_model_args: encoder_args: n_heads is missing",
        ),
        (
            MISTRAL,
            {**SMALL_3, "moe": {"num_experts": 8}},
            r"params\.json: moe: num_experts_per_tok is missing",
        ),
        (
            HUGGINGFACE,
            {**HF_SMALL_3, "vision_config": {"model_type": "my_own", "hidden_size": 1024}},
            r"config\.json: vision_config: num_attention_heads is missing",
        ),
        (
            HUGGINGFACE,
            {"text_config": {"hidden_size": 5120}},
            r"config\.json: text_config: num_attention_heads is missing",
        ),
    ],
)
def test_the_part_that_lacks_something_is_named(
    selection: Selection, document: dict[str, Any], says: str
) -> None:
    with pytest.raises(IntakeError, match=says):
        facts(selection, document)
