"""core/counting.py: number and noun agree."""

import pytest

from escadre.core.counting import count, share


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(0, "0 replicas", id="none"),
        pytest.param(1, "1 replica", id="one"),
        pytest.param(2, "2 replicas", id="two"),
        pytest.param(1200, "1,200 replicas", id="thousands are grouped"),
    ],
)
def test_a_number_and_its_noun(number: int, text: str) -> None:
    assert count(number, "replica") == text


def test_a_plural_of_its_own() -> None:
    assert count(1, "node fails", "nodes fail") == "1 node fails"
    assert count(2, "node fails", "nodes fail") == "2 nodes fail"


@pytest.mark.parametrize(("number", "whole"), [(0, 1), (1, 1), (1, 2), (2, 2)])
def test_so_many_of_all_is_plural_whatever_the_numbers(number: int, whole: int) -> None:
    assert share(number, whole, "replica") == f"{number} of {whole} replicas"
