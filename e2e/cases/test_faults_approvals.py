"""Approvals that end, come back with other bytes, or are revoked: what serves goes on serving."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from e2e.cases.faulting import (
    clear,
    engine_pods,
    leader,
    ready,
    ready_pod,
    scale_operators,
    why,
)
from e2e.cluster.wait import patience, wait_for
from e2e.stage.stage import Stage

pytestmark = pytest.mark.cluster

LIVES = (40, 120, 360)  # seconds of a brief approval: the next where a machine is too slow


@dataclass(frozen=True, slots=True)
class Brief:
    """A deployment whose approval, of the same name, soon ends; it serves."""

    name: str
    ends: datetime


@pytest.fixture(scope="module", autouse=True)
def brief(stage: Stage) -> Iterator[Brief]:
    """Begun first, so that nobody waits for its end."""
    found = next(filter(None, (_begun(stage, seconds) for seconds in LIVES)), None)
    assert found is not None, f"no deployment was ready within {LIVES[-1]} s"
    yield found
    _forget(stage, found.name)


def _begun(stage: Stage, seconds: int) -> Brief | None:
    """A deployment that got ready before its approval ended, if it did."""
    name = f"brief-{seconds}"
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    try:
        stage.approve(
            "base", options={"--name": name, "--not-after": ends.strftime("%Y-%m-%dT%H:%M:%S")}
        )
        stage.deploy(name, name)
        ready(stage, name, deadline=seconds / patience())
    except AssertionError:
        if datetime.now(UTC) < ends:
            raise
        _forget(stage, name)
        return None
    return Brief(name, ends)


def _forget(stage: Stage, name: str) -> None:
    clear(stage, name)
    stage.cluster.kubectl("delete", "mapp", name, "--ignore-not-found")


def test_bytes_exchanged_under_a_name_need_new_signatures(stage: Stage) -> None:
    stage.approve("base", options={"--name": "twice"})
    stage.deploy("twice", "twice")
    served = ready(stage, "twice")["status"]["approval"]
    (before,) = engine_pods(stage, "twice")
    stage.cluster.kubectl("delete", "mapp", "twice")
    stage.publish("exchanged", seed=2)
    draft = stage.draft("exchanged", options={"--name": "twice"})
    stage.kubectl("rita", "create", "-f", str(draft))
    found = stage.wait_condition("twice", "Approved", "SignaturesMissing")
    assert "ModelApproval twice has 0 of 2 signatures" in found["message"]
    assert "signs other content" in found["message"]
    assert stage.condition("twice", "Available")["status"] == "True"
    (still,) = engine_pods(stage, "twice")
    assert still["metadata"]["uid"] == before["metadata"]["uid"]
    for who in ("anna", "bruno"):
        stage.escadre("approve", "sign", "twice", "--yes", who=who)
    ready_pod(stage, "twice", other_than=before["metadata"]["uid"])
    now = ready(stage, "twice")["status"]["approval"]
    assert now["manifestDigest"] != served["manifestDigest"]
    assert now["uid"] != served["uid"]
    _revoked(stage)


def _revoked(stage: Stage) -> None:
    """Revoked, its pod lost, and no operator there: the pod's own workload makes it again."""
    try:
        stage.escadre("approve", "revoke", "twice", "--yes", "--reason", "leak", who="anna")
        found = stage.wait_condition("twice", "Approved", "Revoked")
        assert "anna revoked ModelApproval twice" in found["message"]
        assert "leak" in found["message"]
        assert "anna revoked" in why(stage, "twice")
        scale_operators(stage, 0)
        assert leader(stage) == "", "they left in order"
        (before,) = engine_pods(stage, "twice")
        name, uid = before["metadata"]["name"], before["metadata"]["uid"]
        stage.cluster.kubectl(
            "delete", "pod", name, "-n", before["metadata"]["namespace"], "--wait=false"
        )
        ready_pod(stage, "twice", other_than=uid)
    finally:
        scale_operators(stage, 2)
    wait_for(lambda: leader(stage), 30, "an operator to lead")
    assert stage.condition("twice", "Available")["status"] == "True"
    clear(stage, "twice")
    stage.cluster.kubectl("delete", "mapp", "twice")


def test_an_approval_that_ends_stops_no_engine(stage: Stage, brief: Brief) -> None:
    name = brief.name
    (before,) = engine_pods(stage, name)
    left = (brief.ends - datetime.now(UTC)).total_seconds()
    found = stage.wait_condition(name, "Approved", "Expired", deadline=max(left, 0) + 60)
    ended = brief.ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f"ModelApproval {name} expired at {ended}" in found["message"]
    assert stage.condition(name, "Available")["status"] == "True"
    wait_for(lambda: _approved(stage, name) == ["Expired"], 30, "the approval to say so, too")
    (after,) = engine_pods(stage, name)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def _approved(stage: Stage, approval: str) -> list[str]:
    conditions = stage.cluster.get("mapp", approval)["status"]["conditions"]
    return [one["reason"] for one in conditions if one["type"] == "Approved"]
