"""`make lint`: no file of the package writes the name of a reason as text; else exit status 1.

A reason is called as its constant, so that mypy knows it and nothing guesses from a name what it
is. Some words are states as well (Pending, Ready): as a state they may be written, and what a state
is shows in the code beside it. Docstrings and ``__all__`` are no use of a word.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.shape.measure import Source, sources

from escadre.reasons import REASONS

__all__ = ["written"]

PACKAGE: Final = Path(__file__).parents[2] / "operator" / "escadre"
# Words of Kubernetes that happen to be ours too.
_KUBERNETES: Final[Mapping[str, frozenset[str]]] = {
    "clients/kube/errors.py": frozenset({"NamespaceTerminating"}),  # a cause of 403
    "state/views/cluster.py": frozenset({"Ready"}),  # condition of a Node
    "state/views/pod.py": frozenset({"Ready"}),  # condition of a Pod
}
_STATES: Final = ("state", "states")


def written(source: Source, theirs: frozenset[str] = frozenset()) -> Iterator[tuple[int, str]]:
    """Line and name of each reason that a file writes as text."""
    for node, above in _with_parents(ast.parse(source.text), ()):
        if not isinstance(node, ast.Constant) or node.value not in REASONS:
            continue
        if node.value in theirs or any(
            _is_no_reason(parent, child)
            for parent, child in zip(above, (*above[1:], node), strict=True)
        ):
            continue
        yield node.lineno, str(node.value)


def _with_parents(
    node: ast.AST, above: tuple[ast.AST, ...]
) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    yield node, above
    for child in ast.iter_child_nodes(node):
        yield from _with_parents(child, (*above, node))


def _is_no_reason(parent: ast.AST, child: ast.AST) -> bool:
    """Whether what stands in ``child`` is a word of something else."""
    match parent:
        case ast.Compare(left=left, comparators=others):
            return any(_names_state(one) for one in (left, *others) if one is not child)
        case ast.keyword(arg=name):
            return name in _STATES
        case ast.Dict(keys=keys, values=values):
            return any(
                isinstance(key, ast.Constant) and key.value in _STATES
                for key, value in zip(keys, values, strict=True)
                if value is child
            )
        case ast.Subscript(value=ast.Name(id="Literal")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name == "__all__" or name.lower().endswith(_STATES)
        case ast.ClassDef(bases=[ast.Name(id="Enum" | "StrEnum")]):
            return True
        case ast.FunctionDef(name=name):
            return name.endswith(_STATES)
        case _:
            return False


def _names_state(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in _STATES
        case _:
            return False


def main() -> int:
    """Names every place; the exit status."""
    found = 0
    for source in sources(PACKAGE):
        path = source.path.relative_to(PACKAGE).as_posix()
        if path.startswith("reasons/"):
            continue
        for line, name in written(source, _KUBERNETES.get(path, frozenset())):
            found += 1
            sys.stderr.write(
                f"{source.path}:{line}: the reason {name} as text; write its constant "
                "(from escadre import reasons), or .name of it on the wire\n"
            )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
