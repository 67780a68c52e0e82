"""What the caches keep of each object: frozen, small, parsed once when it arrives.

Pure projections from the JSON of the API server; nothing here decides anything. An object that
does not parse keeps its error, so that the reconcile can say so instead of failing.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from escadre.api.approval import ModelApprovalSpec
from escadre.api.deployment import ModelDeploymentSpec
from escadre.api.gpunode import GPUNodeStatus
from escadre.api.mirror import ModelMirrorSpec
from escadre.core.approval import Signature, content_digest
from escadre.names import LABEL_COMPONENT, LABEL_DEPLOYMENT, LABEL_INPUTS, LABEL_SERVING, LABEL_SLOT

__all__ = [
    "ApprovalView",
    "DeploymentView",
    "GPUNodeView",
    "MirrorView",
    "NamespaceView",
    "NodeView",
    "PodView",
    "PolicyView",
    "SignatureView",
    "epoch",
]

Json = Mapping[str, Any]
GPU_RESOURCE = "nvidia.com/gpu"
_SLOT_DIGITS = 6
_SHORT = 64


def epoch(text: str | None) -> float:
    """Seconds since the epoch of a Kubernetes time; 0 when there is none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"spec.{where}: {first['msg']}"


def _shared(value: Any) -> Any:
    """The same value, its keys and short strings kept once for all objects that have them."""
    if isinstance(value, dict):
        return {sys.intern(key): _shared(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shared(inner) for inner in value]
    return sys.intern(value) if isinstance(value, str) and len(value) <= _SHORT else value


@dataclass(frozen=True, slots=True)
class _Meta:
    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: float
    terminating: bool


def _meta(obj: Json) -> dict[str, Any]:
    meta = obj["metadata"]
    return {
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "uid": meta["uid"],
        "resource_version": meta["resourceVersion"],
        "generation": int(meta.get("generation", 0)),
        "created": epoch(meta.get("creationTimestamp")),
        "terminating": "deletionTimestamp" in meta,
    }


@dataclass(frozen=True, slots=True)
class DeploymentView(_Meta):
    """A ModelDeployment. ``spec`` is None when it does not parse; ``invalid`` says why."""

    spec: ModelDeploymentSpec | None
    invalid: str
    status: Json

    @staticmethod
    def of(obj: Json) -> "DeploymentView":
        """Projection."""
        try:
            spec, invalid = ModelDeploymentSpec.model_validate(obj.get("spec") or {}), ""
        except ValidationError as error:
            spec, invalid = None, _explain(error)
        return DeploymentView(
            **_meta(obj), spec=spec, invalid=invalid, status=_shared(obj.get("status") or {})
        )


@dataclass(frozen=True, slots=True)
class ApprovalView(_Meta):
    """A ModelApproval and the digest of its spec as stored."""

    spec: ModelApprovalSpec | None
    invalid: str
    content_digest: str
    status: Json

    @staticmethod
    def of(obj: Json) -> "ApprovalView":
        """Projection."""
        raw = obj.get("spec") or {}
        try:
            spec, invalid = ModelApprovalSpec.model_validate(raw), ""
        except ValidationError as error:
            spec, invalid = None, _explain(error)
        return ApprovalView(
            **_meta(obj),
            spec=spec,
            invalid=invalid,
            content_digest=content_digest(raw),
            status=obj.get("status") or {},
        )


@dataclass(frozen=True, slots=True)
class SignatureView(_Meta):
    """A ModelSignature."""

    signature: Signature

    @staticmethod
    def of(obj: Json) -> "SignatureView":
        """Projection; the CRD makes every field required."""
        meta, spec = _meta(obj), obj["spec"]
        return SignatureView(
            **meta,
            signature=Signature(
                name=meta["name"],
                approval=spec["approval"],
                by=spec["by"],
                decision=spec["decision"],
                content_digest=spec["contentDigest"],
                created=meta["created"],
                reason=spec.get("reason", ""),
            ),
        )


@dataclass(frozen=True, slots=True)
class MirrorView(_Meta):
    """A ModelMirror."""

    spec: ModelMirrorSpec | None

    @staticmethod
    def of(obj: Json) -> "MirrorView":
        """Projection."""
        try:
            spec = ModelMirrorSpec.model_validate(obj.get("spec") or {})
        except ValidationError:
            spec = None
        return MirrorView(**_meta(obj), spec=spec)


@dataclass(frozen=True, slots=True)
class GPUNodeView(_Meta):
    """A GPUNode."""

    node_uid: str  # of the owning Node
    labels: Mapping[str, str]
    spec: Json
    status: GPUNodeStatus

    @staticmethod
    def of(obj: Json) -> "GPUNodeView":
        """Projection; a status that does not parse is no status."""
        try:
            status = GPUNodeStatus.model_validate(obj.get("status") or {})
        except ValidationError:
            status = GPUNodeStatus()
        owners = obj["metadata"].get("ownerReferences") or []
        return GPUNodeView(
            **_meta(obj),
            node_uid=next((one["uid"] for one in owners if one["kind"] == "Node"), ""),
            labels=obj["metadata"].get("labels") or {},
            spec=obj.get("spec") or {},
            status=status,
        )


@dataclass(frozen=True, slots=True)
class NodeView(_Meta):
    """A Node: labels, identity, GPUs, and why nothing new may go there ("" if it may)."""

    labels: Mapping[str, str]
    boot_id: str
    gpus: int
    blocked: str
    taints: tuple[Json, ...]

    def untolerated(self, tolerations: Iterable[Json]) -> str:
        """The first taint that keeps engines with these tolerations away, "" if none does."""
        wanted = tuple(tolerations)
        for taint in self.taints:
            if not any(_tolerates(toleration, taint) for toleration in wanted):
                return f"{taint['key']}:{taint['effect']}"
        return ""

    @staticmethod
    def of(obj: Json) -> "NodeView":
        """Projection."""
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        return NodeView(
            **_meta(obj),
            labels=obj["metadata"].get("labels") or {},
            boot_id=(status.get("nodeInfo") or {}).get("bootID", ""),
            gpus=int((status.get("allocatable") or {}).get(GPU_RESOURCE, 0)),
            blocked=_node_blocked(spec, status),
            # Kubernetes itself tolerates the taint of a resource for pods that ask for it, where
            # the admission plugin ExtendedResourceToleration is on.
            taints=tuple(
                taint
                for taint in spec.get("taints") or []
                if taint["effect"] in {"NoSchedule", "NoExecute"} and taint["key"] != GPU_RESOURCE
            ),
        )


def _node_blocked(spec: Json, status: Json) -> str:
    if spec.get("unschedulable"):
        return "is cordoned"
    for condition in status.get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] != "True":
            return "is not Ready"
    return ""


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in {None, "", taint["key"]}
    same = toleration.get("key") == taint["key"]
    return same and bool(toleration.get("value", "") == taint.get("value", ""))


