"""Machines and control plane: a node imaged anew, the API server away, several operators."""

import pytest

from e2e.cases.faulting import (
    clear,
    engine_pods,
    leader,
    ready,
    ready_pod,
    restarts,
    scale_operators,
)
from e2e.cases.serving import Traffic
from e2e.cluster.audit import OPERATOR, Entry
from e2e.cluster.wait import wait_for
from e2e.stage.stage import NAMESPACE, Stage
from escadre.machinery.lease import Terms

pytestmark = pytest.mark.cluster

LEASE_SECONDS = Terms().lease_seconds


def _labels(stage: Stage, node: str) -> list[str]:
    labels: dict[str, str] = stage.cluster.get("node", node)["metadata"]["labels"]
    return [key for key in labels if key.startswith("escadre.node-restriction.kubernetes.io/")]


def test_a_node_imaged_anew_is_not_believed_until_it_has_pulled_again(stage: Stage) -> None:
    stage.deploy("moved", "base")
    ready(stage, "moved")
    (pod,) = engine_pods(stage, "moved")
    node: str = pod["spec"]["nodeName"]
    before = _labels(stage, node)
    assert before
    store = stage.cluster.get("gpunode", node)["status"]["storeID"]
    stage.stop_mirror()
    try:
        stage.cluster.node(node).reimage()
        stage.simulate_gpus(node)
        wait_for(lambda: not _labels(stage, node), 30, f"the labels of {node} to go")
        found = stage.wait_condition("moved", "WeightsReady", "MirrorUnavailable")
        assert node in found["message"]
    finally:
        stage.start_mirror()
    ready_pod(stage, "moved", deadline=90)
    ready(stage, "moved")
    stage.wait_condition("moved", "WeightsReady", "WeightsVerified")
    assert stage.cluster.get("gpunode", node)["status"]["storeID"] != store
    assert set(_labels(stage, node)) <= set(before)
    clear(stage, "moved")


def test_without_its_api_server_engines_serve_and_afterwards_work_goes_on(stage: Stage) -> None:
    stage.deploy("steady", "base")
    ready(stage, "steady")
    (pod,) = engine_pods(stage, "steady")
    with Traffic(stage, "steady", rate=5) as traffic:
        stage.cluster.stop_apiserver()
        stage.cluster.start_apiserver()
        stage.deploy("steady", "base", scaling={"minReplicas": 2, "maxReplicas": 2})
        status = ready(stage, "steady")["status"]
    assert status["replicas"]["summary"] == "2/2"
    assert traffic.summary.sent > 0
    assert traffic.summary.lost == 0, traffic.summary.lost_by_reason
    assert pod["metadata"]["uid"] in {
        one["metadata"]["uid"] for one in engine_pods(stage, "steady")
    }
    assert restarts(stage, pod) == 0
    clear(stage, "steady")


def test_of_three_operators_one_writes_and_hands_over(stage: Stage) -> None:
    cluster = stage.cluster
    try:
        scale_operators(stage, 3)
        first = str(wait_for(lambda: leader(stage), 30, "an operator to lead"))
        begin = cluster.audit.mark()
        stage.deploy("handed", "base")
        ready(stage, "handed")
        cluster.kubectl("delete", "pod", first, "-n", NAMESPACE, "--wait=false")
        second = str(wait_for(lambda: _other_leader(stage, first), 60, "another operator to lead"))
        stage.deploy("handed", "base", scaling={"minReplicas": 2, "maxReplicas": 2})
        assert ready(stage, "handed")["status"]["replicas"]["summary"] == "2/2"
        done = [one for one in cluster.audit.answered(begin) if one.user == OPERATOR and one.writes]
        assert _handed_over(done, first, second) < LEASE_SECONDS, "released, not run out"
        writes = [one for one in done if one.target not in {"leases", "events"}]
        in_order = [one.pod for one in sorted(writes, key=lambda one: one.received)]
        assert set(in_order) == {first, second}
        assert in_order.index(second) == in_order.count(first), "they wrote at the same time"
    finally:
        scale_operators(stage, 2)
    clear(stage, "handed")


def _other_leader(stage: Stage, before: str) -> str:
    now = leader(stage)
    return now if now != before else ""


def _handed_over(done: list[Entry], first: str, second: str) -> float:
    """Seconds from the last word of one leader about the Lease to the first of the next."""
    told = sorted((one for one in done if one.target == "leases"), key=lambda one: one.received)
    last = max(one.received for one in told if one.pod == first)
    taken = next(one.received for one in told if one.pod == second and one.code < 300)
    return taken - last
