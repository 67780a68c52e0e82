"""YAML in which no key stands twice in one object: PyYAML takes the last one and says nothing.

What is meant by such a file nobody knows, and kubectl refuses it. Called where people's files are
read: wishes and nodes of `escadre plan`, settings.
"""

import re
from typing import Any, Final

import yaml
from typing_extensions import override

__all__ = ["KeyTwice", "load", "load_all"]


class KeyTwice(yaml.MarkedYAMLError):
    """A key that stands twice; the message names the lines of both."""

    def __init__(self, key: str, first: yaml.Mark, second: yaml.Mark) -> None:
        where = f"line {second.line + 1}, column {second.column + 1}"
        self.told = f"{where}: {key} stands here again, after line {first.line + 1}; leave one out"
        super().__init__(problem=self.told, problem_mark=second)

    @override
    def __str__(self) -> str:
        return self.told


class _Strict(yaml.SafeLoader):
    """Refuses a mapping with two keys of one text; what `<<` merges in may be overridden."""

    @override
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, str], yaml.Mark] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                first = seen.setdefault((key.tag, key.value), key.start_mark)
                if first is not key.start_mark:
                    raise KeyTwice(key.value, first, key.start_mark)
        return node


# Numbers as kubectl reads them (sigs.k8s.io/yaml): 1e1 is one without a dot too, 1:30 is none.
_INTEGER: Final = r"[-+]?(0b_*[01][01_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]*|[1-9][0-9_]*)"
_FLOAT: Final = (
    r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_NUMBERS: Final = {"tag:yaml.org,2002:int": _INTEGER, "tag:yaml.org,2002:float": _FLOAT}
_Strict.yaml_implicit_resolvers = {
    first: [one for one in known if one[0] not in _NUMBERS]
    for first, known in _Strict.yaml_implicit_resolvers.items()
}
for _tag, _form in _NUMBERS.items():
    _Strict.add_implicit_resolver(_tag, re.compile(f"^(?:{_form})$"), list("-+.0123456789"))


def load(text: str) -> Any:
    """The one document; raises yaml.YAMLError."""
    return yaml.load(text, _Strict)  # noqa: S506 - it is a SafeLoader


def load_all(text: str) -> list[Any]:
    """Every document; raises yaml.YAMLError."""
    return list(yaml.load_all(text, _Strict))
