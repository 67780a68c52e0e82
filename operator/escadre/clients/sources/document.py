"""JSON that a mirror sent, read as a stranger's: each fault names field and place. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from escadre.clients.sources.errors import MirrorUnavailable
from escadre.core.weights.manifest import MAX_FILE_SIZE

__all__ = ["Part", "list_of", "object_of", "parse"]

_LONGEST: Final = 4096  # characters of a text


@dataclass(frozen=True, slots=True)
class Part:
    """An object of a document.

    Args:
        where: what it is part of and its place there, for messages.
        fields: by name.
    """

    where: str
    fields: Mapping[str, object]

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
            raise self.fault(name, f"a text of 1 to {_LONGEST:,} characters")
        return value

    def text_if_any(self, name: str) -> str | None:
        """A text; None where there is none, or null."""
        return None if self.fields.get(name) is None else self.text(name)

    def size(self, name: str) -> int:
        """A number of bytes that must be there."""
        value = self.fields.get(name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not 0 <= value <= MAX_FILE_SIZE:  # type: ignore[operator]
            raise self.fault(name, "a number of bytes")
        return value  # type: ignore[return-value]

    def part_if_any(self, name: str) -> "Part | None":
        """An object below; None where there is none, or null."""
        value = self.fields.get(name)
        return None if value is None else object_of(value, f"{self.where}: {name}")

    def fault(self, name: str, wanted: str) -> MirrorUnavailable:
        """What to raise for a field."""
        if name not in self.fields:
            return MirrorUnavailable(f"{self.where}: {name} is missing, {wanted} was expected")
        got = _kind(self.fields[name])
        return MirrorUnavailable(f"{self.where}: {name} is {got}, {wanted} was expected")


def parse(text: bytes, where: str) -> object:
    """The document; raises MirrorUnavailable."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise MirrorUnavailable(f"{where}: nested too deeply") from error
    except ValueError as error:  # no UTF-8, no JSON, or a number of thousands of digits
        raise MirrorUnavailable(f"{where}: not JSON: {str(error)[:100]}") from error


def object_of(value: object, where: str) -> Part:
    """The object that ``value`` must be."""
    if not isinstance(value, dict):
        raise MirrorUnavailable(f"{where}: {_kind(value)}, an object was expected")
    return Part(where, value)


def list_of(value: object, where: str) -> list[object]:
    """The list that ``value`` must be."""
    if not isinstance(value, list):
        raise MirrorUnavailable(f"{where}: {_kind(value)}, a list was expected")
    return value


def _kind(value: object) -> str:
    """What it is, as far as it can be shown: nothing long, and no text of the stranger's."""
    match value:
        case None:
            return "null"
        case bool() | float():
            return json.dumps(value)
        case int():
            return str(value) if abs(value) < 1 << 63 else "a number beyond all bounds"
        case str():
            return f"a text of {len(value):,} characters"
        case list():
            return "a list"
        case _:
            return "an object"
