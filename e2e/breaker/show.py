"""What the breaker's hour prints: a line when a case ends, and a table at the end. Pure."""

import textwrap
from collections.abc import Sequence

from e2e.breaker.case import Result

__all__ = ["line", "table"]

_WIDTH = 80
_HEADS = ("case", "named after s", "by reason", "healed after s", "lost")
_ROW = "{:<20} {:>13}  {:<20} {:>14} {:>7}"


def line(result: Result) -> str:
    """One line of at most 80 columns; a failure goes on below, folded."""
    mark = "ok  " if result.held else "FAIL"
    text = (
        f"{mark} {result.name}: {result.reason or 'nothing blocks'} after {_seconds(result.named)},"
        f" healed {_seconds(result.healed)}, lost {_count(result.lost)}"
    )[:_WIDTH]
    if result.held:
        return text
    more = textwrap.fill(result.failure, _WIDTH, initial_indent=" " * 5, subsequent_indent=" " * 5)
    return f"{text}\n{more}"


def table(results: Sequence[Result]) -> str:
    """All cases, a line each, with a last line that counts."""
    rows = [_ROW.format(*_HEADS)]
    for one in results:
        named, healed = (_seconds(each, unit="") for each in (one.named, one.healed))
        name = one.name if one.held else f"{one.name} !"
        rows.append(_ROW.format(name, named, one.reason or "-", healed, _count(one.lost)))
    failed = sum(not one.held for one in results)
    rows.append(f"{len(results)} cases, {failed} failed" + (" (!)" if failed else ""))
    return "\n".join(row.rstrip() for row in rows)


def _seconds(value: float | None, unit: str = " s") -> str:
    return "-" if value is None else f"{value:.1f}{unit}"


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)
