"""Bounds of what programs say in a status: what is longer is cut where it is said, and shows it.

A field states its bound once, in its type: the CRD's maxLength and maxItems are made from it, and
every model that is built or read keeps it. For words of programs and for lists of entries only: a
name, a digest or what people write is never cut, it is refused when it is too long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

__all__ = ["Entries", "Text"]

_CUT: Final = "…"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Text:
    """Words for people, ``most`` characters at most; words that were cut end with an ellipsis."""

    most: int

    def cut(self, words: str) -> str:
        """The words within the bound."""
        return words if len(words) <= self.most else words[: self.most - 1] + _CUT

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Reads a string, then cuts it."""
        return core_schema.no_info_after_validator_function(self.cut, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A string with this bound."""
        return handler(schema) | {"maxLength": self.most}


@dataclass(frozen=True, slots=True)
class Entries:
    """A list of ``most`` entries at most: the first or the last of those given.

    A list cannot show that it was cut: the field's description says which entries it has, and a
    count of all stands beside it.
    """

    most: int
    kept: Literal["first", "last"] = "first"

    def cut(self, entries: Sequence[_T]) -> Sequence[_T]:
        """The entries within the bound."""
        if len(entries) <= self.most:
            return entries
        return entries[: self.most] if self.kept == "first" else entries[-self.most :]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Cuts, then reads the list: what is not told need not be legal."""
        return core_schema.no_info_before_validator_function(self._given, handler(source))

    def _given(self, value: object) -> object:
        return self.cut(value) if isinstance(value, list | tuple) else value

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A list with this bound."""
        return handler(schema) | {"maxItems": self.most}
