"""Tables without lines that lose nothing on a narrow terminal. Pure; used by every view of the CLI.

Long cells are folded, never cut: a digest or a URL that ends in … cannot be copied. The widest
columns give way first, and none becomes narrower than its header while there is another way. Only
a list with one line for each object shortens columns that it names, in their middle: names differ
at their ends; or it leaves columns out, and says which. `-o json`, and the view of the one object,
have them whole.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text
from typing_extensions import override

__all__ = ["grid"]

_GAP: Final = 2


class _Name:
    """A text that loses its middle where it has no room; a host's name its domain first."""

    def __init__(self, text: str, *, host: bool) -> None:
        self._text = text
        self._host = host

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        width = cell_len(self._text)
        return Measurement(min(width, options.max_width), width)

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        room, name = options.max_width, self._text.partition(".")[0]
        short = f"{name}…" if self._host and len(name) < room < cell_len(self._text) else self._text
        yield Text(_elided(short, room), no_wrap=True)


def _elided(text: str, room: int) -> str:
    if cell_len(text) <= room or room < len("a…b"):
        return text if cell_len(text) <= room else text[:room]
    end = (room - 1) // 2
    return f"{text[: room - 1 - end]}…{text[-end:]}"


class _Grid(Table):
    """Settles the widths itself: rich's own way breaks short headers in the middle of a word."""

    shorten: Sequence[Mapping[str, int]] = ()
    whole: Collection[str] = ()
    spare: Sequence[str] = ()

    @override
    def add_row(self, *cells: RenderableType | None, **given: Any) -> None:
        named = {name for group in self.shorten for name in group}
        pairs = zip(self.columns, cells, strict=False)
        shown = (
            _Name(cell, host=column.header == "NODE")
            if isinstance(cell, str) and column.header in named
            else cell
            for column, cell in pairs
        )
        super().add_row(*shown, **given)

    def _shortened(self, wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
        """What may be shortened gives way before anything is folded."""
        widths = list(wanted)
        for together in self.shorten:
            while sum(widths) > room:
                floors = [together.get(str(column.header)) for column in self.columns]
                able = [
                    i
                    for i, floor in enumerate(floors)
                    if floor is not None and widths[i] > max(least[i], floor)
                ]
                if not able:
                    break
                widths[max(able, key=lambda i: widths[i])] -= 1
        return widths

    def _leave_out(self, wanted: Sequence[int], most: int) -> list[str]:
        """The spare columns that have to go, for the others to stand unfolded."""
        widths = {str(c.header): width for c, width in zip(self.columns, wanted, strict=True)}
        gone: list[str] = []
        while sum(widths.values()) + _GAP * (len(widths) - 1) > most and len(gone) < len(
            self.spare
        ):
            gone.append(self.spare[len(gone)])
            del widths[gone[-1]]
        return gone

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wanted = [_wanted(console, options, column) for column in self.columns]
        gone = self._leave_out(wanted, options.max_width)
        self._keep([column for column in self.columns if column.header not in gone])
        room = options.max_width - _GAP * (len(self.columns) - 1)
        wanted = [_wanted(console, options, column) for column in self.columns]
        least = [
            width if column.header in self.whole else cell_len(str(column.header))
            for column, width in zip(self.columns, wanted, strict=True)
        ]
        widths = _settle(self._shortened(wanted, least, room), least, room)
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)
        if gone:
            yield Text(f"Left out for want of room: {', '.join(gone)}; -o json has all.")

    def _keep(self, columns: Sequence[Column]) -> None:
        """Only these; rich goes by their place where it pads."""
        self.columns = [replace(one, _index=place) for place, one in enumerate(columns)]


def _wanted(console: Console, options: ConsoleOptions, column: Column) -> int:
    cells = (Measurement.get(console, options, cell).maximum for cell in column.cells)
    return max([cell_len(str(column.header)), *cells])


def _settle(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int | None]:
    """Widths that fit; None for all where even the least do not, and rich cuts evenly."""
    if sum(least) > room:
        return [None] * len(wanted)
    widths = list(wanted)
    while sum(widths) > room:
        able = [index for index, width in enumerate(widths) if width > least[index]]
        widths[max(able, key=lambda index: widths[index])] -= 1
    return [*widths]


def grid(
    *columns: str,
    shorten: Sequence[Mapping[str, int]] = (),
    whole: Collection[str] = (),
    spare: Sequence[str] = (),
) -> Table:
    """A table without lines; named columns get a header.

    ``shorten`` are groups of columns that may lose the middle of what they say, each to so many
    characters: the first group before the second; within one the widest goes first. What is
    ``whole`` gives way to nothing, for people copy it. ``spare`` are columns that are left out, one
    after the other, before anything is folded.
    """
    table = _Grid(
        box=None, pad_edge=False, show_header=any(columns), header_style="", padding=(0, _GAP, 0, 0)
    )
    table.shorten, table.whole, table.spare = shorten, whole, spare
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
