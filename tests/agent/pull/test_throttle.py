"""The cap of a node's pulls, and which pages stay in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.agent.pull.pagecache import unused_memory
from escadre.agent.pull.throttle import Throttle


@given(st.lists(st.integers(1, 1 << 20), min_size=1), st.integers(1_000_000, 10**10))
def test_no_more_comes_than_the_rate_and_a_moment_of_it(counts: list[int], rate: int) -> None:
    throttle, now = Throttle(rate, paid=0.0), 0.0
    for count in counts:
        now += throttle.pause(count, now)
    assert now >= sum(counts) / rate - 0.26
    assert now <= sum(counts) / rate + 1e-6


def test_what_is_saved_in_a_pause_is_a_moment() -> None:
    throttle = Throttle(1_000_000)
    assert throttle.pause(1_000_000, now=100.0) == pytest.approx(0.75)
    assert throttle.pause(250_000, now=100.75) == pytest.approx(0.25)


def test_unused_memory_is_what_is_free_and_what_was_read_once() -> None:
    text = "MemTotal:  9 kB\nMemFree:   1000 kB\nInactive(file):  24 kB\nHugePages_Total: 0\n"
    assert unused_memory(text) == 1024 * 1024
    with pytest.raises(ValueError, match="MemFree"):
        unused_memory("MemTotal: 9 kB\n")
