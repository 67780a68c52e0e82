"""Cron expressions in a time zone: what is wrong with one, and the moments at which it fires.

The one place that asks cronsim and the time zone database (the machine's, else the package
tzdata). Called by escadre.api, which refuses, cronwindows.py, which compares, and
core/scaling/schedule.py, which counts.

Five fields as in a CronJob of Kubernetes: minute, hour, day of the month, month, day of the week.
Where the clocks change it is as Debian's cron has it: what falls into an hour that is left out
fires once, with the first minute after it; what falls into an hour that comes twice fires in the
first of them. Moments are whole seconds since the epoch.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

__all__ = [
    "CRON_PATTERN",
    "DAY_MINUTES",
    "NO_AREAS",
    "NO_ZONES",
    "cron_fault",
    "fires_on",
    "last_start",
    "longest_gap",
    "minutes_of_day",
    "next_start",
    "offset_minutes",
    "zone_fault",
]

_FIELDS: Final = (
    ("minute", "[0-5]?[0-9]", "0 to 59"),
    ("hour", "[01]?[0-9]|2[0-3]", "0 to 23"),
    ("day of the month", "0?[1-9]|[12][0-9]|3[01]", "1 to 31"),
    ("month", "0?[1-9]|1[0-2]|[A-Za-z]{3}", "1 to 12, or JAN to DEC"),
    ("day of the week", "[0-7]|[A-Za-z]{3}", "0 to 7, or SUN to SAT"),
)


def _field(value: str) -> str:
    item = rf"(\*|({value})(-({value}))?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


_MONTHS: Final = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NAMED: Final = {
    **{name: number for number, name in enumerate(_MONTHS, 1)},
    **{name: number for number, name in enumerate(_DAYS)},
}
CRON_PATTERN: Final = "^" + " +".join(_field(value) for _, value, _ in _FIELDS) + "$"

# No clock is set by more.
_SHIFT: Final = timedelta(hours=3)
DAY_MINUTES: Final = 1440
_YEARS: Final = 8  # 29 February comes at least once in as many
_PROBE: Final = datetime(2024, 1, 1)  # noqa: DTZ001 - no zone: days as the calendar has them

# Files beside the database that only some machines have; what those of right/ say is 27 s off.
NO_ZONES: Final = ("localtime", "posixrules")
NO_AREAS: Final = ("posix/", "right/")


def cron_fault(text: str) -> str:
    """What is wrong with an expression, "" for nothing."""
    fields = [one for one in text.split(" ") if one]
    if text != text.strip():
        return "begins or ends with a space; leave it out"
    if len(fields) != len(_FIELDS):
        return (
            f"has {len(fields)} field{'' if len(fields) == 1 else 's'}; five are meant: minute, "
            "hour, day of the month, month, day of the week"
        )
    for given, (name, value, span) in zip(fields, _FIELDS, strict=True):
        if not re.fullmatch(_field(value), given):
            return f"{name} {given} is not {span}, a range (-), a step (/) or a list (,) of them"
        if downward := _downward(given):
            return f"{name} {downward} goes downwards; ranges go upwards, so list (,) what is meant"
    return _never(text)


def _never(text: str) -> str:
    """What the library has against fields that look well, "" for nothing."""
    try:
        next(_sim(text))
    except CronSimError as error:
        what = str(error).lower()
        if "day-of-month" not in what:
            return f"is refused, {what}: names are three letters of English"
    except StopIteration:
        pass
    else:
        return ""
    return "never fires: none of its months has the day"


def _downward(field: str) -> str:
    """The first range of a field that ends before it begins, "" for none."""
    for part in field.split(","):
        first, dash, last = part.partition("/")[0].partition("-")
        begin, end = (_number(one) for one in (first, last))
        if dash and begin is not None and end is not None and begin > end:
            return f"{first}-{last}"
    return ""


def _number(value: str) -> int | None:
    """Of a number or of a name of a day or month; None of what is neither."""
    return int(value) if value.isdecimal() else _NAMED.get(value.upper())


def zone_fault(name: str) -> str:
    """What is wrong with the name of a time zone, "" for nothing."""
    known = name not in NO_ZONES and not name.startswith(NO_AREAS)
    try:
        ZoneInfo(name if known else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "is not in the IANA time zone database; e.g. Europe/Paris or UTC"
    return ""


def last_start(cron: str, zone: str, now: float) -> int | None:
    """The latest moment at or before ``now`` at which it fired; None for never in 50 years."""
    _, end = _around(zone, now)
    for moment in CronSim(cron, end + timedelta(seconds=1), reverse=True):
        if (fired := int(moment.timestamp())) <= now:
            return fired
    return None


def next_start(cron: str, zone: str, now: float) -> int | None:
    """The first moment after ``now`` at which it fires; None for never in 50 years."""
    begin, _ = _around(zone, now)
    for moment in CronSim(cron, begin):
        if (fires := int(moment.timestamp())) > now:
            return fires
    return None


def _around(zone: str, now: float) -> tuple[datetime, datetime]:
    """Where clocks change within hours, a moment before that and one after it; else ``now`` twice.

    cronsim forgets which of two equal hours it is asked about, so where clocks change it is asked
    from outside of them.
    """
    moment = datetime.fromtimestamp(now, UTC)
    local = moment.astimezone(ZoneInfo(zone))
    before, after = ((moment + by).astimezone(local.tzinfo) for by in (-_SHIFT, _SHIFT))
    return (local, local) if before.utcoffset() == after.utcoffset() else (before, after)


@lru_cache(maxsize=256)
def longest_gap(cron: str) -> int:
    """Minutes between two firings at most, on days that all have 24 hours."""
    times = minutes_of_day(cron)
    within = max((later - sooner for sooner, later in pairwise(times)), default=0)
    fires = (number for number, one in enumerate(fires_on(cron, _YEARS * 366)) if one)
    days = max((later - sooner for sooner, later in pairwise(fires)), default=_YEARS * 366)
    return max(within, days * DAY_MINUTES + times[0] - times[-1])


def minutes_of_day(cron: str) -> list[int]:
    """When it fires on a day on which it does, in minutes since midnight, ascending."""
    sim = _sim(cron)
    return sorted(60 * hour + minute for hour in sim.hours for minute in sim.minutes)


def fires_on(cron: str, days: int) -> Iterator[bool]:
    """Whether it fires, for each of so many days from the first of a leap year on."""
    sim, first = _sim(cron), _PROBE.date()
    for number in range(days):
        day = first + timedelta(days=number)
        yield day.month in sim.months and sim.match_day(day)


def offset_minutes(zone: str, moment: datetime) -> int:
    """By how much the clocks of a zone are before UTC."""
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


def _sim(cron: str) -> CronSim:
    return CronSim(cron, _PROBE)
