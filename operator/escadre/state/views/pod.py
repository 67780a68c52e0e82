"""The view of a pod."""

from dataclasses import dataclass
from typing import Final

from escadre.api.deployment import REPLICA_WORDS
from escadre.core.engines.lastwords import ended
from escadre.core.replicas.silence import Probe, Silence, silence
from escadre.names import LABEL_COMPONENT, LABEL_DEPLOYMENT, LABEL_INPUTS, LABEL_SERVING, LABEL_SLOT
from escadre.state.views.meta import GPU_RESOURCE, Json, Meta, epoch, meta_of

__all__ = ["PodView", "last_end"]

_SLOT_DIGITS = 6
_SAME_MOMENT_SECONDS = 2  # of two times that are written in whole seconds, one after the other
_NOT_MADE: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
    }
)


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
    placed: float  # when it got its node
    unstarted: str  # what its container waits for before it begins, "" once it began
    failing: str
    loading: bool  # its engine runs and never was ready
    grace: int  # seconds given to end in, once it is being deleted
    silence: Silence | None
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
        containers = status.get("containerStatuses") or []
        hangs = _silence(spec, containers, ready)
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
            placed=epoch(scheduled.get("lastTransitionTime"))
            if scheduled.get("status") == "True"
            else 0.0,
            unstarted=_unstarted(containers),
            # How it ended before it was ready again is not why it hangs now.
            failing=""
            if hangs
            else REPLICA_WORDS.cut(_failing(containers, leaving="deletionTimestamp" in meta)),
            loading=_loading(containers, ready),
            grace=meta.get("deletionGracePeriodSeconds") or 0,
            silence=hangs,
            gpus=_gpus(spec),
        )


def _unstarted(containers: list[Json]) -> str:
    for one in containers:
        state = one.get("state") or {}
        if state.get("running") or last_end(one):
            return ""
        if state.get("waiting"):
            return state["waiting"].get("reason") or "waiting"
    return "its kubelet tells nothing of it"


def _loading(containers: list[Json], ready: Json) -> bool:
    """Whether a container runs that was never ready.

    ``started`` is the kubelet's word that the startup probe has passed. It forgets it when it is
    started anew itself, so the pod must not have turned unready after its container began.
    """
    if ready.get("status") == "True":
        return False
    turned = epoch(ready.get("lastTransitionTime"))
    for one in containers:
        running = (one.get("state") or {}).get("running")
        if running is not None and one.get("started") is False:
            return turned <= epoch(running.get("startedAt")) + _SAME_MOMENT_SECONDS
    return False


def _silence(spec: Json, containers: list[Json], ready: Json) -> Silence | None:
    """Of a pod that turned unready while its container runs and is not ready itself.

    With a container that is ready the pod was marked from outside: its node is lost.
    """
    turned = epoch(ready.get("lastTransitionTime"))
    if ready.get("status") != "False" or not turned:
        return None
    for one, made in zip(containers, spec.get("containers") or [], strict=False):
        running = (one.get("state") or {}).get("running") or {}
        began = epoch(running.get("startedAt"))
        if not began or not one.get("started") or one.get("ready") or "livenessProbe" not in made:
            continue
        if turned > began + _SAME_MOMENT_SECONDS:
            liveness = made["livenessProbe"]
            grace = liveness.get("terminationGracePeriodSeconds")
            if grace is None:
                grace = spec.get("terminationGracePeriodSeconds", 30)
            return silence(turned, _probe(made.get("readinessProbe")), _probe(liveness), grace)
    return None


def _probe(spec: Json | None) -> Probe:
    if spec is None:
        return Probe()
    return Probe(
        spec.get("periodSeconds", 10),
        spec.get("failureThreshold", 3),
        spec.get("timeoutSeconds", 1),
    )


def _failing(containers: list[Json], *, leaving: bool) -> str:
    """Why a container is not running, in the words of the kubelet and the engine.

    One that ends while its pod leaves does as it was told; any other end is a failure, whatever
    its exit code: an engine that dies at run time exits with 0.
    """
    for one in containers:
        state, last = one.get("state") or {}, one.get("lastState") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason") in _NOT_MADE:
            return f"{waiting['reason']}: {waiting.get('message', '')}".strip()
        end = state.get("terminated") or last.get("terminated")
        if not end or one.get("ready"):
            continue
        if end.get("exitCode", 0) or not leaving:
            return _words(end, one)
    return ""


def last_end(container: Json) -> str:
    """How a container ended the last time, of its status; "" when it never did."""
    state, last = container.get("state") or {}, container.get("lastState") or {}
    end = state.get("terminated") or last.get("terminated")
    return _words(end, container) if end else ""


def _words(end: Json, container: Json) -> str:
    span = epoch(end.get("startedAt")), epoch(end.get("finishedAt"))
    said = (end.get("exitCode", 0), end.get("reason") or "", end.get("message") or "")
    return ended(said, span, container.get("restartCount", 0))


def _gpus(spec: Json) -> int:
    def of(container: Json) -> int:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        return int(requests.get(GPU_RESOURCE, limits.get(GPU_RESOURCE, 0)))

    running = sum(of(one) for one in spec.get("containers") or [])
    starting = max((of(one) for one in spec.get("initContainers") or []), default=0)
    return max(running, starting)
