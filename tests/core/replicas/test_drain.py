"""core/replicas/drain.py: how a drain is noted, and read whatever a hand made of the note."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.replicas.drain import Drain, drain_text, parse_drain


@pytest.mark.parametrize("drain", [None, Drain("ScaleDown", 1234.0), Drain("Rollout", 0.0)])
def test_a_drain_is_read_back(drain: Drain | None) -> None:
    assert parse_drain(drain_text(drain)) == drain


def test_a_drain_is_written_as_0_1_0_wrote_it_and_read_with_fields_of_a_later_version() -> None:
    # Extra fields are lost when the drain is next written: it then ends as this version ends it.
    text = '{"cause": "Rollout", "since": 1234}'
    assert drain_text(Drain("Rollout", 1234.2)) == text
    assert parse_drain('{"cause": "Rollout", "since": 1234, "by": "canary"}') == parse_drain(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '{"cause": "Rollout"}',
        '{"cause": "Weather", "since": 1}',
        '{"cause": ["Rollout"], "since": 1}',
        '{"cause": "Rollout", "since": "soon"}',
        '{"cause": "Rollout", "since": null}',
        '{"cause": "Rollout", "since": Infinity}',
        '{"cause": "Rollout", "since": NaN}',
        '{"cause": "Rollout", "since": 1' + "0" * 400 + "}",
        "[" * 100_000,
    ],
)
def test_a_damaged_drain_is_none(text: str) -> None:
    assert parse_drain(text) is None


@given(st.text())
def test_no_annotation_makes_it_fail(text: str) -> None:
    assert parse_drain(text) is None
