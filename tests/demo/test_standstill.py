"""The demo waits for what goes on by itself, and not for what waits for somebody."""

from typing import Any

import pytest
from e2e.cluster.podstates import GivenUpError
from e2e.cluster.wait import PATIENCE
from e2e.demo.standstill import Standstill


def condition(reason: str, status: str = "False") -> dict[str, Any]:
    return {"type": "WeightsReady", "status": status, "reason": reason, "message": "why so"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv(PATIENCE, "1")
    return Clock()


def test_an_incident_ends_the_wait_at_once(clock: Clock) -> None:
    with pytest.raises(GivenUpError, match="WeightsReady is DigestMismatch: why so"):
        Standstill(clock).refuse(condition("DigestMismatch"))


def test_somebodys_move_ends_it_after_a_while(clock: Clock) -> None:
    standstill = Standstill(clock)
    for clock.now in (100.0, 119.0):
        standstill.refuse(condition("Unauthorized"))
    clock.now = 120.0
    with pytest.raises(GivenUpError, match="Unauthorized"):
        standstill.refuse(condition("Unauthorized"))


@pytest.mark.parametrize(
    "between",
    [condition("Pulling"), condition("SecretNotFound"), condition("Unauthorized", "True")],
    ids=["it goes on", "another reason", "it holds"],
)
def test_the_while_begins_anew_when_something_changes(clock: Clock, between: Any) -> None:
    standstill = Standstill(clock)
    standstill.refuse(condition("Unauthorized"))
    clock.now = 19.0
    standstill.refuse(between)
    clock.now = 38.0
    standstill.refuse(condition("Unauthorized"))


def test_what_goes_on_by_itself_is_waited_for(clock: Clock) -> None:
    standstill = Standstill(clock)
    for clock.now in (0.0, 1000.0):
        standstill.refuse(condition("Pulling"))
        standstill.refuse(condition("", ""))
