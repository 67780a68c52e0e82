"""When windows are open: over days on which clocks change, ends of years, leap days."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.scaling.schedule import Floor, Window, floor_at
from escadre.crontimes import longest_gap

PARIS = ZoneInfo("Europe/Paris")
DAY = Window("0 8 * * MON-FRI", "Europe/Paris", 600, 4)
NIGHT = Window("30 2 * * *", "Europe/Paris", 60, 3)


def paris(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS, fold=fold).timestamp()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_without_schedules_minreplicas_holds_for_ever() -> None:
    assert floor_at((), 2, paris("2026-03-02T09:00")) == Floor(2)


@pytest.mark.parametrize(
    ("now", "minimum", "changes"),
    [
        pytest.param("2026-03-02T07:59:59", 1, "2026-03-02T08:00", id="a second before"),
        pytest.param("2026-03-02T08:00", 4, "2026-03-02T18:00", id="with its first second"),
        pytest.param("2026-03-02T17:59:59", 4, "2026-03-02T18:00", id="to its last second"),
        pytest.param("2026-03-02T18:00", 1, "2026-03-03T08:00", id="and no longer"),
        pytest.param("2026-03-06T18:00", 1, "2026-03-09T08:00", id="over a weekend"),
        pytest.param("2026-12-31T18:00", 1, "2027-01-01T08:00", id="over the end of a year"),
        pytest.param("2026-03-27T18:00", 1, "2026-03-30T08:00", id="clocks go forward between"),
        pytest.param("2026-10-23T18:00", 1, "2026-10-26T08:00", id="clocks go back between"),
    ],
)
def test_working_hours(now: str, minimum: int, changes: str) -> None:
    found = floor_at((DAY,), 1, paris(now))
    assert found == Floor(minimum, 0 if minimum == 4 else None, paris(changes))


@pytest.mark.parametrize(
    ("now", "open_"),
    [
        pytest.param(utc("2026-03-29T00:59"), False, id="before the hour that is left out"),
        pytest.param(utc("2026-03-29T01:00"), True, id="half past two is three o'clock"),
        pytest.param(utc("2026-03-29T01:59"), True, id="an hour passes"),
        pytest.param(utc("2026-03-29T02:00"), False, id="and it is over"),
        pytest.param(utc("2026-10-25T00:29"), False, id="before the first half past two"),
        pytest.param(utc("2026-10-25T00:30"), True, id="the first half past two"),
        pytest.param(utc("2026-10-25T01:15"), True, id="a quarter past two for the second time"),
        pytest.param(utc("2026-10-25T01:30"), False, id="the second half past two begins none"),
        pytest.param(utc("2026-10-25T01:45"), False, id="nor does it last so long"),
    ],
)
def test_an_hour_that_is_left_out_and_one_that_comes_twice(now: float, open_: bool) -> None:
    assert floor_at((NIGHT,), 1, now).minimum == (3 if open_ else 1)


def test_what_changes_next_is_in_the_second_of_two_equal_hours() -> None:
    second = paris("2026-10-25T02:15", fold=1)
    assert floor_at((NIGHT,), 1, second).changes_at == utc("2026-10-25T01:30")


def test_a_window_over_the_change_lasts_as_long_as_it_says_in_time_that_passes() -> None:
    long = Window("0 20 * * SAT", "Europe/Paris", 12 * 60, 2)
    assert floor_at((long,), 1, paris("2026-03-28T21:00")).changes_at == paris("2026-03-29T09:00")
    assert floor_at((long,), 1, paris("2026-10-24T21:00")).changes_at == paris("2026-10-25T07:00")


def test_leap_days() -> None:
    leap = Window("0 0 29 2 *", "UTC", 60, 5)
    assert floor_at((leap,), 1, utc("2028-02-29T00:30")).minimum == 5
    assert floor_at((leap,), 1, utc("2028-02-29T00:30")).changes_at == utc("2028-02-29T01:00")
    assert floor_at((leap,), 1, utc("2027-03-01T00:30")).changes_at == utc("2028-02-29T00:00")


def test_a_new_year_in_a_zone_that_is_ahead() -> None:
    new_year = Window("0 0 1 1 *", "Pacific/Auckland", 60, 2)
    assert floor_at((new_year,), 1, utc("2026-12-31T11:30")).minimum == 2
    assert floor_at((new_year,), 1, utc("2027-01-01T00:30")).minimum == 1


def test_of_windows_that_overlap_the_most_counts_and_the_first_of_equals() -> None:
    noon = Window("0 12 * * *", "Europe/Paris", 120, 6)
    also = Window("0 12 * * *", "Europe/Paris", 60, 6)
    now = paris("2026-03-02T12:30")
    assert floor_at((DAY, noon, also), 1, now) == Floor(6, 1, paris("2026-03-02T14:00"))
    assert floor_at((DAY,), 7, now) == Floor(7), "minReplicas is more for ever"


def test_windows_that_follow_each_other_are_one() -> None:
    week = Window("0 0 * * MON-FRI", "UTC", 24 * 60, 2)
    assert floor_at((week,), 1, utc("2026-03-02T10:00")).changes_at == utc("2026-03-07T00:00")
    again = Window("0 * * * MON", "UTC", 90, 2)
    assert floor_at((again,), 1, utc("2026-03-02T10:00")).changes_at == utc("2026-03-03T00:30")


_CRONS = st.sampled_from(
    ["0 8 * * MON-FRI", "30 2 * * *", "*/20 * * * *", "15 1-3 * * SUN", "0 0 29 2 *", "5 4 31 * *"]
)
_WINDOWS = st.builds(
    Window,
    _CRONS,
    st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    st.integers(1, 3000),
    st.integers(1, 9),
).filter(lambda window: longest_gap(window.cron) > window.minutes)
_MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(_WINDOWS, min_size=1, max_size=3), _MOMENTS)
def test_the_floor_stays_until_it_changes_and_is_never_below_minreplicas(
    windows: list[Window], moment: datetime
) -> None:
    now = moment.timestamp()
    found = floor_at(windows, 2, now)
    assert found.minimum == max(
        [2, *([windows[found.window].minimum] if found.window is not None else [])]
    )
    if found.changes_at is None:
        return
    assert found.changes_at > now
    middle = now + (found.changes_at - now) / 2
    assert floor_at(windows, 2, middle).minimum == found.minimum
    assert floor_at(windows, 2, found.changes_at - 1).minimum == found.minimum
    assert floor_at(windows, 2, found.changes_at).minimum != found.minimum


@given(_WINDOWS, _MOMENTS)
def test_a_window_is_open_exactly_within_its_duration_of_a_minute_that_matches(
    window: Window, moment: datetime
) -> None:
    """Beside a count of all minutes of the last two days, for crons of whole days."""
    daily = Window("30 2 * * *", window.zone, window.minutes % 1440 or 1, 9)
    now = moment.replace(second=0, microsecond=0)
    zone = ZoneInfo(window.zone)
    begun = {
        (now - timedelta(minutes=back)).timestamp()
        for back in range(daily.minutes)
        if _is_half_past_two(now - timedelta(minutes=back), zone)
    }
    assert (floor_at((daily,), 1, now.timestamp()).minimum == 9) == bool(begun)


def _is_half_past_two(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether it is the first half past two of its day, or the end of the gap that holds it."""
    local = moment.astimezone(zone)
    half = local.replace(hour=2, minute=30, fold=0)
    exists = half.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == half.replace(tzinfo=None)
    if exists:
        return half.timestamp() == moment.timestamp()
    before = (moment - timedelta(minutes=1)).astimezone(zone)
    return local.utcoffset() != before.utcoffset()
