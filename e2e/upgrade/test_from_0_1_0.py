"""0.1.0 serves, this build takes over as a user does it: no engine restarts, no weights move.

Slow: makes 0.1.0 from its commit the first time. ``make test-upgrade`` runs it.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import yaml

from e2e.cases.serving import Traffic, pods_of, ready_pods
from e2e.cluster.audit import OPERATOR, Entry
from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.wait import wait_for
from e2e.engine.load.run import Summary
from e2e.stage.opened import staged
from e2e.stage.stage import CHART, NAMESPACE, PROGRAM, TEAM, Json, Stage
from e2e.upgrade.earlier import COMMIT_0_1_0, Earlier, provide
from e2e.upgrade.standing import Standing
from escadre import __version__
from escadre.core.replicas.inputs import FORMAT
from escadre.names import ANNOTATION_DRAIN, ANNOTATION_INPUTS, SERVING_PORT

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1200)]

VERSION: Final = "0.1.0"
THIS: Final = ("dev", __version__)
NODES: Final = (NodeSpec("gpu-0"), NodeSpec("gpu-1"), NodeSpec("cpu-0", gpus=0))
# A small wish, one that says everything, and one whose second replica is being drained.
SMALL, FULL, LEAVING = "small", "full", "leaving"
AGENT_PORT: Final = 9091
SLOW_ENGINE: Final = {"drainSeconds": 300, "env": {"STANDIN_TOKENS_PER_SECOND": "25"}}
LONG_ANSWER: Final = 3600  # tokens: two and a half minutes
READ_METRICS: Final = """
import sys, urllib.request
for url in sys.argv[1:]:
    print(urllib.request.urlopen(url + "/metrics", timeout=5).read().decode())
"""
CLIENTS: Final = 12  # of long answers: some on either replica
# A GPUNode is told to probe a mirror; what it is told of weights must stay (``Standing.wants``).
WRITES_IN_PASSING: Final = frozenset(
    {"modeldeployments/status", "modelapprovals/status", "modelmirrors/status", "events"}
    | {"gpunodes"}
)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What was seen before, after, and when the drain had ended; and what happened meanwhile."""

    versions: tuple[set[str], set[str]]  # of the agents
    before: Standing
    after: Standing
    later: Standing
    pulled: float
    written: list[Entry]
    short: Summary
    long: Summary


@pytest.fixture(scope="module")
def earlier() -> Earlier:
    return provide(COMMIT_0_1_0)


