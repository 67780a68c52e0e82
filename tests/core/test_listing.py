"""core/listing.py: what is left out is counted."""

import pytest

from escadre.core.listing import listed


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["a"], "a", id="one"),
        pytest.param(["a", "b"], "a, b", id="as many as are named"),
        pytest.param(["a", "b", "c"], "a, b and 1 more", id="one more"),
        pytest.param([*"abcde"], "a, b and 3 more", id="many"),
    ],
)
def test_names_in_a_sentence(words: list[str], text: str) -> None:
    assert listed(words, 2) == text


def test_words_with_commas_in_them() -> None:
    assert listed(["a: 1, 2", "b: 3", "c: 4"], 2, "; ") == "a: 1, 2; b: 3 and 1 more"
