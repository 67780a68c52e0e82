"""api/bounds.py: words and lists within their bounds, whoever builds or reads the model."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from escadre.api.base import Model
from escadre.api.bounds import Entries, Text
from escadre.api.schema import structural


class Said(Model):
    """A status of a test."""

    message: Annotated[str, Text(8)] = Field(default="", description="Words.")
    first: Annotated[list[Annotated[str, Text(8)]], Entries(2)] = Field(
        default_factory=list, description="The first two."
    )
    last: Annotated[list[int], Entries(2, kept="last")] = Field(
        default_factory=list, description="The last two."
    )


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        pytest.param("", "", id="none"),
        pytest.param("12345678", "12345678", id="just fits"),
        pytest.param("123456789", "1234567…", id="shows that it was cut"),
    ],
)
def test_words_are_cut_to_the_bound(words: str, kept: str) -> None:
    assert Said(message=words).message == kept
    assert Text(8).cut(words) == kept


@given(st.text())
def test_cutting_twice_is_cutting_once(words: str) -> None:
    once = Text(8).cut(words)
    assert len(once) <= 8
    assert Text(8).cut(once) == once


def test_a_list_keeps_the_entries_its_field_says() -> None:
    said = Said(first=["a", "b", "c"], last=[1, 2, 3])
    assert (said.first, said.last) == (["a", "b"], [2, 3])
    assert Said(first=("a",)).first == ["a"], "a tuple will do"


def test_what_is_not_told_need_not_be_legal() -> None:
    assert Said.model_validate({"first": ["a", "b", 7]}).first == ["a", "b"]


def test_the_schema_has_the_same_bounds() -> None:
    fields = structural(Said, people=False)["properties"]
    assert fields["message"] == {"type": "string", "maxLength": 8, "description": "Words."}
    assert (fields["first"]["maxItems"], fields["last"]["maxItems"]) == (2, 2)
    assert fields["first"]["items"] == {"type": "string", "maxLength": 8}
