"""Windows against each other, held against what is open hour by hour."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from escadre.crontimes import last_start
from escadre.cronwindows import Opening, never_end, within

# No clock of these is ever set, so an hour is an hour.
ZONES = ("UTC", "Asia/Tokyo", "America/Phoenix", "Etc/GMT-14", "Etc/GMT+12")
DAYS = ("*", "MON-FRI", "SAT,SUN", "2", "*/3")
BEGIN = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
HOURS = range(7 * 24)  # each week is as the last

CRONS = st.builds(
    lambda hours, day: f"0 {','.join(map(str, sorted(hours)))} * * {day}",
    st.sets(st.integers(0, 23), min_size=1, max_size=3),
    st.sampled_from(DAYS),
)
OPENINGS = st.builds(
    Opening, CRONS, st.sampled_from(ZONES), st.integers(1, 60).map(lambda hours: 60 * hours)
)


def open_in(one: Opening) -> set[int]:
    """The hours of a week in which it is open."""
    return {hour for hour in HOURS if _last(one, hour) + 60 * one.minutes > BEGIN + 3600 * hour}


def _last(one: Opening, hour: int) -> float:
    return last_start(one.cron, one.zone, BEGIN + 3600 * hour) or 0.0


@settings(max_examples=60)
@given(OPENINGS, st.lists(OPENINGS, min_size=1, max_size=3))
def test_both_say_what_is_seen_hour_by_hour(one: Opening, others: list[Opening]) -> None:
    around = set().union(*(open_in(each) for each in others))
    assert within(one, tuple(others)) == (open_in(one) <= around)
    assert never_end(tuple(others)) == (around == set(HOURS))
