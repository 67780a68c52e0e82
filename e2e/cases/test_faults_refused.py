"""A replica's pod that the API server refuses: named in its own words, and made when it may be."""

from collections.abc import Iterator

import pytest

from e2e.cases.faulting import why
from e2e.cases.refusing import QUOTA, RAISED, TEAM, WORDS, delete, enforce, forget, gone
from e2e.stage.stage import Stage

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module", autouse=True)
def few(stage: Stage) -> Iterator[None]:
    """A namespace of its own: what is refused there is refused nobody else."""
    stage.team(TEAM)
    stage.approve("base", namespace=TEAM, options={"--name": "few"})
    yield
    stage.cluster.kubectl("delete", "namespace", TEAM)
    stage.cluster.kubectl("delete", "mapp", "few")


def test_a_quota_is_told_and_what_it_held_back_comes_when_it_is_raised(stage: Stage) -> None:
    stage.cluster.apply(QUOTA)
    stage.deploy("two", "few", namespace=TEAM, scaling={"minReplicas": 2, "maxReplicas": 2})
    found = stage.wait_condition("two", "Ready", "PodRefused", namespace=TEAM)
    assert "exceeded quota: few" in found["message"]
    assert stage.condition("two", "Stalled", TEAM)["reason"] == "PodRefused"
    stage.cluster.apply(RAISED)
    stage.wait_condition("two", "Ready", "Ready", deadline=120, namespace=TEAM)
    gone(stage, "two")


def test_an_admission_policy_is_told_in_its_own_words(stage: Stage) -> None:
    try:
        enforce(stage)
        stage.deploy("one", "few", namespace=TEAM)
        found = stage.wait_condition("one", "Ready", "PodRefused", namespace=TEAM)
        assert WORDS in found["message"]
        assert WORDS in why(stage, "one", TEAM)
    finally:
        delete(stage)
        gone(stage, "one")
        forget(stage)
