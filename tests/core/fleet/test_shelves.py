"""Which node a replica takes its GPUs from: blocks of free GPUs stay whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.fleet.shelves import Shelves


def order(frees: list[int], gpus: int) -> list[int]:
    shelves = Shelves()
    for number, free in enumerate(frees):
        shelves.put((False, free), f"n{number}")
    return [frees[int(name[1:])] for name in shelves.in_order(gpus)]


@pytest.mark.parametrize(
    ("frees", "gpus", "expected"),
    [
        pytest.param([8, 4, 2, 1], 1, [1, 2, 4, 8], id="the smallest block"),
        pytest.param([4, 5], 1, [5, 4], id="a single one before a half node"),
        pytest.param([8, 7, 6, 5, 4, 3], 2, [3, 6, 7, 4, 5, 8], id="a pair before a half node"),
        pytest.param([8, 7, 6, 5, 4], 4, [4, 5, 6, 7, 8], id="a half node before a whole one"),
        pytest.param([2, 3], 4, [], id="too few"),
    ],
)
def test_order(frees: list[int], gpus: int, expected: list[int]) -> None:
    assert order(frees, gpus) == expected


def test_a_ready_agent_comes_before_all_that() -> None:
    shelves = Shelves()
    shelves.put((True, 1), "silent")
    shelves.put((False, 8), "ready")
    assert list(shelves.in_order(1)) == ["ready", "silent"]


@given(st.lists(st.integers(0, 16), min_size=1), st.sampled_from([1, 2, 4, 8]))
def test_no_larger_block_is_broken_than_must_be(frees: list[int], gpus: int) -> None:
    found = order(frees, gpus)
    assert sorted(found) == sorted(free for free in frees if free >= gpus)
    exact = [free for free in found if free & gpus]
    assert found[: len(exact)] == sorted(exact)
