"""Windows that cron expressions open, held against each other as sets of minutes. Pure.

A window is a bit for each minute. Days have 24 hours, as for `longest_gap`, and a zone stands for
how far its clocks are from the others': each way in which they stand to each other in a year is
looked at by itself. So an hour that clocks leave out or repeat counts for nothing. Called by
escadre.api, which refuses windows that fight and tells which have no effect.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from escadre.crontimes import DAY_MINUTES, fires_on, minutes_of_day, offset_minutes

__all__ = ["Opening", "never_end", "within"]

# Days looked at: what does not hold shows mostly in a month; what holds for so long does for ever.
_STAGES: Final = (31, 366, 8 * 366)
_FAR: Final = 2  # days
_YEAR: Final = 2026  # of the offsets: one that is over changes with no new database


@dataclass(frozen=True, slots=True)
class Opening:
    """Open for ``minutes`` from each firing of ``cron`` in ``zone``, which both can be read."""

    cron: str
    zone: str
    minutes: int


@lru_cache(maxsize=1024)
def never_end(openings: tuple[Opening, ...]) -> bool:
    """Whether there is never a time at which all of them are closed."""
    return _always(openings, _union)


@lru_cache(maxsize=1024)
def within(one: Opening, others: tuple[Opening, ...]) -> bool:
    """Whether it is open only while one of the others is."""
    return _always((one, *others), lambda masks: ~masks[0] | _union(masks[1:]))


def _always(openings: Sequence[Opening], holds: Callable[[Sequence[int]], int]) -> bool:
    """Whether it holds in each minute; ``holds`` makes the minutes of it from those of each."""
    apart = _apart(tuple(one.zone for one in openings))
    return all(
        every & ~holds(masks) == 0
        for days in _STAGES
        for masks, every in _played(openings, apart, days)
    )


def _played(
    openings: Sequence[Opening], apart: Sequence[tuple[int, ...]], days: int
) -> Iterator[tuple[list[int], int]]:
    """The minutes of each window, by the clocks of the first, and those that are looked at.

    Before these come as many days as the longest window lasts; no zone is further than two days
    from another.
    """
    before = max(one.minutes for one in openings) // DAY_MINUTES + 1 + _FAR
    opened = [_open(one, before + days + _FAR) for one in openings]
    every = ((1 << days * DAY_MINUTES) - 1) << before * DAY_MINUTES
    for offsets in apart:
        yield (
            [_moved(mask, offset) for mask, offset in zip(opened, offsets, strict=True)],
            every,
        )


def _open(one: Opening, days: int) -> int:
    """A bit for each minute at which it is open, the first minute in the lowest."""
    fires = sum(1 << minute for minute in minutes_of_day(one.cron))
    day, none = fires.to_bytes(DAY_MINUTES // 8, "little"), bytes(DAY_MINUTES // 8)
    found = b"".join(day if fired else none for fired in fires_on(one.cron, days))
    mask, lasting = int.from_bytes(found, "little"), 1
    while lasting < one.minutes:
        more = min(lasting, one.minutes - lasting)
        mask |= mask << more
        lasting += more
    return mask


def _moved(mask: int, offset: int) -> int:
    """The same where clocks are that much later."""
    return mask >> offset if offset >= 0 else mask << -offset


def _union(masks: Sequence[int]) -> int:
    found = 0
    for one in masks:
        found |= one
    return found


@lru_cache(maxsize=256)
def _apart(zones: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """How many minutes each zone's clocks are before the first's; each way that comes up."""
    moments = [datetime(_YEAR, month, day, tzinfo=UTC) for month in range(1, 13) for day in (1, 15)]
    found = {tuple(offset_minutes(zone, moment) for zone in zones) for moment in moments}
    return tuple(sorted({tuple(one - each[0] for one in each) for each in found}))
