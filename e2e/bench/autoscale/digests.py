"""What a result rests on, as a digest: with other code or other settings it is none.

That is what all play in (the simulator, the traffic, how it is tuned), and what one contender
decides by. So a change of this build's policy leaves the results of peers as they are. Of Python
only the code counts, not comments or docstrings; of all else every byte.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from e2e.bench.autoscale.contender import Contender
from e2e.cluster.config import REPOSITORY

__all__ = ["WORLD", "digest_of"]

_CORE: Final = "operator/escadre/core"
_BENCH: Final = "e2e/bench/autoscale"
WORLD: Final = (
    f"{_CORE}/simulation",
    f"{_CORE}/replicas/victims.py",
    f"{_CORE}/scaling/demand.py",
    f"{_BENCH}/contender.py",
    f"{_BENCH}/data",
    f"{_BENCH}/oracle.py",
    f"{_BENCH}/runs.py",
    f"{_BENCH}/scenarios.py",
    f"{_BENCH}/steptable.py",
    f"{_BENCH}/traces.py",
    f"{_BENCH}/tuning.py",
)
# In those folders, of no effect: what is not played, and what only tells of a decision.
_ASIDE: Final = frozenset(
    {
        f"{_CORE}/simulation/people.py",
        f"{_CORE}/simulation/sizing.py",
        f"{_CORE}/simulation/traffic.py",
        f"{_CORE}/scaling/history.py",
        f"{_CORE}/scaling/progress.py",
        f"{_CORE}/scaling/skew.py",
        f"{_CORE}/scaling/telling.py",
    }
)
_TEXT: Final = frozenset({".md"})


def digest_of(contender: Contender) -> str:
    """Of all that a result of the contender rests on."""
    digest = hashlib.sha256(repr((contender.kind, contender.memory, contender.settings())).encode())
    for path in (*WORLD, *contender.code):
        digest.update(_digest(path))
    return digest.hexdigest()[:16]


@cache
def _digest(path: str) -> bytes:
    digest = hashlib.sha256()
    for one in _files(REPOSITORY / path):
        name = one.relative_to(REPOSITORY).as_posix()
        digest.update(name.encode() + b"\0" + _content(one) + b"\0")
    return digest.digest()


def _files(path: Path) -> Iterator[Path]:
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    for one in found:
        aside = one.relative_to(REPOSITORY).as_posix() in _ASIDE
        compiled = "__pycache__" in one.parts
        if not (aside or compiled or one.suffix in _TEXT) and one.is_file():
            yield one


def _content(path: Path) -> bytes:
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return ast.dump(tree).encode()
