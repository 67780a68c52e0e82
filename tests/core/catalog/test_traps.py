"""What people get wrong of published models, each with what is right."""

import pytest

from escadre.api.approval import Architecture
from escadre.core.catalog.entry import Entry
from escadre.core.catalog.shelf import find
from escadre.core.engines.gpu_memory import key_value_bytes_per_token
from escadre.core.weights.intake import select_files


def entry(name: str) -> Entry:
    found = find(name)
    assert found is not None
    return found


def facts(name: str) -> Architecture:
    told = entry(name).architecture
    assert told is not None
    return told


@pytest.mark.parametrize(
    ("name", "documented", "allowed"),
    [
        ("mistral-large-3-675b-instruct-2512", 262144, 294912),
        ("mistral-small-4-119b-2603", 262144, 1048576),
        ("mistral-medium-3-5-128b", 262144, 262144),
        ("mistral-large-instruct-2407", 131072, 32768),
        ("ministral-8b-instruct-2410", 131072, 32768),
    ],
)
def test_what_is_documented_is_not_what_the_configuration_allows(
    name: str, documented: int, allowed: int
) -> None:
    assert entry(name).documented == documented
    assert facts(name).max_context_length == allowed


def test_small_4_has_its_size_in_the_name_of_its_repository() -> None:
    assert find("mistralai/Mistral-Small-4-2603") is None
    assert find("mistralai/Mistral-Small-4-119B-2603") is not None


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("devstral-2-123b-instruct-2512", 125.0),
        ("mistral-large-instruct-2407", 122.6),
        ("mistral-small-24b-instruct-2501", 23.6),
        ("codestral-22b-v0-1", 22.2),
    ],
)
def test_the_size_comes_from_the_dimensions_not_from_the_name(name: str, billions: float) -> None:
    shape = entry(name).shape
    assert shape is not None
    assert round(shape.parameters / 1e9, 1) == billions


def test_voxtral_mini_is_called_3b_and_weighs_as_much_as_4_7_billion_numbers() -> None:
    assert facts("voxtral-mini-3b-2507").weight_bytes == 2 * 4_700_000_000


def test_only_one_of_two_layouts_of_the_same_weights_counts() -> None:
    both = [
        *("consolidated.safetensors", "params.json", "tekken.json"),
        *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
        *("model.safetensors.index.json", "config.json", "tokenizer.json"),
    ]
    chosen = select_files(both)
    assert chosen.weights == ("consolidated.safetensors",)
    assert {"model-00001-of-00002.safetensors", "config.json"} <= set(chosen.left_out)


@pytest.mark.parametrize(
    "name",
    [
        "mistral-nemo-instruct-2407",
        "mistral-small-3-2-24b-instruct-2506",
        "ministral-3-3b-instruct-2512",
        "ministral-3-14b-instruct-2512",
    ],
)
def test_a_head_is_not_the_width_over_the_heads(name: str) -> None:
    told = facts(name)
    assert told.head_dimension == 128
    assert told.attention_heads * told.head_dimension != told.hidden_size


@pytest.mark.parametrize(
    ("name", "cached"),
    [("mistral-small-4-119b-2603", 23040), ("mistral-large-3-675b-instruct-2512", 70272)],
)
def test_latents_are_cached_whatever_the_number_of_key_value_heads(name: str, cached: int) -> None:
    told = facts(name)
    many = told.model_copy(update={"key_value_heads": 8})
    assert {key_value_bytes_per_token(one, 8) for one in (told, many)} == {cached}


def test_medium_3_5_has_no_window_and_7b_v0_2_none_either() -> None:
    assert facts("mistral-medium-3-5-128b").sliding_window is None
    assert facts("mistral-7b-instruct-v0-2").sliding_window is None
    assert facts("mistral-7b-v0-1").sliding_window is not None


def test_medium_3_5_is_under_its_own_licence() -> None:
    assert entry("mistral-medium-3-5-128b").licence == "LicenseRef-Modified-MIT"


def test_large_4_is_named_and_not_planned_and_medium_4_is_no_model() -> None:
    assert "vLLM 0.32" in entry("mistral-large-4-1t-a52b").unserved
    assert find("Mistral-Medium-4-600B") is None


def test_the_active_parameters_of_large_3_are_a_range() -> None:
    assert "39 to 41 B active" in entry("mistral-large-3-675b-instruct-2512").parameters
