"""core/status/moments.py: which statuses may wait a moment, and which are told at once."""

from datetime import UTC, datetime

import pytest

from escadre.core.status.conditions import Leaf
from escadre.core.status.moments import passing
from escadre.core.status.told import Past
from escadre.reasons import of
from escadre.reasons.said import NOTHING

Turn = tuple[str, str, str]  # type, status, reason
AT = datetime(2026, 1, 1, tzinfo=UTC)
UNSEEN = ("Ready", "Unknown", "Pending")
PENDING = ("Ready", "False", "ReplicasPending")
LOADING = ("Ready", "False", "Loading")
PULLING = ("Ready", "False", "Pulling")
READY = ("Ready", "True", "Ready")
UNSIGNED = ("Ready", "False", "SignaturesMissing")
FAILING = ("Ready", "False", "EngineFailing")
OUT = ("Available", "False", "Unavailable")
ANSWERS = ("Available", "True", "Available")
DEGRADED = ("Available", "True", "Degraded")


def _past(type_: str, status: str, reason: str) -> Past:
    return Past(type_, status, of(reason), "", AT)  # type: ignore[arg-type]  # from a table


def _leaf(type_: str, status: str, reason: str) -> Leaf:
    return Leaf(type_, status, of(reason), NOTHING)  # type: ignore[arg-type]  # from a table


@pytest.mark.parametrize(
    ("before", "now", "waits"),
    [
        pytest.param([], [PENDING], True, id="it begins, never seen"),
        pytest.param([UNSEEN], [PENDING], True, id="it begins"),
        pytest.param([PENDING], [LOADING], True, id="on its way"),
        pytest.param([UNSEEN], [PULLING], True, id="a pull lasts: a moment is nothing"),
        pytest.param([UNSIGNED], [LOADING], True, id="signed"),
        pytest.param([LOADING], [LOADING], True, id="other words for the same"),
        pytest.param([LOADING, OUT], [READY, ANSWERS], False, id="it serves"),
        pytest.param([READY], [LOADING], False, id="it serves no more"),
        pytest.param([READY, ANSWERS], [READY, OUT], False, id="nothing answers"),
        pytest.param([READY, OUT], [READY, DEGRADED], False, id="something answers again"),
        pytest.param([READY, ANSWERS], [READY, DEGRADED], True, id="enough or not, it answers"),
        pytest.param([UNSEEN], [UNSIGNED], False, id="someone must sign"),
        pytest.param([LOADING], [FAILING], False, id="an engine fails"),
        pytest.param([FAILING], [FAILING], True, id="that it fails was told"),
    ],
)
def test_only_what_goes_on_by_itself_waits(
    before: list[Turn], now: list[Turn], waits: bool
) -> None:
    assert passing([_past(*one) for one in before], [_leaf(*one) for one in now]) is waits
