"""The picture on a terminal of 80 columns, or piped: letters say what the colours say. Pure."""

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from escadre.cli.plan.picture import FREE, SIGNS, Cell, Picture, Row
from escadre.cli.shared.marks import heading
from escadre.cli.shared.words import count
from escadre.core.layouts.told import short_product

__all__ = ["picture_view"]

_WIDTH: Final = 80
_NAME: Final = 20
_COLOURS: Final = ("cyan", "yellow", "green", "magenta", "blue", "red")


def picture_view(picture: Picture) -> Group:
    """Nodes as rows of GPUs, and below what the letters are."""
    wide = max([1, *(len(label) for label in picture.labels)])
    name = min(_NAME, max((len(row.node) for row in picture.rows), default=0))
    parts: list[RenderableType] = [heading("GPUs")]
    for row in picture.rows:
        parts.extend(_lines(row, name, wide))
    if picture.left_out:
        parts.append(Text(f"{count(picture.left_out, 'more node')} not drawn"))
    return Group(*parts, Text(), *_legend(picture))


def _lines(row: Row, name: int, wide: int) -> Iterator[Text]:
    """One node; with many GPUs it takes several lines."""
    shown = row.node if len(row.node) <= name else f"{row.node[: name - 1]}…"
    told = f"  {_told(row)}"
    across = max(1, (_WIDTH - name - 2 - len(told)) // (wide + 1))
    for begin in range(0, max(1, len(row.cells)), across):
        line = Text(f"{shown if begin == 0 else '':<{name}}  ", no_wrap=True)
        for cell in row.cells[begin : begin + across]:
            line.append_text(_cell(cell, wide))
            line.append(" ")
        line.append(told if begin == 0 else "")
        line.rstrip()
        yield line


def _told(row: Row) -> str:
    words = [short_product(row.product)]
    words += [f"{row.free} free"] if 0 < row.free < len(row.cells) else []
    words += ["closed"] if row.closed else []
    words += [f"+ {count(row.alike, 'node')} alike"] if row.alike else []
    return ", ".join(words)


def _cell(cell: Cell, wide: int) -> Text:
    if cell.label == FREE:
        return Text("·" * wide, style="bright_black")
    style = "" if cell.owner is None else f"black on {_colour(cell.owner)}"
    return Text(f"{cell.label:<{wide}}", style=style)


def _colour(owner: int) -> str:
    return _COLOURS[owner % len(_COLOURS)]


def _legend(picture: Picture) -> Iterator[Text]:
    for position, owner in enumerate(picture.owners):
        line = Text(f"{owner.letter:<2}", style=f"black on {_colour(position)}")
        line.append(
            f"  {owner.key.namespace}/{owner.key.name}  {owner.words}", style="default on default"
        )
        yield line
    for sign, words in SIGNS.items():
        if sign in picture.labels:
            yield Text(f"{sign}  {words}")
