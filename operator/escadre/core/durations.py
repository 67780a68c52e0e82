"""Spans of time for messages and views: one span reads alike everywhere. Pure."""

from typing import Final

__all__ = ["duration"]

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def duration(seconds: float) -> str:
    """A span in at most two units: ``45s``, ``2m10s``, ``3h05m``, ``12d``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        minutes, rest = divmod(whole, _MINUTE)
        return f"{minutes}m{rest:02}s"
    if whole < 2 * _DAY:
        hours, rest = divmod(whole, _HOUR)
        return f"{hours}h{rest // _MINUTE:02}m"
    return f"{whole // _DAY}d"
