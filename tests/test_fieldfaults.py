"""What is wrong with a field, in words for who wrote it and with none that an address may hide."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from escadre.fieldfaults import first_fault, shown


class Part(BaseModel):
    """One of several."""

    cron: str
    minutes: Annotated[int, Field(ge=1, le=1000)] = 1


class Whole(BaseModel):
    """With a field of each kind."""

    name: Annotated[str, Field(min_length=2, max_length=4, pattern="^[a-z]*$")] = "abc"
    parts: Annotated[list[Part], Field(max_length=2)] = []
    kind: Literal["http", "s3"] = "http"
    share: Annotated[float, Field(gt=0)] = 1.0
    on: bool = True

    @field_validator("on")
    @classmethod
    def _checked(cls, on: bool) -> bool:
        if not on:
            raise ValueError("it must be on")
        return on


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"parts": [{"cron": "a"}, {}]}, "spec.parts[1].cron: is missing"),
        ({"parts": 5}, "spec.parts: 5 is given; a list is meant"),
        ({"parts": [5]}, "spec.parts[0]: 5 is given; an object with fields is meant"),
        ({"parts": [{"cron": []}]}, "spec.parts[0].cron: [] is given; a text is meant"),
        ({"parts": [{"cron": "a"}] * 3}, "spec.parts: has more entries than 2, the most"),
        (
            {"parts": [{"cron": "a", "minutes": 1001}]},
            "spec.parts[0].minutes: 1001 is more than 1,000, the most there may be",
        ),
        (
            {"parts": [{"cron": "a", "minutes": "x"}]},
            'spec.parts[0].minutes: "x" is given; a whole number is meant',
        ),
        ({"kind": "ftp"}, "spec.kind: \"ftp\" is given; 'http' or 's3' is meant"),
        ({"share": 0}, "spec.share: 0 is not more than 0"),
        ({"share": "x"}, 'spec.share: "x" is given; a number is meant'),
        ({"on": "maybe"}, 'spec.on: "maybe" is given; true or false is meant'),
        ({"on": False}, "spec.on: it must be on"),
        ({"name": "s3cr3t"}, "spec.name: has more characters than 4, the most there may be"),
        ({"name": "s"}, "spec.name: has fewer characters than 2, the least there may be"),
        ({"name": "S3"}, "spec.name: is not of the form ^[a-z]*$"),
    ],
)
def test_a_fault_is_told_with_its_place(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(given)
    assert words in first_fault(caught.value, "spec")
    assert first_fault(caught.value).startswith(words.removeprefix("spec."))


def test_what_is_long_is_cut() -> None:
    assert shown("a" * 100) == '"' + "a" * 59 + "…"
