"""Writes the table of docs/operate/health.md from the cells."""

from collections.abc import Sequence
from typing import Final

from tests.health.cell import Cell

__all__ = ["table"]

_HEAD: Final = "| what is so | Ready | besides | Available | kstatus | Argo CD |"


def table(cells: Sequence[Cell]) -> str:
    """One line a cell; a kind without Available has no such column."""
    rows = [_HEAD, "|---|---|---|---|---|---|", *map(_row, cells)]
    if any(one.available for one in cells):
        return "\n".join(rows)
    return "\n".join(_without_available(row) for row in rows)


def _row(one: Cell) -> str:
    status, _, reason = one.ready.partition(" ")
    # Argo CD asks no script about an object that is being deleted.
    argo = "Progressing" if one.kstatus == "Terminating" else one.argo
    words = (
        one.what,
        f"{status} `{reason}`",
        one.progress,
        one.available,
        one.kstatus,
        argo,
    )
    return f"| {' | '.join(words)} |"


def _without_available(row: str) -> str:
    cells = row.split("|")
    return "|".join([*cells[:4], *cells[5:]])
