"""Decimal numbers for messages, by whole-number arithmetic: one amount reads alike everywhere."""

__all__ = ["in_tenths"]


def in_tenths(amount: int, unit: int) -> str:
    """``amount`` in units of ``unit`` (bytes, say), to the nearest tenth: ``78.2``."""
    tenths = (abs(amount) * 10 + unit // 2) // unit
    return f"{'-' if amount < 0 else ''}{tenths // 10}.{tenths % 10}"
