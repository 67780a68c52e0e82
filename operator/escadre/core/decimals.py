"""Decimal numbers for messages, by whole-number arithmetic: one amount reads alike everywhere."""

from typing import Final

__all__ = ["bytes_text", "in_tenths"]

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB")  # decimal, as in the conditions
_STEP: Final = 1000


def in_tenths(amount: int, unit: int) -> str:
    """``amount`` in units of ``unit`` (bytes, say), to the nearest tenth: ``78.2``."""
    tenths = (abs(amount) * 10 + unit // 2) // unit
    return f"{'-' if amount < 0 else ''}{tenths // 10}.{tenths % 10}"


def bytes_text(value: int) -> str:
    """Bytes in the largest unit that leaves at least 1: ``48.0 GB``.

    Rounded as in the planner's messages: beside them the same bytes must not read otherwise.
    """
    if value < _STEP:
        return f"{value} B"
    for power, unit in enumerate(_UNITS, start=1):
        if value < _STEP ** (power + 1) or unit == _UNITS[-1]:
            return f"{in_tenths(value, _STEP**power)} {unit}"
    raise AssertionError("unreachable: the last unit returns")
