"""The last hour: what is kept of it, what was usual, and what following it would have missed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.scaling.past import NOTHING, Open, Past, late, missed

WIDTH, SHORT = 20.0, 9.0
CAPACITY = 4.0  # requests per second
LOAD = 180.0
HOUR = 180  # pieces


def piece(requests: float, seconds: float = WIDTH) -> Open:
    """With all its requests in one short time."""
    return Open(requests, seconds, most=requests)


def past(*requests: int, asked: float = 0.0) -> Past:
    found = Past(WIDTH, SHORT)
    for one in requests:
        found = found.after(piece(one), asked)
    return found


def bursts(number: int, every: int = 10, pieces: int = HOUR) -> list[int]:
    """So many requests at a time, and nothing in between."""
    return [0 if place % every else number for place in range(pieces)]


def kept(past: Past, most: int = 50, share: float = 0.95) -> int:
    return missed(past, CAPACITY, share, LOAD, most)


def test_only_an_hour_is_kept() -> None:
    found = past(*range(1000))
    assert list(found.requests) == list(range(1000 - HOUR, 1000))
    assert len(found.most) == len(found.asked) == HOUR


def test_a_piece_that_is_longer_counts_by_its_rate() -> None:
    assert Past(WIDTH, SHORT).after(piece(30, 30.0), 1.0).requests.tolist() == [20]


def test_a_counter_that_leaps_beyond_all_sense_is_no_fault_here() -> None:
    assert past(2**60).requests.tolist() == past(2**60).most.tolist() == [2**32 - 1]


def test_nothing_is_remembered_of_a_mean_that_fades() -> None:
    assert past(0, asked=1e-9).asked.tolist() == [0.0]
    assert past(1, asked=1e-9).asked.tolist() == [1e-9]


def test_a_burst_is_measured_over_a_short_time_also_from_one_piece_to_the_next() -> None:
    open_ = NOTHING
    for requests in (0, 30, 60, 30, 0, 0):  # nine seconds of it are 120 requests
        open_ = open_.after(requests, 3.0, SHORT)
    assert (open_.requests, open_.seconds, open_.most) == (120, 18.0, 90.0)
    over = NOTHING.after(0, 3.0, SHORT).after(50, 3.0, SHORT).next
    assert over.after(50, 3.0, SHORT).most == 100.0


def test_the_usual_rate_is_that_of_requests_not_of_time() -> None:
    """One burst with nine of ten requests is what is usual for nine of ten."""
    found = past(9000, *[0] * 8, 1000)
    assert found.usual(0.85, 300.0) == pytest.approx(450, rel=0.05)
    assert found.usual(0.05, 300.0) == pytest.approx(50, rel=0.06)
    assert found.usual(0.85, 60.0) == pytest.approx(47.4, rel=0.01), "the burst is too old"
    assert past().usual(0.95, 300.0) == past(0, 0).usual(0.95, 300.0) == 0.0


def test_what_chance_brings_is_not_usual() -> None:
    """Of 40 on the mean 51 come in one of twenty pieces."""
    assert past(51).usual(0.95, 300.0) == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(
    ("load", "expected"), [(0.0, 0.0), (0.5, 0.003125), (1.0, 0.05), (1.5, 0.253), (9.0, 1.0)]
)
def test_how_many_are_late_rises_steeply_with_the_load(load: float, expected: float) -> None:
    assert late(load, 0.95) == pytest.approx(expected, abs=0.001)


def test_for_bursts_after_silence_as_many_are_kept_as_they_need() -> None:
    small, large = kept(past(*bursts(60))), kept(past(*bursts(360)))
    assert 1 < small < large
    rate = 360 / SHORT
    assert rate / CAPACITY * 0.8 < large < rate / CAPACITY * 2


def test_for_traffic_that_was_followed_nothing_is_kept() -> None:
    assert kept(past(*[60] * HOUR, asked=12.0)) == 0


def test_what_no_load_could_have_met_does_not_count() -> None:
    """In the first load's time nobody could have followed: a start says nothing of bursts."""
    first = 1 + round(LOAD / WIDTH)
    again = [0] * 40
    assert kept(past(*[400] * first, *again, 400)) == 0
    assert kept(past(*[400] * (first + 1), *again, 400)) > 0


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 0.99])
def test_what_chance_brings_together_keeps_nothing_whatever_the_share(share: float) -> None:
    """What comes evenly, and is followed by enough: 1.4 a second by four replicas of 0.43."""
    rng = random.Random(3)  # noqa: S311 - draws, not secrets
    found = Past(WIDTH, WIDTH)
    for _ in range(HOUR):
        requests = sum(rng.random() < 0.014 for _ in range(100 * round(WIDTH)))
        found = found.after(piece(requests), 1.4)
    assert max(found.most) / WIDTH > 4 * 0.43, "chance alone passes what they serve at times"
    assert missed(found, 0.43, share, LOAD, 50) == 0


def test_what_came_once_is_not_expected_again() -> None:
    quiet = [0] * 30
    assert kept(past(*quiet, *[400] * 5, *quiet)) == 0
    assert kept(past(*quiet, *[400] * 5, *quiet, 400)) > 1


def test_bursts_are_forgotten_after_an_hour() -> None:
    assert kept(past(*bursts(360), *[0] * HOUR)) == 0
    assert kept(past()) == kept(past(0)) == 0


def test_what_was_followed_is_within_the_level_as_it_is() -> None:
    """Eighty-six in nine seconds are 7.9 a second beyond chance: two replicas are enough for it.

    A few bursts beside it that two cannot serve are fewer requests than may be late.
    """
    found = Past(WIDTH, SHORT)
    for place in range(HOUR):
        found = found.after(piece(86 if place % 30 else 100), 2 * CAPACITY)
    assert kept(found) == 0
    assert kept(past(*[0 if place % 30 else 100 for place in range(HOUR)])) == 4


def test_more_than_there_may_be_is_not_asked_for() -> None:
    assert kept(past(*bursts(3600)), most=7) == 7


@given(
    requests=st.lists(st.integers(0, 2000), max_size=60),
    asked=st.floats(0, 100),
    most=st.integers(0, 40),
    share=st.floats(0.5, 0.99),
)
def test_kept_stays_within_bounds_and_more_asked_never_keeps_more(
    requests: list[int], asked: float, most: int, share: float
) -> None:
    found = past(*requests, asked=asked)
    number = missed(found, CAPACITY, share, LOAD, most)
    assert 0 <= number <= most
    more = past(*requests, asked=asked + 10)
    assert missed(more, CAPACITY, share, LOAD, most) <= number


def test_another_level_keeps_what_is_known_by_its_rates() -> None:
    found = past(*bursts(360))
    other = found.of(60.0, 18.0)
    assert other.usual(0.85, 600.0) == pytest.approx(18.0, rel=0.1)
    assert max(other.most) / other.short == max(found.most) / found.short
    assert other.of(WIDTH, SHORT) == found
    assert found.of(WIDTH, SHORT) is found
