"""The request log of `escadre simulate --trace`: CSV, with the columns of public traces. Pure.

Whatever is wrong in the file is said with its line and its field; nothing is skipped.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from escadre.cli.shared.encoding import undecoded
from escadre.core.simulation.replica import Request
from escadre.errors import EscadreError

__all__ = ["read_log"]

_MOST_TOKENS: Final = 10_000_000
_MOST_LINES: Final = 5_000_000
_MOST_DAYS: Final = 92  # each is 28,800 rounds of the operator
_DAY: Final = 86400
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999: milliseconds of today are beyond
_NUMBER: Final = re.compile("[0-9]{1,9}")
# Azure/AzurePublicDataset, microsoft/vidur, HPMLL/BurstGPT; the last are for logs of one's own.
_TIME: Final = ("TIMESTAMP", "arrived_at", "Timestamp", "time")
_PROMPT: Final = ("ContextTokens", "num_prefill_tokens", "Request tokens", "prompt_tokens")
_ANSWER: Final = ("GeneratedTokens", "num_decode_tokens", "Response tokens", "completion_tokens")
_MEANT: Final = f"CSV with a header is meant, e.g. {_TIME[-1]},{_PROMPT[-1]},{_ANSWER[-1]}"
_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the three fields are called in this log."""

    time: str
    prompt: str
    answer: str


def read_log(file: str, read: Callable[[str], str]) -> list[Request]:
    """The requests in order of arrival; times count from the first.

    Raises EscadreError for what cannot be read, with its line.
    """
    source = "standard input" if file == "-" else file
    text = _text(source, file, read)
    # Its lines are the file's: other signs that part lines may stand in a text of a field.
    lines = csv.DictReader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        with _fields_of(len(text)):
            columns = _columns(source, lines)
            found = list(_within(source, columns.time, _requests(source, lines, columns)))
    except csv.Error as error:
        raise EscadreError(
            f"{source}, line {lines.reader.line_num}: not CSV: {error}; {_MEANT}"
        ) from error
    if not found:
        raise EscadreError(f"{source}: it has a header and no request")
    first = min(one.at for one in found)
    moved = [Request(one.at - first, one.prompt, one.answer) for one in found]
    return sorted(moved, key=lambda one: one.at)


@contextmanager
def _fields_of(most: int) -> Iterator[None]:
    """Fields of so many characters: logs with prompts in them have more than csv's 131,072."""
    before = csv.field_size_limit(most)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _text(source: str, file: str, read: Callable[[str], str]) -> str:
    try:
        text = read(file)
    except UnicodeDecodeError as error:
        raise EscadreError(f"--trace {source} {undecoded(error)}") from error
    except OSError as error:
        raise EscadreError(f"--trace {source}: {error.strerror or error}") from error
    if not text.strip():
        raise EscadreError(f"{source} is empty; {_MEANT}")
    return text


def _columns(source: str, lines: "csv.DictReader[str]") -> _Columns:
    """Of the header, whose names are stripped as values are."""
    given = [name.strip() for name in lines.fieldnames or ()]
    if not any(given):
        raise EscadreError(f"{source}, line 1: it is blank; {_MEANT}")
    lines.fieldnames = given
    return _Columns(*(_column(source, given, known) for known in (_TIME, _PROMPT, _ANSWER)))


def _column(source: str, given: list[str], known: tuple[str, ...]) -> str:
    found = [name for name in given if name in known]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(found)
        raise EscadreError(f"{source}, line 1: {names} are both given; keep one")
    if len(given) == 1:
        _refuse_separators(source, given[0])
    columns = f"{', '.join(known[:-1])} or {known[-1]}"
    raise EscadreError(f"{source}, line 1: no column {columns} among {', '.join(given)}; {_MEANT}")


def _refuse_separators(source: str, header: str) -> None:
    for sign, called in _SEPARATORS.items():
        if sign in header:
            raise EscadreError(
                f"{source}, line 1: its fields are parted by {called}; commas are meant, and a "
                "point in a number"
            )


def _requests(
    source: str, lines: "csv.DictReader[str]", columns: _Columns
) -> Iterator[tuple[int, Request]]:
    """Each with its line."""
    for count, row in enumerate(lines, 1):
        where = f"{source}, line {lines.line_num}"
        if None in row:
            raise EscadreError(
                f"{where}: it is longer than the header; a comma within a number or a text has to "
                "be in double quotes"
            )
        if count > _MOST_LINES:
            raise EscadreError(
                f"{where}: more than {_MOST_LINES:,} requests; simulate a part of them"
            )
        yield (
            lines.line_num,
            Request(
                _time(where, columns.time, row),
                _tokens(where, columns.prompt, row),
                _tokens(where, columns.answer, row),
            ),
        )


def _within(source: str, name: str, lines: Iterator[tuple[int, Request]]) -> Iterator[Request]:
    """The same, refused at the first that is too far from another."""
    first, last = (math.inf, 0), (-math.inf, 0)
    for line, one in lines:
        first, last = min(first, (one.at, line)), max(last, (one.at, line))
        days = (last[0] - first[0]) / _DAY
        if days > _MOST_DAYS:
            order, other = ("after", first[1]) if last[1] == line else ("before", last[1])
            raise EscadreError(
                f"{source}, line {line}: {name}: {math.ceil(days):,} days {order} line {other}; "
                f"{_MOST_DAYS} at most. Numbers are read as seconds"
            )
        yield one


def _field(where: str, name: str, row: Mapping[str, str | None]) -> str:
    value = row.get(name)
    if value is None:
        raise EscadreError(f"{where}: {name} is missing: the line is shorter than the header")
    return value.strip()


def _tokens(where: str, name: str, row: Mapping[str, str | None]) -> int:
    value = _field(where, name, row)
    number = int(value) if _NUMBER.fullmatch(value) else 0
    if not 1 <= number <= _MOST_TOKENS:
        raise EscadreError(
            f"{where}: {name}: {value[:40]!r} is given; a whole number from 1 to {_MOST_TOKENS:,} "
            "is meant"
        )
    return number


def _time(where: str, name: str, row: Mapping[str, str | None]) -> float:
    """Seconds, or a date with its time; without a zone in UTC."""
    value = _field(where, name, row)
    try:
        seconds = float(value)
    except ValueError:
        return _date(where, name, value)
    if abs(seconds) <= _LAST_SECOND:
        return seconds
    raise EscadreError(
        f"{where}: {name}: {value[:40]!r} is given; seconds are meant, {_LAST_SECOND:,} at most "
        "(milliseconds: divide them by 1,000)"
    )


def _date(where: str, name: str, value: str) -> float:
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    raise EscadreError(
        f"{where}: {name}: {value[:40]!r} is given; seconds are meant, or a date and time like "
        "2026-11-16 18:17:03.98"
    )
