"""Tables without lines that lose nothing on a narrow terminal. Pure; used by every view of the CLI.

Long cells are folded, never cut: a digest or a URL that ends in … cannot be copied. The widest
columns give way first, and none becomes narrower than its header while there is another way. Only
a list with one line for each object cuts columns that it names; another view has them whole.
"""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from typing_extensions import override

__all__ = ["grid"]

_GAP: Final = 2


class _Grid(Table):
    """Settles the widths itself: rich's own way breaks short headers in the middle of a word."""

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - _GAP * (len(self.columns) - 1)
        wanted = [_wanted(console, options, column) for column in self.columns]
        least = [cell_len(str(column.header)) for column in self.columns]
        cut = [column.overflow == "ellipsis" for column in self.columns]
        widths = _settle(_shortened(wanted, least, cut, room), least, room)
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)


def _wanted(console: Console, options: ConsoleOptions, column: Column) -> int:
    cells = (Measurement.get(console, options, cell).maximum for cell in column.cells)
    return max([cell_len(str(column.header)), *cells])


def _shortened(
    wanted: Sequence[int], least: Sequence[int], cut: Sequence[bool], room: int
) -> list[int]:
    """What may be cut gives way before anything is folded, to its header at the least."""
    widths = list(wanted)
    while sum(widths) > room:
        able = [i for i, width in enumerate(widths) if cut[i] and width > least[i]]
        if not able:
            break
        widths[max(able, key=lambda i: widths[i])] -= 1
    return widths


def _settle(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int | None]:
    """Widths that fit; None for all where even the least do not, and rich cuts evenly."""
    if sum(least) > room:
        return [None] * len(wanted)
    widths = list(wanted)
    while sum(widths) > room:
        able = [index for index, width in enumerate(widths) if width > least[index]]
        widths[max(able, key=lambda index: widths[index])] -= 1
    return [*widths]


def grid(*columns: str, cut: Sequence[str] = ()) -> Table:
    """A table without lines; named columns get a header. ``cut`` are those that end in … ."""
    table = _Grid(
        box=None, pad_edge=False, show_header=any(columns), header_style="", padding=(0, _GAP, 0, 0)
    )
    for name in columns:
        if name in cut:
            table.add_column(name, overflow="ellipsis", no_wrap=True)
        else:
            table.add_column(name, overflow="fold")
    return table
