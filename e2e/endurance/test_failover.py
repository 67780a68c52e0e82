"""The leader dies, again and again, while twenty deployments roll out; the other one takes over.

ESCADRE_KILLS sets how often it is killed (acceptance: 10).
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.audit import OPERATOR
from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.wait import patience, wait_for
from e2e.stage.opened import staged
from e2e.stage.stage import NAMESPACE, TEAM, Stage
from escadre.machinery.lease import Terms

pytestmark = pytest.mark.cluster

Json = dict[str, Any]
COUNT = 20
LENGTHS = (4096, 2048)
KILLS = int(os.environ.get("ESCADRE_KILLS", "3"))
LEASE_SECONDS = Terms().lease_seconds
KILLED_SECONDS = 12
GRACEFUL_SECONDS = 3
NODES = (NodeSpec("gpu-0", gpus=16), NodeSpec("gpu-1", gpus=16))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two operators, real agents, engines that are played; twenty deployments serve."""
    runner = RunnerConfig(fake_all=True, backoff_seconds=1, backoff_limit_seconds=1)
    cluster = Cluster(f"failover-{os.getpid()}", nodes=NODES, runner=runner)
    with staged(cluster, tmp_path_factory.mktemp("failover")) as stage:
        stage.install(operator={"replicas": 2})
        stage.furnish()
        stage.wait_installed(90)
        wish(stage, LENGTHS[0])
        wait_for(lambda: done(stage, LENGTHS[0]), 120, f"{COUNT} deployments to serve")
        yield stage


def wish(stage: Stage, context_length: int) -> None:
    """Wishes for all, or a rollout of all."""
    stage.cluster.apply(
        *(
            {
                "apiVersion": "escadre.dev/v1alpha1",
                "kind": "ModelDeployment",
                "metadata": {"name": f"roll-{number:02}", "namespace": TEAM},
                "spec": {"approval": "base", "contextLength": context_length, "concurrency": 4},
            }
            for number in range(COUNT)
        )
    )


def current(stage: Stage, context_length: int) -> list[bool]:
    """Of each workload, whether its engine has this context length."""
    flag = f"--max-model-len={context_length}"
    workloads = stage.cluster.list("deployments", "-n", TEAM)
    return [flag in json.dumps(one["spec"]["template"]) for one in workloads]


def under_way(stage: Stage, context_length: int) -> bool:
    """Whether a rollout to this context length has replaced something."""
    return any(current(stage, context_length))


def done(stage: Stage, context_length: int) -> bool:
    """Whether all serve with this context length, each by one replica, and nothing is left."""
    made = current(stage, context_length)
    ready = [
        any(
            each["type"] == "Ready"
            and each["status"] == "True"
            and each["observedGeneration"] == one["metadata"]["generation"]
            for each in one.get("status", {}).get("conditions", [])
        )
        for one in stage.cluster.list("mdep", "-n", TEAM)
    ]
    return len(made) == len(ready) == COUNT and all(made) and all(ready)


def lease(stage: Stage) -> Json:
    spec: Json = stage.cluster.get("lease", "escadre-operator", NAMESPACE)["spec"]
    return spec


def process_of(pod: str) -> int:
    """Process id, on this machine, of the operator in a pod: its environment names the pod."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile
        if f"POD_NAME={pod}".encode() in environment and b"operator" in command:
            return int(folder.name)
    raise LookupError(f"no process of pod {pod}")


def taken_over(stage: Stage, before: str, since: float) -> float:
    """Until somebody else holds the Lease; seconds from ``since`` to the acquisition."""

    def other() -> Json | None:
        spec = lease(stage)
        return spec if spec.get("holderIdentity") not in {"", None, before} else None

    spec = wait_for(other, 60, f"another leader than {before}")
    return datetime.fromisoformat(spec["acquireTime"]).timestamp() - since


def limit_after_kill() -> float:
    """The Lease runs out by the clock; what comes then takes a busy machine longer."""
    return LEASE_SECONDS + (KILLED_SECONDS - LEASE_SECONDS) * patience()


def limit_in_order() -> float:
    """Longer on a busy machine, but always short of a Lease that runs out."""
    return min(GRACEFUL_SECONDS * patience(), LEASE_SECONDS - 1)


def pod_of(holder: str) -> str:
    return holder.rsplit("_", 2)[0]


def two_ready(stage: Stage) -> bool:
    pods = stage.cluster.list("pods", "-n", NAMESPACE, "-l", "escadre.dev/component=operator")
    return len(pods) == 2 and all(
        any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in one["status"].get("conditions", [])
        )
        for one in pods
    )


def test_a_leader_killed_again_and_again_loses_nothing(stage: Stage) -> None:
    audit = stage.cluster.audit
    mark = audit.mark()
    took = []
    for number in range(1, KILLS + 1):
        length = LENGTHS[number % 2]
        wish(stage, length)
        wait_for(partial(under_way, stage, length), 60, "the rollout to be under way")
        holder = lease(stage)["holderIdentity"]
        os.kill(process_of(pod_of(holder)), signal.SIGKILL)
        took.append(taken_over(stage, holder, time.time()))
    print(f"failover after kill -9: {[round(one, 1) for one in took]} s")
    wait_for(partial(done, stage, length), 180, f"{COUNT} deployments on the last inputs")
    assert max(took) <= limit_after_kill(), took
    deleted = [one.what for one in audit.writes(mark, user=OPERATOR) if one.verb == "delete"]
    assert deleted == [], "a rollout in place deletes nothing"


def test_a_leader_that_leaves_in_order_is_replaced_at_once(stage: Stage) -> None:
    wait_for(lambda: two_ready(stage), 60, "two operators to be ready")
    holder = lease(stage)["holderIdentity"]
    started = time.time()
    stage.cluster.kubectl("delete", "pod", pod_of(holder), "-n", NAMESPACE, "--wait=false")
    took = taken_over(stage, holder, started)
    print(f"failover after a graceful end: {took:.1f} s")
    assert took <= limit_in_order()
    wait_for(lambda: two_ready(stage), 60, "two operators to be ready again")
