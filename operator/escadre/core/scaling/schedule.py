"""How many replicas run at least now: the schedules of a ModelDeployment beside its minReplicas.

A window is open from each moment at which its cron fires for as long as it lasts; windows that
overlap do not add up, the most counts. Pure: time comes in as an argument, and a state of now is
all that counts, so an operator that was away finds every window as it is. Called by state/demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from escadre.api.scaling import Schedule
from escadre.crontimes import last_start, next_start

__all__ = ["Floor", "Window", "floor_at", "windows_of"]

_MINUTE: Final = 60
_EDGES: Final = 32  # looked at for the next change: some change nothing beside another window
_JOINED: Final = 32  # windows looked at at a stretch that run into each other, e.g. one each day


@dataclass(frozen=True, slots=True)
class Window:
    """When at least ``minimum`` replicas run: for ``minutes`` from each firing of ``cron``."""

    cron: str
    zone: str
    minutes: int
    minimum: int


@dataclass(frozen=True, slots=True)
class Floor:
    """The replicas that run at least now.

    ``window`` is the number of the schedule that says so, None where minReplicas itself does.
    ``changes_at`` is when it will be another number, in seconds since the epoch; None: not soon.
    """

    minimum: int
    window: int | None = None
    changes_at: float | None = None


def windows_of(schedules: Sequence[Schedule] | None) -> tuple[Window, ...]:
    """Those that a spec names, in its order."""
    return tuple(
        Window(one.cron, one.time_zone, one.minutes, one.min_replicas) for one in schedules or ()
    )


def floor_at(windows: Sequence[Window], minimum: int, now: float) -> Floor:
    """The floor at ``now``, in seconds since the epoch; ``minimum`` holds outside of windows."""
    if not windows:
        return Floor(minimum)
    # All windows begin and end on whole minutes.
    return _floor(tuple(windows), minimum, int(now // _MINUTE) * _MINUTE)


@lru_cache(maxsize=4096)
def _floor(windows: tuple[Window, ...], minimum: int, now: int) -> Floor:
    most, window = _most(windows, minimum, now)
    edge = _next_edge(windows, now)
    for _ in range(_EDGES):
        if edge is None:
            break
        if _most(windows, minimum, edge)[0] != most:
            return Floor(most, window, float(edge))
        edge = _next_edge(windows, edge)
    return Floor(most, window)


def _most(windows: Sequence[Window], minimum: int, now: int) -> tuple[int, int | None]:
    """The most that is asked for, and by which window: of equals, the first."""
    most, by = minimum, None
    for number, one in enumerate(windows):
        if one.minimum > most and _is_open(one, now):
            most, by = one.minimum, number
    return most, by


def _is_open(window: Window, now: int) -> bool:
    ends = _end(window, now)
    return ends is not None and ends > now


def _closes(window: Window, now: int) -> int | None:
    """When the window that is open ends, or as far as was looked; None: it is not open."""
    ends = _end(window, now)
    if ends is None or ends <= now:
        return None
    for _ in range(_JOINED):
        later = _end(window, ends)
        if later is None or later <= ends:
            break
        ends = later
    return ends


def _end(window: Window, now: int) -> int | None:
    """When the window that began last at ``now`` ends or ended."""
    began = last_start(window.cron, window.zone, now)
    return None if began is None else began + window.minutes * _MINUTE


def _next_edge(windows: Sequence[Window], now: int) -> int | None:
    """The next moment at which any window begins or ends."""
    edges = (
        _closes(one, now) or next_start(one.cron, one.zone, now)  # no window ends at the epoch
        for one in windows
    )
    return min((edge for edge in edges if edge is not None), default=None)
