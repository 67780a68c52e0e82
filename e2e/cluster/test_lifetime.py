"""A cluster ends with whoever started it, and a killed one leaves nothing that the next keeps."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.addresses import host_link
from e2e.cluster.cluster import Cluster
from e2e.cluster.config import REPOSITORY
from e2e.cluster.folders import state_folder
from e2e.cluster.launch import namespace_pid, remove_cluster
from e2e.cluster.pods import build_pod, is_ready
from e2e.cluster.wait import wait_for

pytestmark = pytest.mark.cluster

_OWNER = """\
import sys, time
from e2e.cluster.cluster import Cluster
with Cluster(sys.argv[1]):
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def name() -> Iterator[str]:
    """A cluster name of the test's own, removed in any case."""
    chosen = f"life-{uuid.uuid4().hex[:8]}"
    yield chosen
    remove_cluster(chosen)


@pytest.fixture
def detached(name: str) -> Iterator[Cluster]:
    """A cluster that outlives its starter; ended also after a failed test."""
    cluster = Cluster(name, detached=True)
    yield cluster
    cluster.stop()


def _family(pid: int) -> set[int]:
    """A process and everything below it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _alive(pids: set[int]) -> set[int]:
    """Those that still run; one that only waits to be collected does not."""

    def runs(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return {pid for pid in pids if runs(pid)}


def _device_there(name: str) -> bool:
    return Path(f"/sys/class/net/{host_link(name).device}").exists()


def _mounts(name: str) -> str:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return "\n".join(line for line in lines if f"escadre-cluster-{name}" in line)


def test_a_cluster_ends_with_the_process_that_started_it(name: str) -> None:
    state = state_folder(name)
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, name],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        cluster = Cluster.attach(name)
        cluster.apply(build_pod("idle", "default", "exec sleep 1000"))
        wait_for(lambda: is_ready(cluster.get("pod", "idle", "default")), 20, "pod idle Ready")
        holder = namespace_pid(state)
        assert holder is not None
        family = _family(holder)
        assert len(family) > 10
        owner.send_signal(signal.SIGKILL)
    wait_for(lambda: not _alive(family), 20, "the end of every process", lambda: _alive(family))
    wait_for(lambda: not state.root.exists(), 10, "removal of the folder")
    wait_for(lambda: not _device_there(name), 10, "removal of the link to the host")
    assert not _mounts(name)


def test_a_killed_cluster_is_cleaned_up_by_the_next_command(detached: Cluster) -> None:
    cluster, name = detached.start(), detached.name
    state = state_folder(name)
    cluster.apply(build_pod("idle", "default", "exec sleep 1000"))
    wait_for(lambda: is_ready(cluster.get("pod", "idle", "default")), 20, "pod idle Ready")
    holder = namespace_pid(state)
    assert holder is not None
    family = _family(holder)
    os.kill(holder, signal.SIGKILL)
    wait_for(lambda: not _alive(family), 20, "the end of every process", lambda: _alive(family))
    assert state.root.exists()
    cluster.stop()
    assert not state.root.exists()
    assert not state.lock.exists()
    assert not _device_there(name)
    assert not _mounts(name)
    assert not remove_cluster(name), "there is nothing left to remove"
