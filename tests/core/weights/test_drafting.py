"""Draft models are told by their files and refused, whatever their repository is called."""

from typing import Any

import pytest
from tests.core.weights.test_architecture import HF_SMALL_3, HUGGINGFACE, MISTRAL, SMALL_3

from escadre.core.weights.architecture import Stored, read_architecture, read_facts
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.safetensors import Tensor

WEIGHTS = Stored(1, "bfloat16")
# As vLLM 0.32 registers them for speculative decoding.
CLASSES = (
    *("EagleMistralForCausalLM", "EagleMistralLarge3ForCausalLM", "EagleLlamaForCausalLM"),
    *("Eagle3LlamaForCausalLM", "LlamaForCausalLMEagle3", "Eagle3Qwen3ForCausalLM"),
    *("PEagleDraftModel", "PeagleLlamaForCausalLM", "DFlashDraftModel", "Qwen3DSparkModel"),
    *("DeepSeekMTPModel", "EagleDeepSeekMTPModel", "Qwen3NextMTP", "MedusaModel"),
    *("LiLiCorrDraftModel", "MLPSpeculatorPreTrainedModel", "ExtractHiddenStatesModel"),
)
SERVED = (
    *("MistralForCausalLM", "Mistral3ForConditionalGeneration", "MixtralForCausalLM"),
    *("MistralLarge3ForCausalLM", "PixtralForConditionalGeneration", "LlamaForCausalLM"),
    *("VoxtralForConditionalGeneration", "Ministral3ForCausalLM", "Mistral4ForCausalLM"),
)


@pytest.mark.parametrize(
    ("document", "mark"),
    [
        *(({"architectures": [name]}, f"architectures: {name}") for name in CLASSES),
        ({"model_type": "eagle"}, "model_type: eagle"),
        ({"speculators_model_type": "eagle3"}, "speculators_model_type"),
        ({"speculators_config": {"algorithm": "eagle3"}}, "speculators_config"),
    ],
)
def test_a_draft_model_is_refused_by_its_configuration(document: dict[str, Any], mark: str) -> None:
    with pytest.raises(IntakeError) as refused:
        read_facts(HUGGINGFACE, {**HF_SMALL_3, **document}, WEIGHTS)
    assert str(refused.value) == (
        f"config.json: {mark}: a draft model serves nothing by itself, and engines are planned "
        "without draft models\nnext: Give the model that it drafts for."
    )


@pytest.mark.parametrize("name", SERVED)
def test_models_that_serve_are_none(name: str) -> None:
    for named in ([name], None, name, [1]):
        read_facts(HUGGINGFACE, {**HF_SMALL_3, "architectures": named}, WEIGHTS)


def test_one_in_mistrals_own_layout_is_told_by_its_weights() -> None:
    """Its params.json is that of a model of two layers."""
    tensors = [
        Tensor("layers.0.attention.wq.weight", "BF16", (4, 4), 0, 32),
        Tensor("eagle_linear.weight", "BF16", (4, 8), 32, 96),
    ]
    with pytest.raises(IntakeError, match=r"^eagle_linear\.weight among the weights: a draft mod"):
        read_architecture(MISTRAL, SMALL_3, tensors)
    assert read_architecture(MISTRAL, SMALL_3, tensors[:1]).layers == SMALL_3["n_layers"]
