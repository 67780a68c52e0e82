"""Deployments deleted while the operator hears nothing: nothing is made for one that is gone.

It then hears of their children's end and of their own at once, in any order.
"""

from collections.abc import Iterator

import pytest

from e2e.cases.faulting import clear, frozen, leader
from e2e.cluster.audit import OPERATOR, Entry
from e2e.cluster.wait import wait_for
from e2e.stage.stage import TEAM, Stage

pytestmark = pytest.mark.cluster

NAMES = tuple(f"gone-{number:02}" for number in range(30))
CREATED = 201


@pytest.fixture
def closed(stage: Stage) -> Iterator[None]:
    """No node takes a replica, so each deployment has its Service and the like, and no engine."""
    names = [one.name for one in stage.cluster.config.nodes]
    stage.cluster.kubectl("cordon", *names)
    yield
    stage.cluster.kubectl("uncordon", *names)


def _children(stage: Stage) -> int:
    return len(stage.cluster.list("services,networkpolicies,pdb", "-n", TEAM))


def _made(stage: Stage, since: int) -> list[Entry]:
    """What the operator made; a status or an event is no child."""
    return [
        one
        for one in stage.cluster.audit.answered(since)
        if one.user == OPERATOR and one.code == CREATED and one.target != "events"
    ]


@pytest.mark.usefixtures("closed")
def test_nothing_is_made_for_deployments_that_are_gone(stage: Stage) -> None:
    before = _children(stage)
    for name in NAMES:
        stage.deploy(name, "base")
    every = before + 3 * len(NAMES)
    wait_for(lambda: _children(stage) == every, 120, f"{every} children", lambda: _children(stage))
    since = stage.cluster.audit.mark()
    with frozen(leader(stage)):  # for less than its Lease lasts
        clear(stage, *NAMES)
        wait_for(lambda: _children(stage) == before, 30, "none", lambda: _children(stage))
    stage.deploy("after", "base")
    wait_for(lambda: _children(stage) == before + 3, 30, "work to go on")
    clear(stage, "after")
    assert [one for one in _made(stage, since) if one.name in NAMES] == []
