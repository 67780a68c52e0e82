"""Every reason that the code gives stands in the one documented list."""

import ast
import re
from pathlib import Path

from escadre.reasons import REASONS

PACKAGE = Path(__file__).parents[1] / "operator" / "escadre"
# Called with a reason as the argument of this position.
GIVERS = {
    "Refusal": 0,
    "false": 1,
    "true": 1,
    "unknown": 1,
    "Problem": 0,
    "DeploymentApproval": 1,
    "verdict": 1,
    "Action": 2,
}


def _given(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        position = GIVERS.get(name)
        if position is None or len(node.args) <= position:
            continue
        argument = node.args[position]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            found.append(argument.value)
    return found


def test_each_given_reason_is_listed() -> None:
    given = {
        (path.name, reason)
        for path in PACKAGE.rglob("*.py")
        for reason in _given(ast.parse(path.read_text()))
    }
    assert len(given) > 40
    assert {(name, reason) for name, reason in given if reason not in REASONS} == set()


def test_each_listed_reason_is_a_word_with_a_meaning_and_a_next_step() -> None:
    for reason in REASONS.values():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", reason.name)
        assert reason.meaning.endswith(".")
        assert reason.next_step.endswith(".")
