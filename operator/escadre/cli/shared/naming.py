"""Names as Kubernetes takes them, where a person gives one: in a file or as an option. Pure."""

import re
from typing import Final

import typer

from escadre.names import NAMESPACE_NAME, NAMESPACE_NAME_LENGTH

__all__ = ["given_namespace", "namespace_fault", "object_fault"]

_LONGEST: Final = 253
_ENDS: Final = "begins and ends with a letter or digit"


def namespace_fault(name: str) -> str:
    """What is wrong with the name of a namespace, "" where nothing is."""
    if len(name) <= NAMESPACE_NAME_LENGTH and re.fullmatch(NAMESPACE_NAME, name):
        return ""
    return (
        f"a namespace has lower-case letters, digits and - only, {_ENDS} and has "
        f"{NAMESPACE_NAME_LENGTH} characters at most"
    )


def object_fault(name: str) -> str:
    """What is wrong with the name of an object of the cluster, "" where nothing is."""
    parts = name.split(".")
    if len(name) <= _LONGEST and all(re.fullmatch(NAMESPACE_NAME, part) for part in parts):
        return ""
    return (
        f"a name has lower-case letters, digits, - and . only, each part between dots {_ENDS}, and "
        f"it has {_LONGEST} characters at most"
    )


def given_namespace(value: str | None) -> str | None:
    """Callback of the options that name a namespace."""
    if value is not None and (fault := namespace_fault(value)):
        raise typer.BadParameter(f"{value!r}: {fault}")
    return value
