"""A row of numbers as a row of bars, one character each. Pure.

Bars are blocks of Unicode; where the terminal's encoding has none, signs of ASCII that grow darker.
"""

from collections.abc import Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

__all__ = ["Sparkline", "bars"]

BLOCKS: Final = "▁▂▃▄▅▆▇█"
SIGNS: Final = "_.:-=+*#"


def bars(numbers: Sequence[int], signs: str) -> str:
    """The least sign for zero, the last for the most there is; only zero has the least."""
    most, steps = max(numbers, default=0), len(signs) - 1
    return "".join(signs[-(-number * steps // most) if most else 0] for number in numbers)


class Sparkline:
    """The newest numbers that there is room for, with least and most; older ones give way."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers
        self._span = f"  {min(numbers, default=0):,} to {max(numbers, default=0):,}"

    @property
    def beside(self) -> int:
        """Characters after the bars."""
        return len(self._span)

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        width = len(self._numbers) + len(self._span)
        return Measurement(min(width, options.max_width), min(width, options.max_width))

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        room = max(1, options.max_width - len(self._span))
        row = bars(self._numbers[-room:], SIGNS if options.ascii_only else BLOCKS)
        yield Text(f"{row}{self._span}", no_wrap=True)
