"""What a person would look for when a step of the demo has failed: printed, and kept in a folder.

States of all pods, the last words of those that failed, what the deployments say, components that
ended, and where the logs lie. Called by the demo after a failure; it changes nothing in the
cluster, and what cannot be read (a cluster may be half there) is one line instead.
"""

import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from e2e.cluster.control import ControlError
from e2e.cluster.podstates import FailedContainer, PodState, state_of
from e2e.stage.stage import Json, Stage

__all__ = ["keep_logs", "tell"]

_LAST_LINES = 8
MODEL_DEPLOYMENTS = "modeldeployments.escadre.dev"
_SOON = "--request-timeout=10s"
_PODS = 4  # that are quoted; the others are most likely of the same workload

Say = Callable[[str], None]


def tell(stage: Stage, say: Say) -> None:
    """All of it, each part by itself."""
    for part in (_pods, _deployments, _components, _mirror):
        try:
            for line in part(stage):
                say(line)
        except (AssertionError, RuntimeError, OSError, LookupError, ValueError) as error:
            say(f"{part.__name__.strip('_')}: {str(error).strip() or type(error).__name__}")
        except subprocess.TimeoutExpired as error:
            say(f"{part.__name__.strip('_')}: no answer within {error.timeout:g} s")


def _pods(stage: Stage) -> Iterator[str]:
    pods = [state_of(pod) for pod in stage.cluster.list("pods", "-A", _SOON)]
    yield "pods:" if pods else "pods: none"
    for pod in sorted(pods, key=lambda one: (one.is_ready, one.full_name)):
        yield f"  {pod.full_name}: {pod.state}"
    unwell = sorted((pod for pod in pods if pod.failed), key=lambda one: one.is_ready)
    for pod in unwell[:_PODS]:
        for container in pod.failed:
            yield from _last_words(stage, pod, container)


def _last_words(stage: Stage, pod: PodState, container: FailedContainer) -> Iterator[str]:
    yield f"last words of {pod.full_name}, container {container.name} ({container.how}):"
    log = _quoted(_log(stage, pod, container.name))
    yield from log or [f"  {container.message.strip() or '(it said nothing)'}"]


def _log(stage: Stage, pod: PodState, container: str) -> Path:
    folders = stage.cluster.state.pods.glob(f"{pod.namespace}_{pod.name}_*")
    return next(folders, Path("nowhere")) / f"{container}.log"


def _quoted(log: Path) -> list[str]:
    """The last lines of a log; what it says again and again is quoted once."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    runs = [(line, len(list(same))) for line, same in itertools.groupby(lines)]
    return [
        f"  | {line}" + (f"  ({times} times)" if times > 1 else "")
        for line, times in runs[-_LAST_LINES:]
    ]


def _deployments(stage: Stage) -> Iterator[str]:
    """What ``escadre why`` says of each that is not Ready; nothing before the chart is there."""
    crd = ("get", "crd", MODEL_DEPLOYMENTS, "--ignore-not-found", "-o", "name", _SOON)
    if not stage.cluster.kubectl(*crd):
        return
    for one in stage.cluster.list(MODEL_DEPLOYMENTS, "-A", _SOON):
        if not _is_ready(one):
            name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
            yield f"escadre why {name} -n {namespace}:"
            done = stage.escadre("why", name, "-n", namespace, check=False)
            yield from (f"  {line}" for line in (done.stdout or done.stderr).splitlines())


def _is_ready(mdep: Json) -> bool:
    conditions = mdep.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _components(stage: Stage) -> Iterator[str]:
    """Parts of the control plane that ended or do not run."""
    try:
        found = stage.cluster.components()
    except ControlError:
        yield "the cluster's supervisor does not answer"
        return
    for name, one in found.items():
        if one["pid"] is None or one["starts"] != 1:
            runs = "does not run" if one["pid"] is None else f"was started {one['starts']} times"
            yield f"{name} {runs}:"
            yield from _quoted(stage.cluster.state.logs / f"{name}.log")


def _mirror(stage: Stage) -> Iterator[str]:
    """The mirror is a process of the demo's, and its end is nobody else's to tell."""
    if stage.mirror_ended:
        yield "the mirror has ended:"
        yield from _quoted(stage.folder / "mirror.log")


def keep_logs(stage: Stage, folder: Path) -> bool:
    """Copy the logs of components and pods to ``folder``; False when there are none."""
    state = stage.cluster.state
    shutil.rmtree(folder, ignore_errors=True)
    logs = {log: Path("components") / log.name for log in state.logs.glob("*.log")}
    logs |= {log: Path("pods") / log.parent.name / log.name for log in state.pods.glob("*/*.log")}
    logs |= {log: Path(log.name) for log in stage.folder.glob("*.log")}
    for log, place in logs.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, folder / place)
    return bool(logs)
