"""What is wrong with a field that people wrote, in words for them.

pydantic speaks to who wrote the model. Called wherever a spec, an option or a settings file is
read; `escadre plan` has the same words for what it finds by the schema.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

__all__ = ["MISSING", "first_fault", "place_of", "shown", "words_of"]

MISSING: Final = "is missing"
_LONGEST: Final = 60
_OBJECT: Final = "an object with fields"
_TIME: Final = "a time like 2027-06-30T18:00:00Z"
# By the beginning of pydantic's type of error; the longest counts.
_MEANT: Final[Mapping[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "string_type": "a text",
    "string_unicode": "a text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": _OBJECT,
    "mapping": _OBJECT,
    "model": _OBJECT,
    "datetime": _TIME,
    "timezone": _TIME,
    "literal_error": "{expected}",
    "enum": "{expected}",
}
_OUTSIDE: Final[Mapping[str, str]] = {
    "greater_than_equal": "less than {ge:,}, the least there may be",
    "greater_than": "not more than {gt:,}",
    "less_than_equal": "more than {le:,}, the most there may be",
    "less_than": "not less than {lt:,}",
}
# Without the text that was given: it may be long, and an address may hold a password.
_FORM: Final[Mapping[str, str]] = {
    "missing": MISSING,
    "extra_forbidden": "unknown field",
    "string_pattern_mismatch": "is not of the form {pattern}",
    "string_too_long": "has more characters than {max_length:,}, the most there may be",
    "string_too_short": "has fewer characters than {min_length:,}, the least there may be",
    "too_long": "has more entries than {max_length:,}, the most there may be",
    "too_short": "has fewer entries than {min_length:,}, the least there may be",
}


def first_fault(error: ValidationError, above: str = "") -> str:
    """The first fault with its place, ``above`` in front: ``spec.files[0].size: …``."""
    first = error.errors()[0]
    return f"{place_of(first['loc'], above)}: {words_of(first)}"


def place_of(parts: Sequence[str | int], above: str = "") -> str:
    """A place as the API server writes it: ``scaling.schedules[0].cron``."""
    found = above
    for part in parts:
        found += f"[{part}]" if isinstance(part, int) else f".{part}"
    return found.removeprefix(".")


def words_of(fault: ErrorDetails) -> str:
    """What is wrong, with what was given where that helps."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind in _FORM:
        return _FORM[kind].format_map(context)
    if kind in _OUTSIDE and str(fault["input"]).strip("+- ").lower() == "nan":
        return "a number is meant, and NaN is none"
    if kind in _OUTSIDE:
        return f"{shown(fault['input'])} is {_OUTSIDE[kind].format_map(context)}"
    meant = max((one for one in _MEANT if kind.startswith(one)), key=len, default="")
    if meant:
        told = _MEANT[meant].format_map(context)
        return f"{shown(fault['input'])} is given; {told} is meant"
    return fault["msg"].removeprefix("Value error, ")


def shown(value: Any) -> str:
    """The value as JSON has it; what is long is cut."""
    told = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
