"""What planning keeps its decisions by can be hashed, whatever an approval says of a model."""

from types import UnionType
from typing import Any, Union, get_args, get_origin

from escadre.api.approval import Architecture
from escadre.api.base import Model

_CHANGEABLE = {list, dict, set}


def _changeable(annotation: Any, where: str) -> list[str]:
    """Members whose values cannot be hashed."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return _members(annotation)
    origin = get_origin(annotation)
    if annotation in _CHANGEABLE or origin in _CHANGEABLE:
        return [where]
    inner = get_args(annotation) if origin in {Union, UnionType, tuple} else ()
    return [found for one in inner for found in _changeable(one, where)]


def _members(model: type[Model]) -> list[str]:
    fields = model.model_fields.items()
    return [
        found
        for name, field in fields
        for found in _changeable(field.annotation, f"{model.__name__}.{name}")
    ]


def test_no_member_of_an_architecture_is_a_list() -> None:
    """One was, and ended every planning pass as soon as a model said it."""
    assert _members(Architecture) == []


def test_a_list_would_be_found() -> None:
    class Inner(Model):
        sizes: list[int] | None = None

    class Outer(Model):
        inner: Inner | None = None

    assert _members(Outer) == ["Inner.sizes"]
