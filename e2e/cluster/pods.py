"""Small pods for tests of the cluster and of what runs in it: built, read, waited for."""

from typing import Any

from e2e.cluster.cluster import Cluster
from e2e.cluster.wait import wait_for

__all__ = [
    "PYTHON",
    "SHELL",
    "build_pod",
    "container_state",
    "is_ready",
    "until_gone",
    "until_over",
]

SHELL = "escadre.test/shell:1"
PYTHON = "escadre.test/python:1"


def build_pod(
    name: str,
    namespace: str,
    script: str,
    *,
    image: str = SHELL,
    labels: dict[str, str] | None = None,
    spec: dict[str, Any] | None = None,
    **container: Any,
) -> dict[str, Any]:
    """A pod with one container ``main`` that runs a shell script (or Python's, by the image)."""
    main = {"name": "main", "image": image, "args": ["-c", script], **container}
    defaults = {"terminationGracePeriodSeconds": 5}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": {**defaults, **(spec or {}), "containers": [main]},
    }


def container_state(pod: dict[str, Any]) -> dict[str, Any]:
    """Status of a pod's first container; empty while there is none."""
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    first: dict[str, Any] = statuses[0]
    return first


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether the condition Ready is True."""
    return any(
        one["type"] == "Ready" and one["status"] == "True"
        for one in pod.get("status", {}).get("conditions", ())
    )


def until_over(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """Wait until a pod that runs once has ended, and return it."""

    def over() -> dict[str, Any] | None:
        pod = cluster.get("pod", name, namespace)
        return pod if pod["status"].get("phase") in ("Succeeded", "Failed") else None

    pod: dict[str, Any] = wait_for(over, 30, f"end of pod {name}")
    return pod


def until_gone(cluster: Cluster, namespace: str, name: str) -> None:
    """Wait until a pod is removed."""
    query = ("get", "pod", name, "-n", namespace, "--ignore-not-found", "-o", "name")
    wait_for(lambda: not cluster.kubectl(*query), 30, f"removal of pod {name}")