@dataclass(frozen=True, slots=True)
class NamespaceView(_Meta):
    """A Namespace."""

    @staticmethod
    def of(obj: Json) -> "NamespaceView":
        """Projection."""
        return NamespaceView(**_meta(obj))


@dataclass(frozen=True, slots=True)
class PolicyView(_Meta):
    """A ValidatingAdmissionPolicy or its binding."""

    spec: Json

    @staticmethod
    def of(obj: Json) -> "PolicyView":
        """Projection."""
        return PolicyView(**_meta(obj), spec=obj.get("spec") or {})


@dataclass(frozen=True, slots=True)
class PodView(_Meta):
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
            **_meta(obj),
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
            failing=_failing(status.get("containerStatuses") or []),
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
            return f"{waiting['reason']}: {waiting.get('message', '')}".strip()[:1024]
        if ended and not one.get("ready") and ended.get("exitCode", 0) != 0:
            times = one.get("restartCount", 0)
            words = (ended.get("message") or ended.get("reason") or "").strip()
            return f"exited with {ended['exitCode']}, {times} restarts: {words}"[:1024]
    return ""


def _gpus(spec: Json) -> int:
    def of(container: Json) -> int:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        return int(requests.get(GPU_RESOURCE, limits.get(GPU_RESOURCE, 0)))

    running = sum(of(one) for one in spec.get("containers") or [])
    starting = max((of(one) for one in spec.get("initContainers") or []), default=0)
    return max(running, starting)
