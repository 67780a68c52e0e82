"""What an upgrade must not touch: engines, what made them, and the weights on the nodes' disks."""

from dataclasses import dataclass
from pathlib import Path

from e2e.stage.stage import TEAM, Json, Stage

__all__ = ["Engine", "Standing"]

Identity = tuple[int, int, int]  # inode, ctime in nanoseconds, size
_KEPT = ("blobs", "manifests", "models", "records")


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine's pod by name; a restart of its container is counted by its kubelet."""

    pod: str
    restarts: int
    ending: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of one moment; two of them are compared.

    ``engines`` by uid, ``workloads`` by name with what the operator says of them, ``stores`` by
    node with every file that the agent verified or recorded, ``wants`` by node as the operator told
    it of weights.
    """

    engines: dict[str, Engine]
    workloads: dict[str, Json]
    stores: dict[str, dict[str, Identity]]
    wants: dict[str, list[Json]]

    @staticmethod
    def of(stage: Stage) -> "Standing":
        """Now."""
        nodes = [spec.name for spec in stage.cluster.config.nodes if spec.gpus]
        return Standing(
            engines={pod["metadata"]["uid"]: _engine(pod) for pod in _children(stage, "pods")},
            workloads={
                one["metadata"]["name"]: _intent(one) for one in _children(stage, "deployments")
            },
            stores={name: _files(stage.cluster.node(name).root) for name in nodes},
            wants={
                one["metadata"]["name"]: one["spec"].get("weights", [])
                for one in stage.cluster.list("gpunodes")
            },
        )


def _children(stage: Stage, kind: str) -> list[Json]:
    return stage.cluster.list(kind, "-n", TEAM, "-l", "app.kubernetes.io/managed-by=escadre")


def _engine(pod: Json) -> Engine:
    states = pod["status"].get("containerStatuses", [])
    meta, restarts = pod["metadata"], sum(one["restartCount"] for one in states)
    return Engine(meta["name"], restarts, ending="deletionTimestamp" in meta)


def _intent(workload: Json) -> Json:
    meta = workload["metadata"]
    kept = {
        key: value
        for key, value in meta["annotations"].items()
        if not key.startswith("deployment.kubernetes.io/")
    }
    return {
        "uid": meta["uid"],
        "generation": meta["generation"],
        "labels": meta["labels"],
        "annotations": kept,
        "spec": workload["spec"],
    }


def _files(root: Path) -> dict[str, Identity]:
    store = root / "var/lib/escadre"
    paths = [store / "store.json", *(path for one in _KEPT for path in (store / one).rglob("*"))]
    found = {}
    for path in paths:
        if path.is_file():
            stat = path.lstat()
            found[str(path.relative_to(store))] = (stat.st_ino, stat.st_ctime_ns, stat.st_size)
    return found
