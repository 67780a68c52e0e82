"""The longest context, held against what vLLM 0.32 itself made of these files.

Each number without a version is ModelConfig(...).max_model_len of a real vLLM 0.32.
"""

from typing import Any

import pytest
from tests.core.weights.test_architecture import HF_SMALL_3, SMALL_3

from escadre.core.profile import profile_for
from escadre.core.weights.architecture import Stored, read_facts
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.intake import Selection

MISTRAL = Selection((), (), "mistral", "mistral")
HUGGINGFACE = Selection((), (), "huggingface", "huggingface")
PARAMS = {key: value for key, value in SMALL_3.items() if key != "max_position_embeddings"}
TEXT: dict[str, Any] = {**HF_SMALL_3["text_config"], "max_position_embeddings": 32768}
YARN = {"factor": 16, "original_max_position_embeddings": 8192}


def length(selection: Selection, document: dict[str, Any], version: str = "0.32") -> int:
    weights, profile = Stored(1, "bfloat16"), profile_for(version).profile
    return read_facts(selection, document, weights, profile).max_context_length


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        pytest.param({}, 128_000, id="silent"),
        pytest.param({"max_seq_len": 262144}, 128_000, id="another key, longer"),
        pytest.param({"max_seq_len": 32768}, 32768, id="another key, shorter"),
        pytest.param({"max_position_embeddings": 262144}, 262144, id="its own key"),
        pytest.param(
            {"max_position_embeddings": 262144, "max_seq_len": 65536}, 65536, id="the least of both"
        ),
        pytest.param({"max_position_embeddings": None, "max_seq_len": 65536}, 65536, id="null"),
        pytest.param({"max_seq_len": None}, 128_000, id="null in the other"),
        pytest.param(
            {"max_position_embeddings": 262144, "model_max_length": 4096}, 4096, id="its ceiling"
        ),
        pytest.param(
            {"max_position_embeddings": 262144, "yarn": YARN | {"beta": 32, "alpha": 1}},
            262144,
            id="YaRN that is counted in",
        ),
        pytest.param(
            {"max_position_embeddings": 32768, "yarn": YARN}, 32768, id="YaRN that is not"
        ),
        pytest.param(
            {
                "max_position_embeddings": 32768,
                "rope_scaling": {"rope_type": "linear", "factor": 4.0},
            },
            131072,
            id="a linear scaling",
        ),
        pytest.param(
            {"max_position_embeddings": 262144, "sliding_window": 4096}, 262144, id="a window"
        ),
    ],
)
def test_of_a_params_json(given: dict[str, Any], tokens: int) -> None:
    assert length(MISTRAL, PARAMS | given) == tokens


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        pytest.param({"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, 131072, id="linear"),
        pytest.param({"rope_scaling": {"type": "linear", "factor": 4}}, 131072, id="old spelling"),
        pytest.param({"rope_scaling": {"rope_type": "dynamic", "factor": 4}}, 131072, id="dynamic"),
        pytest.param({"rope_scaling": {"rope_type": "linear", "factor": 2.5}}, 81920, id="half"),
        pytest.param({"rope_scaling": {"rope_type": "yarn", **YARN}}, 32768, id="YaRN"),
        pytest.param({"rope_parameters": {"rope_type": "yarn", **YARN}}, 32768, id="new name"),
        pytest.param({"rope_scaling": {"rope_type": "llama3", "factor": 8}}, 32768, id="Llama 3"),
        pytest.param({"rope_scaling": {"rope_type": "linear", "factor": None}}, 32768, id="null"),
        pytest.param({"rope_scaling": None}, 32768, id="no scaling"),
        pytest.param({"seq_length": 16384}, 16384, id="the least of all keys"),
        pytest.param({"model_max_length": 16384}, 16384, id="the ceiling below"),
        pytest.param({"model_max_length": 65536}, 65536, id="the ceiling above: it wins"),
        pytest.param({"sliding_window": 4096}, 32768, id="a window"),
    ],
)
def test_of_a_config_json(given: dict[str, Any], tokens: int) -> None:
    assert length(HUGGINGFACE, TEXT | given) == tokens
    assert length(HUGGINGFACE, {"text_config": TEXT | given}) == tokens


def test_scalings_for_each_kind_of_layer_count_once() -> None:
    linear = {"rope_type": "linear", "factor": 4.0}
    given = {"full_attention": linear, "sliding_attention": {"rope_type": "default"}}
    assert length(HUGGINGFACE, TEXT | {"rope_parameters": given}) == 131072


@pytest.mark.parametrize(
    ("selection", "document", "before", "since"),
    [
        pytest.param(
            HUGGINGFACE, TEXT | {"rope_scaling": {"type": "yarn", **YARN}}, 131072, 32768, id="HF"
        ),
        pytest.param(
            MISTRAL,
            PARAMS | {"max_position_embeddings": 32768, "yarn": YARN},
            131072,
            32768,
            id="Mistral's own",
        ),
        pytest.param(
            HUGGINGFACE,
            TEXT | {"rope_scaling": {"type": "yarn", "factor": 4}},
            131072,
            32768,
            id="without its start",
        ),
    ],
)
def test_until_0_29_yarn_lengthens(
    selection: Selection, document: dict[str, Any], before: int, since: int
) -> None:
    assert length(selection, document, "0.29") == before
    assert length(selection, document, "0.30") == since


def test_0_11_caps_a_params_json_that_does_not_say_max_seq_len() -> None:
    document = PARAMS | {"max_position_embeddings": 262144}
    assert length(MISTRAL, document, "0.11") == 128_000
    assert length(MISTRAL, document, "0.12") == 262144


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_position_embeddings": None}, "max_position_embeddings is missing"),
        (
            {"rope_scaling": {"type": "linear", "factor": "4"}},
            "rope_scaling: factor is not a number",
        ),
        (
            {"rope_scaling": {"type": "linear", "factor": -1}},
            "rope_scaling: factor is not a number",
        ),
        ({"seq_length": "8k"}, "seq_length is not a whole number"),
    ],
)
def test_what_is_missing_or_wrong_is_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(IntakeError, match=says):
        length(HUGGINGFACE, TEXT | given)
