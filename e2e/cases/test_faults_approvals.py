"""Approvals that end, come back with other bytes, or are revoked: what serves goes on serving."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from e2e.cases.faulting import clear, engine_pods, leader, ready, ready_pod, why
from e2e.cluster.wait import wait_for
from e2e.stage.stage import NAMESPACE, Stage

pytestmark = pytest.mark.cluster

OPERATORS = ("deployment", "escadre-operator", "-n", NAMESPACE)


@pytest.fixture(scope="module", autouse=True)
def brief(stage: Stage) -> Iterator[str]:
    """An approval that soon ends, and its deployment; begun first, so that nobody waits for it."""
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=40)
    stage.approve(
        "base", options={"--name": "brief", "--not-after": ends.strftime("%Y-%m-%dT%H:%M:%S")}
    )
    stage.deploy("brief", "brief")
    yield ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    clear(stage, "brief")
    stage.cluster.kubectl("delete", "mapp", "brief")


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
    assert stage.condition("twice", "Ready")["status"] == "True"
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
        stage.cluster.kubectl("scale", *OPERATORS, "--replicas=0")
        wait_for(lambda: leader(stage) == "", 30, "the operators to leave")
        (before,) = engine_pods(stage, "twice")
        name, uid = before["metadata"]["name"], before["metadata"]["uid"]
        stage.cluster.kubectl(
            "delete", "pod", name, "-n", before["metadata"]["namespace"], "--wait=false"
        )
        ready_pod(stage, "twice", other_than=uid)
    finally:
        stage.cluster.kubectl("scale", *OPERATORS, "--replicas=2")
        stage.wait_installed()
    wait_for(lambda: leader(stage), 30, "an operator to lead")
    assert stage.condition("twice", "Ready")["status"] == "True"
    clear(stage, "twice")
    stage.cluster.kubectl("delete", "mapp", "twice")


def test_an_approval_that_ends_stops_no_engine(stage: Stage, brief: str) -> None:
    ready(stage, "brief")
    (before,) = engine_pods(stage, "brief")
    found = stage.wait_condition("brief", "Approved", "Expired")
    assert f"ModelApproval brief expired at {brief}" in found["message"]
    assert stage.condition("brief", "Ready")["status"] == "True"
    summary = stage.cluster.get("mapp", "brief")["status"]["conditions"]
    assert [one["reason"] for one in summary if one["type"] == "Approved"] == ["Expired"]
    (after,) = engine_pods(stage, "brief")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
