"""Reads the package's files as text and counts what tells whether they stay readable.

Nothing is imported or run. A function's lines are those from its name to its end, less the
docstring; its parameters those a caller must know: self and cls are none.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Function", "Source", "functions_of", "loose_dicts", "percentile", "sources"]

Definition = ast.FunctionDef | ast.AsyncFunctionDef
_LOOSE: Final = ("dict[str, Any]", "Mapping[str, Any]")


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the package."""

    path: Path
    text: str

    @property
    def lines(self) -> int:
        """How many it has."""
        return self.text.count("\n")


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method."""

    name: str
    path: Path
    line: int
    lines: int
    parameters: int


def sources(folder: Path) -> list[Source]:
    """Every Python file below a folder, in the order of their paths."""
    return [Source(path, path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))]


def functions_of(source: Source) -> Iterator[Function]:
    """The functions of a file, also those within others."""
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, Definition):
            yield Function(
                name=node.name,
                path=source.path,
                line=node.lineno,
                lines=_lines(node),
                parameters=_parameters(node),
            )


def _lines(node: Definition) -> int:
    whole = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is None:
        return whole
    words = node.body[0]
    return whole - ((words.end_lineno or words.lineno) - words.lineno + 1)


def _parameters(node: Definition) -> int:
    names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
    if names and names[0] in {"self", "cls"}:
        names = names[1:]
    return len(names) + len(node.args.kwonlyargs)


def loose_dicts(source: Source) -> int:
    """Lines where a value has names that no type knows."""
    return sum(any(one in line for one in _LOOSE) for line in source.text.splitlines())


def percentile(numbers: list[int], share: int) -> int:
    """The number that ``share`` percent of them do not exceed."""
    ranked = sorted(numbers)
    return ranked[min(len(ranked) - 1, len(ranked) * share // 100)] if ranked else 0
