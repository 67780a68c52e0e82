"""escadre/reasons/said.py: what is the same saying with other numbers, and what is another."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.reasons.said import NOTHING, Amount, Said, Value, joined, plain, say


def pulled(node: str, done: int, left: str = "9 s") -> Said:
    return say("node {node} pulled {done:,} bytes, {left}", node=node, done=done, left=Amount(left))


def test_it_is_put_together_as_an_f_string_would_be() -> None:
    assert str(pulled("gpu-0", 12345)) == "node gpu-0 pulled 12,345 bytes, 9 s"
    assert str(say("{percent:.0f} % of {{all}}", percent=12.6)) == "13 % of {all}"


@pytest.mark.parametrize(
    "other", [pulled("gpu-0", 6), pulled("gpu-0", 5, "8 s"), pulled("gpu-0", 5)]
)
def test_other_numbers_are_the_same_saying(other: Said) -> None:
    assert other.essence == pulled("gpu-0", 5).essence
    assert other.alike(pulled("gpu-0", 5))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(pulled("gpu-1", 5), id="another node, though only its number differs"),
        pytest.param(say("node {node} waits", node="gpu-0"), id="another template"),
        pytest.param(plain("node gpu-0 pulled 5 bytes, 9 s"), id="a text from elsewhere"),
        pytest.param(say("so: {words}", words=pulled("gpu-0", 5)), id="said within something"),
    ],
)
def test_other_names_are_another_saying(other: Said) -> None:
    assert other.essence != pulled("gpu-0", 5).essence


def test_what_is_said_within_counts_by_its_own_essence() -> None:
    def twice(node: str, done: int) -> Said:
        return joined("; ", [pulled(node, done), plain("full")])

    assert str(twice("a", 5)) == "node a pulled 5 bytes, 9 s; full"
    assert twice("a", 5).essence == twice("a", 6).essence
    assert twice("a", 5).essence != twice("b", 5).essence
    assert json.dumps(twice("a", 5).essence)


WORDS = st.sampled_from(["a", "b", ""])
PLAIN = WORDS | st.integers(0, 3) | st.floats(0, 3) | st.builds(Amount, WORDS)


def sayings(value: st.SearchStrategy[Value]) -> st.SearchStrategy[Said]:
    values = st.lists(st.tuples(WORDS, value), max_size=3).map(tuple)
    return st.builds(Said, WORDS, values)


SAYINGS = sayings(PLAIN | sayings(PLAIN))


@given(SAYINGS, SAYINGS)
def test_alike_are_those_of_one_essence(one: Said, other: Said) -> None:
    assert one.alike(other) == (one.essence == other.essence)
    assert one.alike(one)


def test_braces_in_a_text_from_elsewhere_are_text() -> None:
    assert str(plain("{node} of {0}")) == "{node} of {0}"


def test_nothing_said_is_false() -> None:
    assert not NOTHING
    assert not plain("")
    assert plain("x")
