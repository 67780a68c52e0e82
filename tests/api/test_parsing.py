"""What a CRD accepts, its model reads and writes back unchanged; unknown fields are ignored.

The values are generated from the schemas themselves, for every kind, spec and status.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escadre.api.base import Model
from escadre.api.kinds import KINDS
from escadre.api.schema import structural

MODELS = [
    pytest.param(model, id=f"{kind.kind} {part}")
    for kind in KINDS
    for part, model in (("spec", kind.spec), ("status", kind.status))
    if model is not None
]
_TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - as strings
_MOST = 2  # entries of generated lists


def _values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that the API server would take for ``schema``."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object":
            return _objects(schema)
        case "array":
            least = schema.get("minItems", 0)
            return st.lists(_values(schema["items"]), min_size=least, max_size=max(least, _MOST))
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "boolean":
            return st.booleans()
        case _:
            return _strings(schema)


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = set(schema.get("required", ()))
    fields = {name: _values(child) for name, child in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: value for name, value in fields.items() if name in required},
        optional={name: value for name, value in fields.items() if name not in required},
    )


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return _TIMES.map(lambda at: at.replace(microsecond=0, tzinfo=UTC).isoformat())
    longest = schema["maxLength"]
    if "pattern" in schema:
        found = st.from_regex(schema["pattern"], fullmatch=True)
        return found.filter(lambda text: len(text) <= longest and text.isascii())
    return st.text(min_size=schema.get("minLength", 0), max_size=min(longest, 20))


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_what_the_crd_accepts_survives_reading_and_writing(
    model: type[Model], data: st.DataObject
) -> None:
    value = data.draw(_values(structural(model, people=False)))
    read = model.model_validate({**value, "fieldOfANewerVersion": 1})
    written = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert model.model_validate(written) == read
    assert written.keys() == value.keys()
