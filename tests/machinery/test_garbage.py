"""Garbage is looked for often and little, and never while somebody waits."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from escadre.machinery import garbage


class _Ring:
    """What dies by no count."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before, enabled = gc.get_threshold(), gc.isenabled()
    gc.disable()  # nobody else looks meanwhile
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
    if enabled:
        gc.enable()


async def looked(urgent: list[bool], monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether a ring was still there after each look."""
    there: list[bool] = []
    ring: list[weakref.ref[_Ring]] = []

    async def sleep(_: float) -> None:
        if ring:
            there.append(ring[0]() is not None)
        if len(there) == len(urgent):
            raise asyncio.CancelledError
        ring[:] = [weakref.ref(_Ring())]

    monkeypatch.setattr("escadre.machinery.garbage.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await garbage.look_often(iter(urgent).__next__)
    return there


async def test_the_young_are_looked_through_but_for_what_is_urgent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await looked([False, True, False], monkeypatch) == [False, True, False]


@pytest.mark.parametrize(("looks", "older"), [(480, 1), (14_400, 2)])
async def test_what_outlived_a_look_is_looked_for_again(
    looks: int, older: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few objects are made: a look asked for by name counts for no threshold of Python."""
    asked: list[int] = []
    slept = 0

    async def sleep(_: float) -> None:
        nonlocal slept
        slept += 1
        if slept > looks:
            raise asyncio.CancelledError

    monkeypatch.setattr("escadre.machinery.garbage.asyncio.sleep", sleep)
    monkeypatch.setattr("escadre.machinery.garbage.gc.collect", asked.append)
    with pytest.raises(asyncio.CancelledError):
        await garbage.look_often(lambda: False)
    assert asked[-1] == older
    assert asked[:-1].count(0) == len(asked) - 1 - (looks - 1) // 480


def test_what_is_kept_is_not_looked_through_again() -> None:
    held = _Ring()
    garbage.keep()
    assert all(one is not held for one in gc.get_objects())


def test_all_is_looked_through_seldom() -> None:
    garbage.seldom()
    assert gc.get_threshold() == garbage.THRESHOLDS
