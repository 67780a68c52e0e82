"""Builds ``status`` of a pod from what its containers do, as a kubelet writes it. Pure.

The pod worker keeps one ``ContainerView`` per container up to date; everything else follows.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["ContainerView", "Terminated", "build_status", "timestamp"]

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]


def timestamp(seconds: float) -> str:
    """A time of the API: seconds since the epoch to RFC 3339."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Terminated:
    """How a container ended."""

    exit_code: int
    reason: str
    message: str
    started_at: float
    finished_at: float
    container_id: str

    def as_json(self) -> dict[str, Any]:
        """The API's form."""
        document: dict[str, Any] = {
            "exitCode": self.exit_code,
            "reason": self.reason,
            "startedAt": timestamp(self.started_at),
            "finishedAt": timestamp(self.finished_at),
            "containerID": self.container_id,
        }
        if self.message:
            document["message"] = self.message
        return document


@dataclass(slots=True)
class ContainerView:
    """What the status says about one container."""

    name: str
    image: str
    waiting: tuple[str, str] | None = ("ContainerCreating", "")
    running_since: float | None = None
    terminated: Terminated | None = None
    last: dict[str, Any] = field(default_factory=dict)
    restarts: int = 0
    started: bool = False
    ready: bool = False
    container_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """The API's form."""
        state: dict[str, Any]
        if self.running_since is not None:
            state = {"running": {"startedAt": timestamp(self.running_since)}}
        elif self.waiting is None and self.terminated is not None:
            state = {"terminated": self.terminated.as_json()}
        else:
            reason, message = self.waiting or ("ContainerCreating", "")
            state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image if self.container_id else "",
            "containerID": self.container_id,
            "state": state,
            "lastState": self.last,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
        }


def _phase(init: list[ContainerView], main: list[ContainerView], policy: str) -> Phase:
    ended = [view.terminated for view in main if view.terminated is not None]
    failed_init = [one for one in init if one.terminated and one.terminated.exit_code != 0]
    if failed_init and policy == "Never":
        return "Failed"
    if len(ended) == len(main) and policy != "Always":
        failed = any(one.exit_code != 0 for one in ended)
        if not failed:
            return "Succeeded"
        if policy == "Never":
            return "Failed"
    seen = any(
        view.running_since is not None or view.terminated is not None or view.last for view in main
    )
    return "Running" if seen else "Pending"


def _verdicts(
    init: list[ContainerView], main: list[ContainerView], phase: Phase, address: str
) -> dict[str, tuple[bool, str, str]]:
    """Condition type to (status, reason, message)."""
    unfinished = [
        view.name for view in init if view.terminated is None or view.terminated.exit_code != 0
    ]
    unready = [view.name for view in main if not view.ready]
    initialized = (
        (False, "ContainersNotInitialized", f"containers with incomplete status: {unfinished}")
        if unfinished and not any(view.running_since for view in main)
        else (True, "", "")
    )
    ready = (
        (False, "ContainersNotReady", f"containers with unready status: {unready}")
        if unready
        else (True, "", "")
    )
    if phase == "Succeeded":
        initialized = (True, "PodCompleted", "")
        ready = (False, "PodCompleted", "")
    elif phase == "Failed":
        ready = (False, "PodFailed", "")
    return {
        "PodReadyToStartContainers": (bool(address), "", ""),
        "Initialized": initialized,
        "Ready": ready,
        "ContainersReady": ready,
    }


def _conditions(
    verdicts: dict[str, tuple[bool, str, str]], previous: dict[str, dict[str, Any]], now: float
) -> list[dict[str, Any]]:
    conditions = []
    for kind, (value, reason, message) in verdicts.items():
        status = "True" if value else "False"
        old = previous.get(kind)
        since = old["lastTransitionTime"] if old and old["status"] == status else timestamp(now)
        # An apply keeps a field it does not name, so an empty reason is sent as one.
        condition: dict[str, Any] = {
            "type": kind,
            "status": status,
            "lastTransitionTime": since,
            "reason": reason or None,
            "message": message or None,
        }
        conditions.append(condition)
    return conditions


def build_status(
    pod: dict[str, Any],
    init: list[ContainerView],
    main: list[ContainerView],
    *,
    address: str,
    host_address: str,
    previous: dict[str, dict[str, Any]],
    ended: bool,
    now: float,
) -> dict[str, Any]:
    """The status to patch; ``previous`` conditions by type, ``ended``: nothing starts again."""
    policy = "Never" if ended else pod["spec"].get("restartPolicy", "Always")
    phase = _phase(init, main, policy)
    status: dict[str, Any] = {
        "phase": phase,
        "hostIP": host_address,
        "hostIPs": [{"ip": host_address}],
        "startTime": pod.get("status", {}).get("startTime") or timestamp(now),
        "observedGeneration": pod["metadata"].get("generation"),
        "conditions": _conditions(_verdicts(init, main, phase, address), previous, now),
        "containerStatuses": [view.as_json() for view in main],
        "qosClass": pod.get("status", {}).get("qosClass", "BestEffort"),
    }
    if init:
        status["initContainerStatuses"] = [view.as_json() for view in init]
    if address:
        status["podIP"] = address
        status["podIPs"] = [{"$patch": "replace"}, {"ip": address}]
    return status
