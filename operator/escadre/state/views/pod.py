"""The view of a pod."""

from dataclasses import dataclass

from escadre.api.deployment import REPLICA_WORDS
from escadre.names import LABEL_COMPONENT, LABEL_DEPLOYMENT, LABEL_INPUTS, LABEL_SERVING, LABEL_SLOT
from escadre.state.views.meta import GPU_RESOURCE, Json, Meta, epoch, meta_of

__all__ = ["PodView"]

_SLOT_DIGITS = 6


@dataclass(frozen=True, slots=True)
class PodView(Meta):
    """A pod: where it is, how its container does, and which GPUs it asks for."""

    component: str
    deployment: str
    slot: int | None
    inputs: str
    serving: bool
    controller: str
    node: str
    ip: str
    phase: str
    ready: bool
    ready_changed: float
    unscheduled: str
    failing: str
    gpus: int

    @property
    def finished(self) -> bool:
        """Whether it holds no resources any more."""
        return self.phase in {"Succeeded", "Failed"}

    @staticmethod
    def of(obj: Json) -> "PodView":
        """Projection."""
        meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
        labels = meta.get("labels") or {}
        conditions = {one["type"]: one for one in status.get("conditions") or []}
        ready = conditions.get("Ready") or {}
        scheduled = conditions.get("PodScheduled") or {}
        slot = labels.get(LABEL_SLOT, "")
        return PodView(
            **meta_of(obj),
            component=labels.get(LABEL_COMPONENT, ""),
            deployment=labels.get(LABEL_DEPLOYMENT, ""),
            slot=int(slot) if slot.isdecimal() and len(slot) <= _SLOT_DIGITS else None,
            inputs=labels.get(LABEL_INPUTS, ""),
            serving=labels.get(LABEL_SERVING) == "true",
            controller=next(
                (one["name"] for one in meta.get("ownerReferences") or [] if one.get("controller")),
                "",
            ),
            node=spec.get("nodeName", ""),
            ip=status.get("podIP", ""),
            phase=status.get("phase", ""),
            ready=ready.get("status") == "True",
            ready_changed=epoch(ready.get("lastTransitionTime")),
            unscheduled=scheduled.get("message", "") if scheduled.get("status") == "False" else "",
            failing=REPLICA_WORDS.cut(_failing(status.get("containerStatuses") or [])),
            gpus=_gpus(spec),
        )


def _failing(containers: list[Json]) -> str:
    """Why a container is not running, in the words of the kubelet and the engine."""
    for one in containers:
        state, last = one.get("state") or {}, one.get("lastState") or {}
        waiting = state.get("waiting") or {}
        ended = state.get("terminated") or last.get("terminated") or {}
        if waiting.get("reason") in {
            "ErrImagePull",
            "ImagePullBackOff",
            "InvalidImageName",
            "CreateContainerConfigError",
            "CreateContainerError",
        }:
            return f"{waiting['reason']}: {waiting.get('message', '')}".strip()
        if ended and not one.get("ready") and ended.get("exitCode", 0) != 0:
            times = one.get("restartCount", 0)
            words = (ended.get("message") or ended.get("reason") or "").strip()
            return f"exited with {ended['exitCode']}, {times} restarts: {words}"
    return ""


def _gpus(spec: Json) -> int:
    def of(container: Json) -> int:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        return int(requests.get(GPU_RESOURCE, limits.get(GPU_RESOURCE, 0)))

    running = sum(of(one) for one in spec.get("containers") or [])
    starting = max((of(one) for one in spec.get("initContainers") or []), default=0)
    return max(running, starting)
