"""What the keeper is told to do."""

import pytest
from tests.agent.pull.test_choose import FAILED, A, B, wish

from escadre.agent.plan import (
    CancelPull,
    Holdings,
    StartPull,
    StorePlan,
    plan_store,
    still_wanted,
)
from escadre.agent.wish import Wish

NOTHING = Holdings(frozenset(), None, {})


@pytest.mark.parametrize(
    ("wishes", "holdings", "plan"),
    [
        pytest.param((), NOTHING, StorePlan(()), id="at rest"),
        pytest.param((A, B), NOTHING, StorePlan((StartPull(A),)), id="one pull at a time"),
        pytest.param((A,), Holdings(frozenset(), A, {}), StorePlan(()), id="it goes on"),
        pytest.param(
            (wish("a", "http://n/x"), B),
            Holdings(frozenset(), A, {}),
            StorePlan((CancelPull(),)),
            id="what is called off has to end before another begins",
        ),
        pytest.param(
            (A,),
            Holdings(frozenset(), None, {A.digest: FAILED}),
            StorePlan((), wake_at=20.0),
            id="a failure is waited out",
        ),
        pytest.param(
            (A,), Holdings(frozenset({A.digest, B.digest}), None, {}), StorePlan(()), id="all here"
        ),
    ],
)
def test_plan(wishes: tuple[Wish, ...], holdings: Holdings, plan: StorePlan) -> None:
    assert plan_store(wishes, holdings, 10.0) == plan


def test_failures_of_what_nobody_wants_are_forgotten() -> None:
    assert still_wanted({A.digest: FAILED}, (B,)) == {}
    assert still_wanted({A.digest: FAILED}, (A, B)) == {A.digest: FAILED}
