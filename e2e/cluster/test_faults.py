"""What a test can break in a cluster, and that it mends: runner, API server, machines."""

import contextlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.cluster import Cluster, CommandError
from e2e.cluster.pods import build_pod, container_state, is_ready
from e2e.cluster.wait import wait_for

pytestmark = pytest.mark.cluster

_BOOT = (
    "cat /proc/sys/kernel/random/boot_id; ls /disk; touch /disk/mark; echo booted; exec sleep 1000"
)


def _with_disk(namespace: str) -> dict[str, Any]:
    disk = {"path": f"/srv/{namespace}", "type": "DirectoryOrCreate"}
    return build_pod(
        "disk",
        namespace,
        _BOOT,
        volumeMounts=[{"name": "disk", "mountPath": "/disk"}],
        spec={
            "nodeName": "gpu-1",
            "volumes": [{"name": "disk", "hostPath": disk}],
            "terminationGracePeriodSeconds": 0,
        },
    )


def _booted(cluster: Cluster, namespace: str) -> list[str]:
    """What the pod with a disk said of its last boot, once it is through with that."""

    def said() -> list[str]:
        lines = cluster.pod_log(namespace, "disk", "main").splitlines()
        return lines[:-1] if lines[-1:] == ["booted"] else []

    found: list[str] = wait_for(said, 20, "the end of the pod's boot")
    return found


def _restarts(cluster: Cluster, namespace: str, name: str) -> int:
    pod = cluster.get("pod", name, namespace)
    count: int = container_state(pod).get("restartCount", 0) if is_ready(pod) else 0
    return count


def _processes(command: str) -> int:
    """How many processes of the machine have that command line, also those of pods."""
    wanted = command.replace(" ", "\0") + "\0"
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            found += (folder / "cmdline").read_text(errors="replace") == wanted
    return found


def test_pods_die_with_the_runner_and_start_again_with_the_next(
    cluster: Cluster, namespace: str
) -> None:
    # No other process of this machine sleeps so long: fractions are of no other test.
    lasting = f"sleep 1000.{uuid.uuid4().int % 10**9}"
    cluster.apply(build_pod("survivor", namespace, f"exec {lasting}"))
    wait_for(lambda: is_ready(cluster.get("pod", "survivor", namespace)), 20, "pod survivor Ready")
    starts = cluster.components()["runner"]["starts"]
    cluster.kill_runner()
    wait_for(lambda: _restarts(cluster, namespace, "survivor") == 1, 30, "one restart, Ready again")
    assert cluster.components()["runner"]["starts"] == (starts or 0) + 1
    assert _processes(lasting) == 1, "the first process is gone"
    last = container_state(cluster.get("pod", "survivor", namespace))["lastState"]["terminated"]
    assert last["exitCode"] == 137


def test_pods_outlive_the_api_server(cluster: Cluster, namespace: str) -> None:
    cluster.apply(build_pod("steady", namespace, "exec sleep 1000"))
    wait_for(lambda: is_ready(cluster.get("pod", "steady", namespace)), 20, "pod steady Ready")
    cluster.stop_apiserver()
    try:
        assert cluster.components()["kube-apiserver"]["pid"] is None
    finally:
        cluster.start_apiserver()
    cluster.apply(build_pod("later", namespace, "exec sleep 1000"))
    wait_for(lambda: is_ready(cluster.get("pod", "later", namespace)), 30, "pod later Ready")
    steady = cluster.get("pod", "steady", namespace)
    assert (is_ready(steady), container_state(steady)["restartCount"]) == (True, 0)


def test_a_rebooted_machine_keeps_its_disk(cluster: Cluster, namespace: str) -> None:
    machine = cluster.node("gpu-1")
    before = machine.boot_id
    cluster.apply(_with_disk(namespace))
    assert _booted(cluster, namespace) == [before]
    machine.reboot()
    wait_for(lambda: _restarts(cluster, namespace, "disk") == 1, 30, "the pod after the reboot")
    assert cluster.get("node", "gpu-1")["status"]["nodeInfo"]["bootID"] == machine.boot_id != before
    assert _booted(cluster, namespace) == [machine.boot_id, "mark"]


@pytest.mark.parametrize("recreate", [False, True], ids=["same Node", "Node made anew"])
def test_a_reimaged_machine_has_an_empty_disk_and_another_boot_id(
    cluster: Cluster, namespace: str, recreate: bool
) -> None:
    machine = cluster.node("gpu-1")
    before, uid = machine.boot_id, cluster.get("node", "gpu-1")["metadata"]["uid"]
    cluster.apply(_with_disk(namespace))
    assert _booted(cluster, namespace) == [before]
    machine.reimage(recreate=recreate)
    wait_for(lambda: _restarts(cluster, namespace, "disk") == 1, 30, "the pod after the re-imaging")
    assert _booted(cluster, namespace) == [machine.boot_id]
    wait_for(lambda: is_ready(cluster.get("node", "gpu-1")), 20, "node gpu-1 Ready")
    node = cluster.get("node", "gpu-1")
    assert node["status"]["nodeInfo"]["bootID"] == machine.boot_id != before
    assert (node["metadata"]["uid"] != uid) is recreate


def test_a_kubelet_may_not_set_the_labels_closed_to_it(cluster: Cluster) -> None:
    kubelet = ("--as=system:node:gpu-0", "--as-group=system:nodes")
    cluster.kubectl("label", "node", "gpu-0", "escadre.test/mine=1", *kubelet)
    with pytest.raises(CommandError, match="is not allowed to modify labels"):
        cluster.kubectl("label", "node", "gpu-0", "x.node-restriction.kubernetes.io/y=1", *kubelet)
    cluster.kubectl("label", "node", "gpu-0", "escadre.test/mine-")


def test_every_request_is_in_the_audit_log_with_its_user(cluster: Cluster, namespace: str) -> None:
    user = f"system:serviceaccount:{namespace}:default"
    with pytest.raises(CommandError, match="forbidden"):
        cluster.kubectl("get", "secrets", "-n", namespace, f"--as={user}")

    def recorded() -> list[dict[str, Any]]:
        whole, _, _ = cluster.audit_log.read_text().rpartition("\n")  # a line may be half there
        mine = [json.loads(line) for line in whole.splitlines() if user in line]
        return [one for one in mine if one.get("impersonatedUser", {}).get("username") == user]

    asked = wait_for(recorded, 10, f"a recorded request of {user}")
    assert asked[-1]["objectRef"]["resource"] == "secrets"
    assert (asked[-1]["verb"], asked[-1]["responseStatus"]["code"]) == ("list", 403)
