"""What a pod's status says to a person: one line of state, and which containers have failed. Pure.

Called by the stage, which gives up on a pod that will not get up, and by the demo after a failure.
A pod comes in as the API server gives it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["FailedContainer", "GivenUpError", "PodState", "refuse_hopeless", "state_of"]

Json = dict[str, Any]

_HOPELESS_RESTARTS: Final = 3  # with a kubelet's back-off after half a minute


class GivenUpError(RuntimeError):
    """What is waited for will not come; unlike an AssertionError it ends the waiting."""


@dataclass(frozen=True, slots=True)
class FailedContainer:
    """A container that ended badly, now or at its last start."""

    name: str
    how: str
    message: str  # what it left for its reader, often nothing


@dataclass(frozen=True, slots=True)
class PodState:
    """One pod."""

    namespace: str
    name: str
    state: str
    is_ready: bool
    failed: tuple[FailedContainer, ...]

    @property
    def full_name(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"


def state_of(pod: Json) -> PodState:
    """The pod's state; the first container that keeps it from being ready speaks for it."""
    metadata, status = pod["metadata"], pod.get("status", {})
    statuses = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    conditions = {one["type"]: one for one in status.get("conditions", ())}
    is_ready = conditions.get("Ready", {}).get("status") == "True"
    return PodState(
        namespace=metadata["namespace"],
        name=metadata["name"],
        state=_state(metadata, statuses, conditions, is_ready=is_ready),
        is_ready=is_ready,
        failed=tuple(_failed(statuses)),
    )


def refuse_hopeless(pods: Iterable[Json]) -> None:
    """Raises ``GivenUpError`` for a pod that was started again and again and ends each time."""
    for pod in pods:
        found = state_of(pod)
        restarts = max(
            (
                one.get("restartCount", 0)
                for one in pod.get("status", {}).get("containerStatuses", ())
            ),
            default=0,
        )
        if found.failed and not found.is_ready and restarts >= _HOPELESS_RESTARTS:
            raise GivenUpError(f"pod {found.full_name} does not get up: {found.state}")


def _state(metadata: Json, statuses: list[Json], conditions: Json, *, is_ready: bool) -> str:
    if metadata.get("deletionTimestamp"):
        return "is being deleted"
    if is_ready:
        restarts = sum(one.get("restartCount", 0) for one in statuses)
        return f"Ready{_times(restarts)}"
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"has no node: {scheduled.get('message', '')}"
    waiting = [word for one in statuses if (word := _container(one))]
    return "; ".join(waiting) or "not started"


def _container(status: Json) -> str:
    """What a container does that is not Ready, "" for one that is."""
    state = status.get("state", {})
    times = _times(status.get("restartCount", 0))
    if terminated := state.get("terminated"):
        done = terminated["exitCode"] == 0
        return "" if done else f"{status['name']}: {_end(terminated)}{times}"
    if waiting := state.get("waiting"):
        last = status.get("lastState", {}).get("terminated")
        how = f", {_end(last)}" if last else ""
        return f"{status['name']}: {waiting['reason']}{how}{times}"
    return "" if status.get("ready") else f"{status['name']}: runs, not ready{times}"


def _times(restarts: int) -> str:
    return f", {restarts} restart{'s' * (restarts != 1)}" if restarts else ""


def _end(terminated: Json) -> str:
    code = terminated["exitCode"]
    killed = f" (signal {code - 128})" if code > 128 else ""
    return f"exit {code}{killed}"


def _failed(statuses: list[Json]) -> Iterator[FailedContainer]:
    for one in statuses:
        now, before = one.get("state", {}), one.get("lastState", {})
        ended = now.get("terminated") or before.get("terminated")
        if ended and ended["exitCode"] != 0:
            yield FailedContainer(one["name"], _end(ended), ended.get("message", ""))
        elif message := now.get("waiting", {}).get("message"):
            yield FailedContainer(one["name"], now["waiting"]["reason"], message)
