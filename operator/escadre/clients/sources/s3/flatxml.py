"""Small XML documents of a peer, read as the flat lists of values that S3's answers are.

No document type, hence no entities to expand; bounded in depth and number. Used by bucket.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

__all__ = ["NotXmlError", "values"]

_MOST_DEPTH: Final = 16
_MOST_NAME: Final = 128  # characters of an element's name, which each value below it repeats
_MOST_VALUES: Final = 100_000


class NotXmlError(ValueError):
    """The text is not XML that can be read here; says why."""


@dataclass(slots=True)
class _Reading:
    """The path of open elements, and the values that ended."""

    path: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)

    def start(self, name: str, _: object) -> None:
        if len(name) > _MOST_NAME:
            raise NotXmlError(f"an element's name has {len(name):,} characters")
        self.path.append(name.rpartition(":")[2])
        self.text.clear()
        if len(self.path) > _MOST_DEPTH:
            raise NotXmlError(f"elements within elements, more than {_MOST_DEPTH} deep")

    def end(self, _: str) -> None:
        self.values.append(("/".join(self.path), "".join(self.text)))
        self.path.pop()
        self.text.clear()
        if len(self.values) > _MOST_VALUES:
            raise NotXmlError(f"more than {_MOST_VALUES:,} elements")

    def doctype(self, *_: object) -> None:
        raise NotXmlError("it has a document type")


def values(text: bytes) -> Iterator[tuple[str, str]]:
    """Each element that ended, in that order: its path as ``Root/Child``, and the text in it.

    Raises NotXmlError, before the first.
    """
    reading = _Reading()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text.append
    parser.StartDoctypeDeclHandler = reading.doctype
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise NotXmlError(expat.ErrorString(error.code)) from error
    return iter(reading.values)
