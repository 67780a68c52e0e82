"""Whatever makes a replica leave, no client loses a request: also one that keeps its connection.

On each path clients go on without a pause, from before the first replica leaves until the last one
is gone and two thousand requests have been answered, half of them on kept connections.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from e2e.cases.serving import Traffic, pods_of, ready_pods, serving
from e2e.cluster.wait import wait_for
from e2e.stage.stage import TEAM, Stage

pytestmark = pytest.mark.cluster

Tell = Callable[[str, object], None]

_EACH = 1000


@contextmanager
def _losing_nothing(stage: Stage, name: str, tell: Tell) -> Iterator[None]:
    """Clients of every kind while the block runs, and until there were enough requests."""
    with (
        Traffic(stage, name, clients=4) as fresh,
        Traffic(stage, name, clients=4, keep_alive=True) as kept,
        Traffic(stage, name, clients=2, max_tokens=400, stream=True, keep_alive=True) as long,
    ):
        every = {"one per request": fresh, "kept": kept, "kept, long streams": long}
        wait_for(lambda: all(one.ended for one in every.values()), 60, "the first answers")
        yield
        wait_for(lambda: min(fresh.ended, kept.ended) >= _EACH, 300, "enough requests")
    told = {kind: one.summary.as_json() for kind, one in every.items()}
    tell("requests", json.dumps(told))
    print(name, {kind: (one["answered"], one["lost"]) for kind, one in told.items()})
    assert [one["lost_by_reason"] for one in told.values()] == [{}, {}, {}], told


def _gone(stage: Stage, name: str, before: set[str]) -> None:
    def all_of_them() -> bool:
        return not before & {pod["metadata"]["uid"] for pod in pods_of(stage, name)}

    wait_for(all_of_them, 180, "the pods of before to be gone")


def _serves(stage: Stage, name: str, count: int) -> None:
    wait_for(lambda: len(ready_pods(stage, name)) == count, 120, f"{count} ready replicas")


def test_scaling_down(stage: Stage, record_property: Tell) -> None:
    three = {"minReplicas": 3, "maxReplicas": 3}
    with serving(stage, "fewer", scaling=three):
        _serves(stage, "fewer", 3)
        with _losing_nothing(stage, "fewer", record_property):
            stage.deploy("fewer", "base", scaling={"minReplicas": 1, "maxReplicas": 1})
            wait_for(lambda: len(pods_of(stage, "fewer")) == 1, 120, "two pods to be gone")


def test_a_rollout(stage: Stage, record_property: Tell) -> None:
    two = {"minReplicas": 2, "maxReplicas": 2}
    with serving(stage, "anew", scaling=two):
        _serves(stage, "anew", 2)
        before = set(ready_pods(stage, "anew"))
        with _losing_nothing(stage, "anew", record_property):
            stage.deploy("anew", "base", contextLength=2048, scaling=two)
            _gone(stage, "anew", before)
            _serves(stage, "anew", 2)


def test_an_eviction(stage: Stage, record_property: Tell) -> None:
    with serving(stage, "evicted", scaling={"minReplicas": 2, "maxReplicas": 2}):
        _serves(stage, "evicted", 2)
        uid, pod = next(iter(sorted(ready_pods(stage, "evicted").items())))
        with _losing_nothing(stage, "evicted", record_property):
            _evict(stage, pod["metadata"]["name"])
            _gone(stage, "evicted", {uid})
            _serves(stage, "evicted", 2)


def test_the_drain_of_a_node(stage: Stage, record_property: Tell) -> None:
    with serving(stage, "drained", scaling={"minReplicas": 2, "maxReplicas": 2}):
        _serves(stage, "drained", 2)
        node = min(pod["spec"]["nodeName"] for pod in ready_pods(stage, "drained").values())
        before = {
            uid
            for uid, pod in ready_pods(stage, "drained").items()
            if pod["spec"]["nodeName"] == node
        }
        try:
            with _losing_nothing(stage, "drained", record_property):
                chosen = "--pod-selector=escadre.dev/deployment=drained"
                flags = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s")
                stage.cluster.kubectl("drain", node, chosen, *flags)
                _gone(stage, "drained", before)
                _serves(stage, "drained", 2)
        finally:
            stage.cluster.kubectl("uncordon", node)


def _evict(stage: Stage, name: str) -> None:
    """As ``kubectl drain`` does for each pod, without its wait."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": TEAM},
    }
    path = f"/api/v1/namespaces/{TEAM}/pods/{name}/eviction"
    stage.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
