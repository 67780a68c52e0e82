"""YAML that means the same to every reader. Called where the CLI writes an object as YAML.

PyYAML quotes what it would itself read as something else than text. kubectl reads by another rule:
to it ``0899…`` and ``12e34`` are numbers, and ``y`` is true. So what looks like one is quoted too.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

__all__ = ["yaml_text"]

_AMBIGUOUS: Final = re.compile(r"[-+.]?[0-9].*|[yYnN]", re.DOTALL)


class _Quoting(yaml.SafeDumper):
    """Text that begins as a number does, in quotes."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if _AMBIGUOUS.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Quoting.add_representer(str, _text)


def yaml_text(document: Mapping[str, Any]) -> str:
    """The document with its keys in the order given."""
    return yaml.dump(document, Dumper=_Quoting, sort_keys=False, allow_unicode=True)
