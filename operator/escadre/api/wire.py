"""Statuses between memory and the API server: dumped as they are said, read as far as possible.

Used by whoever writes a status and by whoever reads one that another process wrote, perhaps in
another version. Specs are not read here: a spec that does not parse is somebody's error to mend.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from escadre.api.base import Model
from escadre.fieldfaults import first_fault

__all__ = ["dump", "read", "unread"]

_M = TypeVar("_M", bound=Model)
_Path = tuple[int | str, ...]


def dump(status: Model) -> dict[str, Any]:
    """The JSON of a status: what nobody set, and what is None, is left out."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def read(kind: type[_M], told: object) -> _M:
    """The status as far as this version understands it; every field of ``kind`` is optional.

    A field of the wrong form counts as not told, and so does an entry of a list that lacks a field
    it needs: a status never makes its object unreadable.
    """
    try:
        return kind.model_validate(told or {})
    except ValidationError as error:
        return _read_rest(kind, told, error)


def unread(kind: type[Model], told: object) -> str:
    """The first thing in a status that this version does not understand, "" if all is clear."""
    try:
        kind.model_validate(told or {})
    except ValidationError as error:
        return first_fault(error)
    return ""


def _read_rest(kind: type[_M], told: object, error: ValidationError) -> _M:
    """Leaves out what is wrong until nothing is: each round leaves out something."""
    rest = deepcopy(told)
    while _leave_out(rest, error.errors(include_url=False, include_input=False)):
        try:
            return kind.model_validate(rest)
        except ValidationError as again:
            error = again
    return kind()


def _leave_out(rest: Any, errors: Iterable[ErrorDetails]) -> bool:
    """Takes what the errors are about out of ``rest``; says whether there was anything."""
    wrong = {one["loc"][:-1] if one["type"] == "missing" else one["loc"] for one in errors}
    # From behind, and inner parts first: what is taken out moves nothing that is still to go.
    found = [_take(rest, path) for path in sorted(wrong, key=_order, reverse=True)]
    return any(found)


def _order(path: _Path) -> tuple[tuple[bool, int, str], ...]:
    return tuple((True, part, "") if isinstance(part, int) else (False, 0, part) for part in path)


def _take(rest: Any, path: _Path) -> bool:
    for part in path[:-1]:
        rest = rest[part]
    if not path:
        return False
    if isinstance(rest, Mapping) and path[-1] not in rest:
        return False
    del rest[path[-1]]
    return True
