"""The catalog: every fact has a source, sizes agree with the dimensions, names find their model."""

import pytest

from escadre import reasons
from escadre.core.catalog.entry import MB, SOURCES, Entry
from escadre.core.catalog.shelf import CATALOG, find, like, name_of
from escadre.core.engines.legality import check_size
from escadre.core.profile import profile_for

PLANNED = [entry for entry in CATALOG if not entry.unserved]
BYTES = {"bfloat16": 2, "float16": 2, "float32": 4, "float8": 1, "float4": 0.5}


def text_parameters(entry: Entry) -> int:
    """Of the text model, counted apart from the catalog's own arithmetic for mixtures."""
    shape, experts, latent = entry.shape, entry.experts, entry.latent
    assert shape is not None
    if experts is None:
        return shape.parameters
    many = experts.routed + experts.shared
    expert = 3 * shape.hidden * experts.intermediate_size * many
    attention = 2 * shape.hidden * shape.head_dimension * (shape.heads + shape.key_value_heads)
    if latent is not None:  # the query's own rank is not among the facts: small beside the experts
        attention = shape.hidden * (latent.kv_lora_rank + shape.heads * 128)
    return shape.layers * (expert + attention) + 2 * shape.vocabulary * shape.hidden


def test_every_name_is_there_once_and_every_source_is_known() -> None:
    names = [name_of(entry) for entry in CATALOG]
    assert len(names) == len(set(names)) > 60
    assert {key for entry in CATALOG for key in entry.sources} == set(SOURCES)
    assert all(entry.sources for entry in CATALOG)


@pytest.mark.parametrize("entry", PLANNED, ids=name_of)
def test_what_is_planned_has_facts_that_agree(entry: Entry) -> None:
    told = entry.architecture
    assert told is not None
    least = text_parameters(entry) * BYTES[told.dtype]
    # Encoders, 16-bit heads and scales come on top: a fifth for FP4, more on the smallest models;
    # first layers without experts (three of Mistral Large 3) are not among the facts.
    assert 0.95 * least < told.weight_bytes < 1.4 * least + 2.5e9
    assert told.max_context_length > 0
    assert told.attention_heads % told.key_value_heads == 0


@pytest.mark.parametrize("entry", [one for one in CATALOG if one.unserved], ids=name_of)
def test_what_is_not_planned_has_a_reason_and_no_facts(entry: Entry) -> None:
    assert entry.architecture is None


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mistral-7b-v0-3", 7_248_023_552),
        ("mistral-large-instruct-2407", 122_610_069_504),
        ("mistral-small-24b-instruct-2501", 23_572_403_200),
    ],
)
def test_dimensions_give_the_published_number_of_parameters(name: str, parameters: int) -> None:
    entry = find(name)
    assert entry is not None
    assert entry.shape is not None
    assert entry.shape.parameters == parameters


@pytest.mark.parametrize(
    "name",
    [
        "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
        "Mistral-Small-3.2-24B-Instruct-2506",
        "mistral-small-3-2-24b-instruct-2506",
    ],
)
def test_a_model_is_found_by_repository_and_by_the_name_of_its_approval(name: str) -> None:
    entry = find(name)
    assert entry is not None
    assert entry.repository == "mistralai/Mistral-Small-3.2-24B-Instruct-2506"


def test_words_find_what_has_all_of_them_newest_first() -> None:
    assert [name_of(entry) for entry in like("Large 3 nvfp4")] == [
        "mistral-large-3-675b-instruct-2512-nvfp4"
    ]
    released = [entry.released for entry in like("ministral")]
    assert released == sorted(released, reverse=True)
    assert like("gpt") == ()


@pytest.mark.parametrize(
    ("name", "version", "unserved"),
    [
        ("mistral-small-4-119b-2603", "0.19", "vLLM 0.19 does not serve it, 0.20 is the first"),
        ("mistral-small-4-119b-2603", "0.20", ""),
        ("mistral-small-4-119b-2603-nvfp4", "0.11", "vLLM 0.11 does not serve it"),
        ("mistral-medium-3-5-128b", "0.17", "0.18 is the first that does"),
        ("mistral-medium-3-5-128b", "0.32", ""),
        ("mistral-7b-v0-3", "0.11", ""),
        ("mistral-large-4-1t-a52b", "0.32", "does not know its architecture"),
        ("mistral-medium-3-5-128b-eagle", "0.32", "serves nothing by itself"),
    ],
)
def test_which_version_of_the_engine_serves_a_model(name: str, version: str, unserved: str) -> None:
    entry = find(name)
    assert entry is not None
    told = entry.unserved_by(profile_for(version).profile)
    assert unserved in told
    assert bool(told) == bool(unserved)


def test_blocks_of_large_3_forbid_what_splits_them() -> None:
    entry = find("mistral-large-3-675b-instruct-2512")
    assert entry is not None
    told = entry.architecture
    assert told is not None
    wide = told.model_copy(update={"vision_heads": None})
    refusals = {size: check_size(wide, size) for size in (16, 32, 64)}
    assert refusals[16] is refusals[32] is None
    assert refusals[64] is not None
    assert refusals[64].reason == reasons.QUANTIZATION_NOT_DIVISIBLE


def test_the_bytes_of_every_encoder_are_known() -> None:
    """Without them a model that serves text only would be planned with its encoder."""
    seeing = [entry for entry in CATALOG if entry.vision_heads or entry.audio_heads]
    assert seeing
    assert [entry.repository for entry in seeing if entry.encoder_bytes < 600 * MB] == []
