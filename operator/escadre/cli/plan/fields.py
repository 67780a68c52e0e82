"""What the API server would refuse in the fields of a wish, by the schema of its kind. Pure.

Fields that are missing or that the schema does not have, values of another type, and numbers,
words and lists outside of their bounds; each with its place, its value and what is meant. wishes.py
asks it before it reads a wish, for pydantic would take a text for a number, as an API server never
does.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any, Final

from escadre.api.base import NOT_BLANK
from escadre.core.counting import count
from escadre.fieldfaults import MISSING, shown

__all__ = ["faults", "unknown"]

_MEANT: Final = {
    "integer": "a whole number",
    "string": "a text",
    "object": "an object with fields",
    "array": "a list",
    "boolean": "true or false",
}
# PyYAML reads an unquoted time as one; kubectl sends it as text, as it stands there.
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "integer": int,
    "string": (str, date),
    "object": dict,
    "array": list,
    "boolean": bool,
}


def faults(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    """Everything that is wrong in ``value``, a sentence each; nulls the API server drops."""
    if value is None:
        return
    if not _is(schema["type"], value):
        yield f"{path}: {shown(value)} is given; {_MEANT[schema['type']]} is meant"
        return
    yield from (f"{path}: {shown(value)} is {words}" for words in _outside(schema, value))
    yield from (f"{path}: {words}" for words in _sized(schema, value))
    if isinstance(value, dict):
        yield from _fields(schema.get("properties", {}), value, path)
        yield from _missing(schema, value, path)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from faults(schema["items"], child, f"{path}[{index}]")


def _is(kind: str, value: Any) -> bool:
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()  # as JSON, which has one kind of number
    return isinstance(value, _TYPES[kind]) and (kind != "integer" or type(value) is not bool)


def _outside(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"none of {', '.join(schema['enum'])}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"less than {schema['minimum']:,}, the least there may be"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"more than {schema['maximum']:,}, the most there may be"


def _sized(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    """What is wrong with the length of a text or list."""
    if not isinstance(value, str | list):
        return
    if isinstance(value, str) and not value.strip() and _is_named(schema):
        yield f"{shown(value)}: {NOT_BLANK}"
        return
    noun, kind = ("character", "Length") if isinstance(value, str) else ("entry", "Items")
    least, most = schema.get(f"min{kind}", 0), schema.get(f"max{kind}", len(value))
    if not least <= len(value) <= most:
        given = count(len(value), noun, "entries" if noun == "entry" else "")
        meant = f"{least:,} to {most:,}" if least else f"at most {most:,}"
        yield f"{given} given; {meant} are meant"


def _is_named(schema: Mapping[str, Any]) -> bool:
    rules = schema.get("x-kubernetes-validations", ())
    return any(rule["message"] == NOT_BLANK for rule in rules)


def _missing(schema: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[str]:
    """Fields that must be there, with what they say; a null is none."""
    for name in schema.get("required", ()):
        if value.get(name) is None:
            told = schema["properties"][name]["description"].rstrip(".")
            yield f"{path}.{name}: {MISSING} ({told})"


def _fields(known: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, child in value.items():
        if name in known:
            yield from faults(known[name], child, f"{path}.{name}")
            continue
        yield f"{path}.{name}: {unknown(name, known)}"


def unknown(name: object, known: Collection[str]) -> str:
    """What is said of a field that is none of those ``known``."""
    close = difflib.get_close_matches(str(name), known, n=1)
    near = f"near it: {close[0]}" if close else f"there are {', '.join(known)}"
    return f"unknown field; {near}"
