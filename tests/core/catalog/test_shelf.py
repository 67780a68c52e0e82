"""The catalog: every fact has a source, sizes agree with the dimensions, names find their model."""

import pytest

from escadre.core.catalog.entry import SOURCES, Entry
from escadre.core.catalog.shelf import CATALOG, find, like, name_of

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
