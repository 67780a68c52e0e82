"""The request log of `escadre simulate --trace`: CSV, with the columns of public traces. Pure.

Whatever is wrong is said with its line and its field, as BadInput; nothing is skipped.
"""

import csv
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from escadre.cli.shared.failures import BadInput
from escadre.core.simulation.replica import Request

__all__ = ["read_log"]

_MOST_TOKENS: Final = 10_000_000
_MOST_LINES: Final = 5_000_000
_MOST_DAYS: Final = 92  # each is 28,800 rounds of the operator
_DAY: Final = 86400
_NUMBER: Final = re.compile("[0-9]{1,9}")
# Azure/AzurePublicDataset, microsoft/vidur, HPMLL/BurstGPT; the last are for logs of one's own.
_TIME: Final = ("TIMESTAMP", "arrived_at", "Timestamp", "time")
_PROMPT: Final = ("ContextTokens", "num_prefill_tokens", "Request tokens", "prompt_tokens")
_ANSWER: Final = ("GeneratedTokens", "num_decode_tokens", "Response tokens", "completion_tokens")


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the three fields are called in this log."""

    time: str
    prompt: str
    answer: str


def read_log(file: str, read: Callable[[str], str]) -> list[Request]:
    """The requests in order of arrival; times count from the first."""
    source = "standard input" if file == "-" else file
    lines = csv.DictReader(_text(source, file, read).splitlines(), strict=True)
    try:
        columns = _columns(source, lines.fieldnames or ())
        found = list(_requests(source, lines, columns))
    except csv.Error as error:
        raise BadInput(f"{source}, line {lines.reader.line_num}: not CSV: {error}") from error
    if not found:
        raise BadInput(f"{source}: it has a header and no request")
    first, last = min(one.at for one in found), max(one.at for one in found)
    if last - first > _MOST_DAYS * _DAY:
        raise BadInput(
            f"{source}: {columns.time}: {(last - first) / _DAY:,.0f} days between the first and "
            f"the last request; {_MOST_DAYS} at most. Numbers are read as seconds"
        )
    moved = [Request(one.at - first, one.prompt, one.answer) for one in found]
    return sorted(moved, key=lambda one: one.at)


def _text(source: str, file: str, read: Callable[[str], str]) -> str:
    try:
        return read(file).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{source} is not text in UTF-8; unpack what is packed: gunzip -c {file} | escadre "
            "simulate --trace -"
        ) from error
    except OSError as error:
        raise BadInput(f"--trace {source}: {error.strerror or error}") from error


def _columns(source: str, names: object) -> _Columns:
    given = [str(name) for name in names] if isinstance(names, list | tuple) else []
    return _Columns(*(_column(source, given, known) for known in (_TIME, _PROMPT, _ANSWER)))


def _column(source: str, given: list[str], known: tuple[str, ...]) -> str:
    found = [name for name in known if name in given]
    if len(found) == 1:
        return found[0]
    what = " and ".join(found) if found else f"no column {', '.join(known[:-1])} or {known[-1]}"
    said = "are both given; keep one" if found else f"among {', '.join(given) or 'none at all'}"
    raise BadInput(f"{source}, line 1: {what} {said}")


def _requests(source: str, lines: "csv.DictReader[str]", columns: _Columns) -> Iterator[Request]:
    for count, row in enumerate(lines, 1):
        where = f"{source}, line {lines.line_num}"
        if count > _MOST_LINES:
            raise BadInput(f"{where}: more than {_MOST_LINES:,} requests; simulate a part of them")
        yield Request(
            _time(where, columns.time, row),
            _tokens(where, columns.prompt, row),
            _tokens(where, columns.answer, row),
        )


def _field(where: str, name: str, row: Mapping[str, str | None]) -> str:
    value = row.get(name)
    if value is None:
        raise BadInput(f"{where}: {name} is missing: the line is shorter than the header")
    return value.strip()


def _tokens(where: str, name: str, row: Mapping[str, str | None]) -> int:
    value = _field(where, name, row)
    number = int(value) if _NUMBER.fullmatch(value) else 0
    if not 1 <= number <= _MOST_TOKENS:
        raise BadInput(
            f"{where}: {name}: {value[:40]!r} is given; a whole number from 1 to {_MOST_TOKENS:,} "
            "is meant"
        )
    return number


def _time(where: str, name: str, row: Mapping[str, str | None]) -> float:
    """Seconds, or a date with its time; without a zone in UTC."""
    value = _field(where, name, row)
    with suppress(ValueError, OverflowError):
        seconds = float(value)
        if math.isfinite(seconds):
            return seconds
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    raise BadInput(
        f"{where}: {name}: {value[:40]!r} is given; seconds are meant, or a date and time like "
        "2026-11-16 18:17:03.98"
    )
