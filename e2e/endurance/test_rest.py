"""At rest nothing is written, and numbers alone are written every 30 s at most.

ESCADRE_REST_SECONDS sets how long is looked at (acceptance: 120).
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.cluster.audit import AGENT, OPERATOR, AuditLog, Entry
from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.wait import wait_for
from e2e.engine.checkpoint import Shape, padded
from e2e.stage.opened import staged
from e2e.stage.stage import TEAM, Stage

pytestmark = pytest.mark.cluster

COUNT = 50
SECONDS = float(os.environ.get("ESCADRE_REST_SECONDS", "35"))
RULE_SECONDS = 30
QUIET_SECONDS = RULE_SECONDS + 2  # numbers alone may wait that long to be written
NODES = (NodeSpec("gpu-0", gpus=64), NodeSpec("gpu-1", gpus=64), NodeSpec("cpu-0", gpus=0))
SLOW_PULL = 50_000  # bytes a second and connection: longer than the test on any machine
METRICS = """\
vllm:num_requests_running{{engine="0",model_name="fake"}} {running}.0
vllm:num_requests_waiting{{engine="0",model_name="fake"}} 0.0
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Real operators and agents; engines are played, and show the load of ``metrics``."""
    folder: Path = tmp_path_factory.mktemp("rest")
    runner = RunnerConfig(fake_all=True, fake_metrics=str(folder / "metrics"))
    with staged(Cluster(f"rest-{os.getpid()}", nodes=NODES, runner=runner), folder) as stage:
        stage.install(agent={"slowBytesPerSecond": 0})
        stage.furnish()
        stage.publish("large", seed=2, shape=padded(Shape(), 128))
        stage.approve("large")
        stage.wait_installed(90)
        yield stage


def names(prefix: str) -> list[str]:
    return [f"{prefix}-{number:02}" for number in range(COUNT)]


def count(stage: Stage, prefix: str, type_: str, reason: str) -> int:
    return sum(
        one["metadata"]["name"].startswith(prefix)
        and any(
            each["type"] == type_ and each["reason"] == reason
            for each in one.get("status", {}).get("conditions", [])
        )
        for one in stage.cluster.list("mdep", "-n", TEAM)
    )


def watch(audit: AuditLog, seconds: float, check: Callable[[int], None]) -> None:
    """Calls ``check`` with the mark of the beginning, again and again, for so long."""
    mark, end = audit.mark(), time.monotonic() + seconds

    def over() -> bool:
        check(mark)
        return time.monotonic() >= end

    wait_for(over, seconds + 30, "the time of observation to pass")


def rest(audit: AuditLog) -> None:
    """Until escadre has written nothing for a while: what led here is over."""
    mark, since = audit.mark(), time.monotonic()

    def quiet() -> bool:
        nonlocal mark, since
        if written(audit, mark):
            mark, since = audit.mark(), time.monotonic()
        return time.monotonic() - since >= QUIET_SECONDS

    wait_for(quiet, 120, f"no write of escadre for {QUIET_SECONDS} s")


def written(audit: AuditLog, mark: int) -> list[Entry]:
    return audit.writes(mark, user=OPERATOR) + audit.writes(mark, user=AGENT)


def deploy(
    stage: Stage, prefix: str, approval: str, *, type_: str, reason: str, deadline: float
) -> None:
    """Fifty deployments, until all say so."""
    for name in names(prefix):
        stage.deploy(name, approval)
    wait_for(
        lambda: count(stage, prefix, type_, reason) == COUNT,
        deadline,
        f"{COUNT} deployments {prefix}-… to say {type_}: {reason}",
    )


@pytest.fixture(scope="module")
def ready(stage: Stage) -> Stage:
    """Fifty deployments serve."""
    deploy(stage, "ready", "base", type_="Ready", reason="Ready", deadline=180)
    return stage


def test_fifty_ready_deployments_cost_no_write(ready: Stage) -> None:
    audit = AuditLog(ready.cluster.audit_log)
    rest(audit)

    def nothing(mark: int) -> None:
        found = written(audit, mark)
        if found:
            raise RuntimeError(f"written at rest: {[one.what for one in found]}")

    watch(audit, SECONDS, nothing)


def show(stage: Stage, running: int) -> None:
    """Lets every engine tell of so many requests; at once, for an empty file means no metrics."""
    metrics = stage.folder / "metrics"
    new = metrics.with_suffix(".new")
    new.write_text(METRICS.format(running=running))
    new.replace(metrics)


@pytest.fixture
def blocked(ready: Stage) -> Iterator[Stage]:
    """Fifty more wait for a slow pull."""
    ready.stop_mirror()
    ready.start_mirror(rate=SLOW_PULL)
    deploy(ready, "blocked", "large", type_="WeightsReady", reason="Pulling", deadline=120)
    yield ready
    ready.cluster.kubectl("delete", "mdep", "-n", TEAM, *names("blocked"))
    ready.stop_mirror()
    ready.start_mirror()


def test_numbers_alone_are_written_every_thirty_seconds_at_most(blocked: Stage) -> None:
    """Fifty wait for a slow pull, fifty serve a load that changes all the time."""
    show(blocked, running=1)
    audit = AuditLog(blocked.cluster.audit_log)
    turns = 0

    def change(_: int) -> None:
        nonlocal turns
        turns += 1
        show(blocked, running=1 + turns % 3)

    watch(audit, RULE_SECONDS, change)  # what is no mere number has been said by now
    before, began = audit.mark(), time.monotonic()
    watch(audit, max(SECONDS, RULE_SECONDS), change)
    looked = time.monotonic() - began
    assert count(blocked, "blocked", "WeightsReady", "Pulling") == COUNT, "the pull ended too early"
    writes = Counter(
        one.name
        for one in audit.entries(before, user=OPERATOR)
        if one.resource == "modeldeployments" and one.writes
    )
    assert writes, "no status was ever brought up to date"
    # Counted, for a write may be late and the next one not: exact gaps are seen in virtual time.
    assert max(writes.values()) <= looked / RULE_SECONDS + 1, writes
