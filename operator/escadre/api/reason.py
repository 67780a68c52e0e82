"""How a reason stands in an object: as its name, within bounds; a record again once it is read."""

from typing import Any

from pydantic import GetPydanticSchema
from pydantic_core import core_schema

from escadre.reasons import Reason, of

__all__ = ["no_reason_as_null", "reason_as_name"]

_LONGEST = 128


def reason_as_name(*, pattern: str | None = None, min_length: int | None = None) -> Any:
    """Metadata for the ``Annotated`` type of a field that has a reason."""
    schema = _schema(pattern, min_length)
    return GetPydanticSchema(lambda _source, _handler: schema)


def no_reason_as_null(*, pattern: str | None = None) -> Any:
    """The same for a field that may have none: None, or "" as versions before 0.2 wrote it."""
    schema = core_schema.no_info_before_validator_function(
        lambda value: None if value == "" else value,
        core_schema.nullable_schema(_schema(pattern, None)),
    )
    return GetPydanticSchema(lambda _source, _handler: schema)


def _schema(pattern: str | None, min_length: int | None) -> core_schema.CoreSchema:
    name = core_schema.str_schema(max_length=_LONGEST, min_length=min_length, pattern=pattern)
    return core_schema.no_info_after_validator_function(
        of,
        core_schema.no_info_before_validator_function(_name, name),
        serialization=core_schema.plain_serializer_function_ser_schema(
            _name, return_schema=core_schema.str_schema()
        ),
    )


def _name(value: Any) -> Any:
    return value.name if isinstance(value, Reason) else value
