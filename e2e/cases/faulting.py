"""What the fault cases share: look at a deployment's children, clear them, break processes.

Called by the test_faults_* cases only; it asserts nothing about the product.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.config import python_environment
from e2e.cluster.pods import is_ready
from e2e.cluster.wait import patience, wait_for
from e2e.engine.standin.core import NAME as CORE
from e2e.stage.stage import NAMESPACE, TEAM, Json, Stage

__all__ = [
    "clear",
    "engine_pods",
    "engine_process",
    "frozen",
    "kill_main_process",
    "leader",
    "mirror_fault",
    "no_internal_errors",
    "ready",
    "ready_pod",
    "restarts",
    "scale_operators",
    "until_cleared",
    "until_rolled_out",
    "why",
]

_OPERATORS = "app.kubernetes.io/component=operator"


def engine_pods(stage: Stage, name: str, namespace: str = TEAM) -> list[Json]:
    """The engine pods of a deployment that are not being deleted."""
    selector = f"escadre.dev/deployment={name},escadre.dev/component=engine"
    pods = stage.cluster.list("pods", "-n", namespace, "-l", selector)
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def ready(stage: Stage, name: str, namespace: str = TEAM, deadline: float = 90) -> Json:
    """Waits until a deployment is Ready at its present generation, and returns it."""

    def seen() -> Json | None:
        found = stage.mdep(name, namespace)
        for one in found.get("status", {}).get("conditions", ()):
            if one["type"] == "Ready" and one["status"] == "True":
                now = one.get("observedGeneration") == found["metadata"]["generation"]
                return found if now else None
        return None

    found: Json = wait_for(
        seen, deadline, f"{name} to be ready", lambda: stage.condition(name, "Ready", namespace)
    )
    return found


def ready_pod(stage: Stage, name: str, *, other_than: str = "", deadline: float = 60) -> Json:
    """Waits for a Ready engine pod, of another uid if one is given."""

    def seen() -> Json | None:
        return next(
            (
                pod
                for pod in engine_pods(stage, name)
                if is_ready(pod) and pod["metadata"]["uid"] != other_than
            ),
            None,
        )

    found: Json = wait_for(seen, deadline, f"a ready pod of {name}")
    return found


def why(stage: Stage, name: str, namespace: str = TEAM) -> str:
    """What ``escadre why`` says, on one line."""
    done = stage.escadre("why", name, "-n", namespace, check=False, width=2000)
    return " ".join(done.stdout.split())


def clear(stage: Stage, *names: str, namespace: str = TEAM) -> None:
    """Deletes deployments; their engines take some seconds more to leave."""
    stage.cluster.kubectl("delete", "mdep", *names, "-n", namespace, "--ignore-not-found")


def until_cleared(stage: Stage, name: str, namespace: str = TEAM) -> None:
    """Waits until nothing of a deployment is left."""

    def gone() -> bool:
        kinds = "deployments,services,pvc,pods,pdb,networkpolicies"
        children = f"escadre.dev/deployment={name}"
        owner = f"escadre.dev/owner-namespace={namespace},escadre.dev/owner-name={name}"
        left = stage.cluster.list(kinds, "-n", namespace, "-l", children)
        return not left and not stage.cluster.list("pv", "-l", owner)

    wait_for(gone, 60, f"everything of {name} to be gone")


def mirror_fault(stage: Stage, *words: str) -> None:
    """Adds a fault to the stage's mirror; without words takes all away."""
    command = [sys.executable, "-m", "e2e.engine.mirror", "fault", "--url", stage.mirror_url]
    stage.cluster.run_in_netns([*command, *words], env={**os.environ, **python_environment()})


def kill_main_process(pod: Json) -> None:
    """SIGKILL to the first process of the pod's container, as the kernel's OOM killer does."""
    os.kill(_main_process(pod["metadata"]["name"]), signal.SIGKILL)


@contextmanager
def frozen(pod: str) -> Iterator[None]:
    """Stops the first process of that pod's container for a while."""
    process = _main_process(pod)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def _main_process(name: str) -> int:

    def is_main(folder: Path) -> bool:
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            status = (folder / "status").read_text()
        except OSError:
            return False  # ended meanwhile
        ids = next((line for line in status.splitlines() if line.startswith("NSpid:")), "")
        return f"HOSTNAME={name}".encode() in variables and ids.split()[-1:] == ["1"]

    folders = (one for one in Path("/proc").iterdir() if one.name.isdigit())
    found = [int(folder.name) for folder in folders if is_main(folder)]
    assert len(found) == 1, f"pod {name} has {len(found)} main processes on this machine"
    return found[0]


def engine_process(pod: Json, *, core: bool = False) -> int:
    """Process of this machine that plays the pod's engine: its server, or what computes for it."""
    uid = pod["metadata"]["uid"]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"e2e.engine.standin" not in words[1:3]:
                continue
            is_core = (folder / "comm").read_text().strip() == CORE
            if is_core == core and uid in (folder / "mountinfo").read_text():
                return int(folder.name)
        except OSError:
            continue  # ended meanwhile
    raise AssertionError(f"no engine process of pod {pod['metadata']['name']}")


def restarts(stage: Stage, pod: Json) -> int:
    """How often the containers of a pod were started again."""
    meta = pod["metadata"]
    found = stage.cluster.get("pod", meta["name"], meta["namespace"])
    return sum(one["restartCount"] for one in found["status"].get("containerStatuses", ()))


def leader(stage: Stage) -> str:
    """Name of the operator pod that holds the Lease, "" while none does."""
    lease = stage.cluster.get("lease", "escadre-operator", NAMESPACE)
    holder: str = lease["spec"].get("holderIdentity") or ""
    return holder.split("_", maxsplit=1)[0]


def until_rolled_out(stage: Stage, workload: str) -> None:
    """Waits until a workload of escadre runs as it is wished for."""
    limit = f"--timeout={90 * patience():g}s"
    stage.cluster.kubectl("rollout", "status", workload, "-n", NAMESPACE, limit)


def scale_operators(stage: Stage, count: int) -> None:
    """Another number of operators; returns when so many are ready and no other is there."""
    operators = ("deployment", "escadre-operator", "-n", NAMESPACE)
    stage.cluster.kubectl("scale", *operators, f"--replicas={count}")

    def there() -> bool:
        pods = stage.cluster.list("pods", "-n", NAMESPACE, "-l", _OPERATORS)
        staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return len(pods) == len(staying) == count and all(map(is_ready, pods))

    wait_for(there, 60, f"{count} operators")


def no_internal_errors(stage: Stage) -> None:
    """No operator met a case it does not know."""
    for pod in stage.cluster.list("pods", "-n", NAMESPACE, "-l", _OPERATORS):
        log = stage.cluster.pod_log(NAMESPACE, pod["metadata"]["name"], "operator")
        assert "InternalError" not in log, log[-4000:]
