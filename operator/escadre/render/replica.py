"""The pod of a replica: an engine, its weights, where it may go.

The template is recorded on the replica's object (workload.py) and stays until the inputs change.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

from escadre.api.approval import Architecture
from escadre.api.deployment import Layout
from escadre.core.engines.lastanswer import drain_seconds
from escadre.core.replicas.inputs import ReplicaInputs
from escadre.names import (
    FIELD_MANAGER,
    GROUP,
    LABEL_DIGEST,
    LABEL_INPUTS,
    LABEL_MANAGED_BY,
    LABEL_SERVING,
    LABEL_SLOT,
    MODEL_MOUNT_PATH,
    NODE_LABEL_PRODUCT,
    SERVING_PORT,
    claim_name,
    digest_hex,
    node_weights_label,
)
from escadre.render.engine import (
    LOGGING_CONFIG,
    MIDDLEWARE,
    MIDDLEWARE_FILE,
    MOUNT_PATH,
    engine_args,
    engine_env,
    startup_seconds,
)
from escadre.render.labels import Owner, engine_selector
from escadre.settings import EngineSettings

__all__ = ["ANNOTATION_MIDDLEWARE", "ReplicaSpec", "pod_template"]

PRODUCT_LABEL: Final = "nvidia.com/gpu.product"
GPU_RESOURCE: Final = "nvidia.com/gpu"
ANNOTATION_LOGGING: Final = f"{GROUP}/logging"
ANNOTATION_MIDDLEWARE: Final = f"{GROUP}/middleware"

# Endpoints and kube-proxy need a moment to take a leaving pod out of the Service, and a server some
# seconds to close connections that nobody uses: beside the time for what is in flight.
PRE_STOP_SECONDS: Final = 5
# An engine that a probe gave up on has little to finish; a hung one would hold its GPUs until
# the end of the time to drain.
GIVEN_UP_SECONDS: Final = 30
# After its own shutdown timeout the engine still has to leave its processes and its GPU.
EXIT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class ReplicaSpec:
    """What a replica is made from. ``layout`` is the one in ``inputs``, which can be read."""

    slot: int
    inputs: ReplicaInputs
    layout: Layout
    model: Architecture
    node: str | None


def pod_template(owner: Owner, spec: ReplicaSpec, engine: EngineSettings) -> dict[str, Any]:
    """The pod template of a replica."""
    labels = {
        **engine_selector(owner),
        LABEL_MANAGED_BY: FIELD_MANAGER,
        LABEL_SLOT: str(spec.slot),
        LABEL_DIGEST: digest_hex(spec.inputs.manifest_digest)[:16],
        LABEL_INPUTS: spec.inputs.hash,
        LABEL_SERVING: "true",
    }
    drain = drain_seconds(engine.drain_seconds, spec.layout, spec.model)
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": PRE_STOP_SECONDS + drain + EXIT_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": engine.run_as_user,
            "runAsGroup": engine.run_as_user,
            "fsGroup": engine.run_as_user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {"nodeAffinity": _node_affinity(spec)},
        "containers": [_container(owner, spec, engine)],
        "volumes": _volumes(owner, spec, engine),
    }
    if engine.tolerations:
        pod["tolerations"] = engine.tolerations
    if engine.node_selector:
        pod["nodeSelector"] = engine.node_selector
    if engine.runtime_class_name:
        pod["runtimeClassName"] = engine.runtime_class_name
    if engine.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in engine.image_pull_secrets]
    return {
        "metadata": {
            "labels": labels,
            "annotations": {ANNOTATION_LOGGING: LOGGING_CONFIG, ANNOTATION_MIDDLEWARE: MIDDLEWARE},
        },
        "spec": pod,
    }


def _node_affinity(spec: ReplicaSpec) -> dict[str, Any]:
    """A node with the weights, of the product that GPU feature discovery or its agent names."""
    weights = {
        "key": node_weights_label(spec.inputs.manifest_digest),
        "operator": "In",
        "values": ["verified"],
    }
    affinity: dict[str, Any] = {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        weights,
                        {"key": label, "operator": "In", "values": [spec.layout.product]},
                    ]
                }
                for label in (PRODUCT_LABEL, NODE_LABEL_PRODUCT)
            ]
        }
    }
    if spec.node:
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {
                "weight": 100,
                "preference": {
                    "matchFields": [
                        {"key": "metadata.name", "operator": "In", "values": [spec.node]}
                    ]
                },
            }
        ]
    return affinity


def _container(owner: Owner, spec: ReplicaSpec, engine: EngineSettings) -> dict[str, Any]:
    health = {"httpGet": {"path": "/health", "port": "http"}, "timeoutSeconds": 5}
    period = engine.probe_period_seconds
    memory = _times(engine.memory, spec.layout.gpus)
    return {
        "name": "engine",
        "image": engine.image,
        "imagePullPolicy": "IfNotPresent",
        "args": engine_args(spec.layout, spec.model, owner.name, spec.inputs.repository, engine),
        "env": engine_env(engine),
        "ports": [{"name": "http", "containerPort": SERVING_PORT, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": engine.cpu, "memory": memory},
            "limits": {"memory": memory, GPU_RESOURCE: str(spec.layout.gpus)},
        },
        "startupProbe": {
            **health,
            "periodSeconds": period,
            "failureThreshold": math.ceil(startup_seconds(spec.model, engine) / period),
            "terminationGracePeriodSeconds": GIVEN_UP_SECONDS,
        },
        "readinessProbe": {**health, "periodSeconds": period, "failureThreshold": 3},
        "livenessProbe": {
            **health,
            "periodSeconds": 10,
            "failureThreshold": 6,
            "terminationGracePeriodSeconds": GIVEN_UP_SECONDS,
        },
        "lifecycle": {"preStop": {"exec": {"command": _leave(spec, engine)}}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "weights", "mountPath": MODEL_MOUNT_PATH, "readOnly": True},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - the pod's own
            {"name": "cache", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
            {"name": "platform", "mountPath": MOUNT_PATH, "readOnly": True},
        ],
    }


def _leave(spec: ReplicaSpec, engine: EngineSettings) -> list[str]:
    seconds = PRE_STOP_SECONDS + drain_seconds(engine.drain_seconds, spec.layout, spec.model)
    return ["python3", f"{MOUNT_PATH}/{MIDDLEWARE_FILE}", str(SERVING_PORT), str(seconds)]


def _times(quantity: str, factor: int) -> str:
    """``16Gi`` times 2 is ``32Gi``."""
    return f"{int(quantity[:-2]) * factor}{quantity[-2:]}"


def _volumes(owner: Owner, spec: ReplicaSpec, engine: EngineSettings) -> list[dict[str, Any]]:
    return [
        {
            "name": "weights",
            "persistentVolumeClaim": {
                "claimName": claim_name(owner.name, spec.inputs.manifest_digest),
                "readOnly": True,
            },
        },
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": engine.shared_memory}},
        {"name": "cache", "emptyDir": {"sizeLimit": engine.cache_size}},
        # No object of its own, so nobody needs a right to read or write it.
        {
            "name": "platform",
            "downwardAPI": {
                "items": [
                    {"path": path, "fieldRef": {"fieldPath": f"metadata.{field}"}}
                    for path, field in (
                        ("logging.json", f"annotations['{ANNOTATION_LOGGING}']"),
                        (MIDDLEWARE_FILE, f"annotations['{ANNOTATION_MIDDLEWARE}']"),
                        ("serving", f"labels['{LABEL_SERVING}']"),
                    )
                ]
            },
        },
    ]