@pytest.fixture(scope="module")
def stage(earlier: Earlier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """0.1.0 with three deployments that serve."""
    folder: Path = tmp_path_factory.mktemp("upgrade")
    images = folder / "images.yaml"
    image = {"entrypoint": [str(earlier.program)], "user": 65532, "binds": [str(earlier.folder)]}
    images.write_text(yaml.safe_dump({f"escadre.test/escadre:{VERSION}": image}))
    runner = RunnerConfig(images=str(images), backoff_seconds=1, backoff_limit_seconds=8)
    cluster = Cluster(f"upgrade-{os.getpid()}", nodes=NODES, runner=runner)
    with staged(cluster, folder, chart=earlier.chart, program=earlier.program) as stage:
        stage.install(image={"tag": VERSION}, engine=SLOW_ENGINE)
        stage.wait_installed(90)
        stage.furnish()
        two = {"minReplicas": 2, "maxReplicas": 2}
        stage.deploy(SMALL, "base", concurrency=None, scaling=two)
        stage.deploy(FULL, "base", typicalTokens=512, scaling={"targetQueueDepth": 3})
        stage.deploy(LEAVING, "base", concurrency=16, scaling=two)
        for name in (SMALL, FULL, LEAVING):
            stage.wait_condition(name, "Ready", "Ready", deadline=120)
        yield stage


def install(stage: Stage, chart: Path, tag: str, version: str) -> None:
    """Upgrades (or goes back), until only the pods of that version run."""
    stage.chart = chart
    stage.install(image={"tag": tag})
    for workload in ("deployment/escadre-operator", "daemonset/escadre-agent"):
        stage.cluster.kubectl("rollout", "status", workload, "-n", NAMESPACE, "--timeout=180s")
    wait_for(lambda: running(stage) == {tag}, 60, f"only pods of {tag}")
    wait_for(lambda: told(stage) == {version}, 60, f"agents to say that they are of {version}")
    settle(stage)


def running(stage: Stage) -> set[str]:
    """Tags of the images of Escadre's own pods."""
    pods = stage.cluster.list("pods", "-n", NAMESPACE)
    return {one["image"].rpartition(":")[2] for pod in pods for one in pod["spec"]["containers"]}


def told(stage: Stage) -> set[str]:
    """Versions that agents report."""
    return {one["status"]["agentVersion"] for one in stage.cluster.list("gpunodes")}


def settle(stage: Stage) -> None:
    """Until the operator that leads now has been over deployments that are edited."""
    for name in (SMALL, FULL):
        maximum = stage.mdep(name)["spec"]["scaling"].get("maxReplicas", 1)
        edit(stage, name, scaling={"maxReplicas": maximum % 3 + 2})  # 2 to 4: no replica more
        generation = stage.mdep(name)["metadata"]["generation"]
        wait_for(partial(seen, stage, name, generation), 90, f"generation {generation} of {name}")


def edit(stage: Stage, name: str, **spec: object) -> None:
    """Someone's ``kubectl patch`` of a deployment."""
    body = json.dumps({"spec": spec})
    stage.cluster.kubectl("patch", "mdep", name, "-n", TEAM, "--type=merge", "-p", body)


def seen(stage: Stage, name: str, generation: int) -> bool:
    """Whether the operator's status is of this generation."""
    return bool(stage.mdep(name)["status"]["observedGeneration"] == generation)


@pytest.fixture(scope="module")
def upgrade(stage: Stage) -> Upgrade:
    """The upgrade under load, with a replica that drains all the while."""
    cluster = stage.cluster
    answers = Traffic(
        stage, LEAVING, clients=CLIENTS, requests=CLIENTS, max_tokens=LONG_ANSWER, stream=True
    )
    with answers as long:
        drain_one(stage)
        before, began, old = Standing.of(stage), cluster.audit.mark(), told(stage)
        with Traffic(stage, SMALL, rate=4) as short:
            install(stage, CHART, *THIS)
        after = Standing.of(stage)
        written = writes(cluster, began)
    stage.program = PROGRAM
    wait_for(lambda: len(pods_of(stage, LEAVING)) == 1, 120, f"one replica of {LEAVING}")
    return Upgrade(
        versions=(old, told(stage)),
        before=before,
        after=after,
        later=Standing.of(stage),
        pulled=pulled_bytes(stage),
        written=written,
        short=short.summary,
        long=long.summary,
    )


def drain_one(stage: Stage) -> None:
    """Scales down by one; the replica that leaves has answers of minutes to give."""
    wait_for(lambda: in_flight(stage) == CLIENTS, 30, f"{CLIENTS} requests in flight")
    stage.deploy(LEAVING, "base", concurrency=16, scaling={"minReplicas": 1, "maxReplicas": 1})
    wait_for(lambda: drains(Standing.of(stage)), 60, f"a replica of {LEAVING} to be drained")


def in_flight(stage: Stage) -> int:
    """Requests that the engines of ``LEAVING`` answer."""
    pods = pods_of(stage, LEAVING)
    return round(metric(stage, pods, SERVING_PORT, "vllm:num_requests_running{"))


def pulled_bytes(stage: Stage) -> float:
    """Bytes of weights that agents took since they were started; what they probe is not counted."""
    selector = "app.kubernetes.io/component=agent"
    agents = stage.cluster.list("pods", "-n", NAMESPACE, "-l", selector)
    return metric(stage, agents, AGENT_PORT, "escadre_agent_pull_bytes_total ")


def metric(stage: Stage, pods: list[Json], port: int, start: str) -> float:
    """The sum of one metric over pods; each has to tell it."""
    urls = [f"http://{pod['status']['podIP']}:{port}" for pod in pods]
    told = stage.cluster.run_in_netns([sys.executable, "-c", READ_METRICS, *urls]).stdout
    found = [float(line.split()[-1]) for line in told.splitlines() if line.startswith(start)]
    assert len(found) >= len(pods)
    return sum(found)


def drains(standing: Standing) -> dict[str, str]:
    """The notes of replicas that are drained."""
    notes = {name: one["annotations"] for name, one in standing.workloads.items()}
    return {name: one[ANNOTATION_DRAIN] for name, one in notes.items() if ANNOTATION_DRAIN in one}


def writes(cluster: Cluster, since: int) -> list[Entry]:
    """What operators wrote, of whichever version, beside statuses, events and their own lease."""
    return [
        one
        for one in cluster.audit.answered(since)
        if one.user == OPERATOR
        and one.writes
        and one.namespace in {TEAM, ""}
        and one.target not in WRITES_IN_PASSING
    ]


def test_no_engine_was_restarted(upgrade: Upgrade) -> None:
    assert upgrade.versions == ({VERSION}, {__version__})
    assert len(upgrade.before.engines) == 5
    assert upgrade.after.engines == upgrade.before.engines
    drained = tuple(drains(upgrade.before))
    staying = {
        uid: engine
        for uid, engine in upgrade.before.engines.items()
        if not engine.pod.startswith(drained)
    }
    assert upgrade.later.engines == staying


def test_no_weights_were_pulled_anew(upgrade: Upgrade) -> None:
    assert upgrade.pulled == 0
    held = {node: len(files) for node, files in upgrade.before.stores.items()}
    print(f"files held by each node: {held}; answered {upgrade.short.answered} short requests")
    assert all(held.values()), held
    assert upgrade.after.stores == upgrade.before.stores == upgrade.later.stores


def test_nothing_that_makes_an_engine_was_written(upgrade: Upgrade) -> None:
    assert upgrade.after.workloads == upgrade.before.workloads
    assert upgrade.after.wants == upgrade.before.wants
    assert upgrade.written == []


def test_no_request_was_lost(upgrade: Upgrade) -> None:
    assert upgrade.short.lost == 0, upgrade.short
    assert upgrade.long.lost == 0, upgrade.long
    assert upgrade.short.answered > 0
    assert upgrade.long.answered == CLIENTS


def test_a_drain_went_on_where_it_was_and_came_to_its_end(upgrade: Upgrade) -> None:
    assert len(drains(upgrade.before)) == 1
    assert drains(upgrade.after) == drains(upgrade.before)
    assert upgrade.before.workloads.keys() - upgrade.later.workloads.keys() == set(
        drains(upgrade.before)
    )


def test_a_new_wish_replaces_what_the_earlier_version_made(stage: Stage, upgrade: Upgrade) -> None:
    before = set(ready_pods(stage, FULL))
    assert before <= set(upgrade.before.engines)
    edit(stage, FULL, contextLength=2048)

    def replaced() -> bool:
        now = set(ready_pods(stage, FULL))
        return bool(now) and not before & now

    wait_for(replaced, 120, f"the replica of {FULL} to be replaced")
    workload = Standing.of(stage).workloads[f"{FULL}-0"]
    assert json.loads(workload["annotations"][ANNOTATION_INPUTS])["format"] == FORMAT


def test_going_back_leaves_alone_what_the_earlier_version_made(
    stage: Stage, earlier: Earlier, upgrade: Upgrade
) -> None:
    before = set(ready_pods(stage, SMALL))
    assert len(before) == 2
    assert before <= set(upgrade.before.engines)
    for chart, tag, version in ((earlier.chart, VERSION, VERSION), (CHART, *THIS)):
        install(stage, chart, tag, version)
        assert set(ready_pods(stage, SMALL)) == before
