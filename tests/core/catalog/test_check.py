"""A draft against the catalog: what agrees is not told, what differs is, with both numbers."""

import pytest

from escadre.api.approval import Architecture
from escadre.core.catalog.check import contradictions, other_licence
from escadre.core.catalog.entry import Entry
from escadre.core.catalog.shelf import CATALOG, find


def known(name: str) -> tuple[Entry, Architecture]:
    entry = find(name)
    assert entry is not None
    assert entry.architecture is not None
    return entry, entry.architecture


def test_a_model_agrees_with_itself_and_its_documented_context_is_told() -> None:
    for entry in CATALOG:
        if told := entry.architecture:
            longer = entry.documented and told.max_context_length > entry.documented
            assert len(contradictions(entry, told)) == bool(longer), entry.repository
    assert contradictions(*known("mistral-small-4-119b-2603")) == (
        "Mistral documents 262,144 tokens for Mistral Small 4; the files allow 1,048,576",
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"layers": 41}, "layers: 41 in the files, 40 in the catalog"),
        ({"vision_heads": None}, "heads of the vision encoder: none in the files, 16 in the c"),
        ({"dtype": "float8"}, "type of the weights: float8 in the files, bfloat16 in the catalog"),
        ({"weight_bytes": 24_000_000_000}, "weights: 24.0 GB in the files, 48.0 GB in the catalog"),
        ({"max_context_length": 65536}, "longest context: 65,536 in the files, 131,072 in the"),
    ],
)
def test_what_the_files_say_otherwise_is_shown(changed: dict[str, object], words: str) -> None:
    entry, told = known("mistral-small-3-2-24b-instruct-2506")
    (found,) = contradictions(entry, told.model_copy(update=changed))
    assert words in found


def test_rounded_bytes_are_no_contradiction() -> None:
    entry, told = known("mistral-small-3-2-24b-instruct-2506")
    assert contradictions(entry, told.model_copy(update={"weight_bytes": 48_022_792_280})) == ()


def test_what_is_not_planned_is_told_before_anybody_signs() -> None:
    entry = find("mistralai/Mistral-Large-4-1T-A52B")
    assert entry is not None
    _, any_ = known("mistral-7b-v0-3")
    assert contradictions(entry, any_) == (
        (
            "no layout is planned for Mistral Large 4: vLLM 0.32 does not know its architecture "
            "(sparse attention, shared caches)"
        ),
    )


@pytest.mark.parametrize(
    ("model", "given", "told"),
    [
        ("mistral-small-3-2-24b-instruct-2506", "Apache-2.0", False),
        ("mistral-small-3-2-24b-instruct-2506", "MIT", True),
        ("mistral-small-3-2-24b-instruct-2506", "LicenseRef-Contract", True),
        ("mistral-large-instruct-2411", "Apache-2.0", True),
        ("mistral-large-instruct-2411", "LicenseRef-Contract", False),
    ],
)
def test_another_licence_than_is_published_is_told(model: str, given: str, told: bool) -> None:
    entry = find(model)
    assert entry is not None
    words = other_licence(entry, given)
    assert bool(words) == told
    assert all(f"{given} in the draft, {entry.licence} in the catalog" in one for one in words)
