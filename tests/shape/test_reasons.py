"""tests/shape/reasons.py: which text is the name of a reason, and which only looks like one."""

from pathlib import Path

import pytest
from tests.shape.measure import Source
from tests.shape.reasons import written


def found(text: str) -> list[str]:
    return [name for _, name in written(Source(Path("x.py"), text))]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('raise Refusal("StoreFull", "x")', id="given to a refusal"),
        pytest.param('wrong = condition["reason"] == "Pending"', id="compared with the wire's"),
        pytest.param('_STUCK = {"Expired", "Revoked"}', id="a list of one's own"),
        pytest.param('body = {"type": "Ready", "reason": x}', id="the type of a condition"),
        pytest.param('body = {"state": x, "reason": "Pulling"}', id="beside a state"),
        pytest.param('if other == "Loading": pass', id="compared with who knows what"),
        pytest.param('def why() -> str:\n    return "NotFound"', id="returned"),
    ],
)
def test_the_name_of_a_reason_is_found_wherever_it_is_written(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('ready = replica.state == "Ready"', id="compared with a state"),
        pytest.param('busy = one.state in {"Pulling", "Wanted"}', id="one of some states"),
        pytest.param('x = NodeWeights(state="Pulling")', id="given as a state"),
        pytest.param('x = {"state": "Draining" if drain else other}', id="a state on the wire"),
        pytest.param('state: Literal["Pending", "Ready"]', id="the type of a state"),
        pytest.param('_STATES = {"Ready": "ok"}', id="a table of states"),
        pytest.param('def _state(pod: Pod) -> State:\n    return "Pending"', id="a state returned"),
        pytest.param('class Type(StrEnum):\n    READY = "Ready"', id="types of conditions"),
        pytest.param('__all__ = ["NotFound"]', id="a class of that name"),
        pytest.param('def f() -> None:\n    """Pending is a word."""', id="a docstring"),
    ],
)
def test_the_same_word_for_something_else_is_let_be(text: str) -> None:
    assert not found(text)
