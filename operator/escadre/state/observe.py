"""The replicas of one deployment as they are: workload objects, their inputs and their pods."""

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pydantic import ValidationError

from escadre.api.deployment import Layout
from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.replicas.inputs import ReplicaInputs, parse_inputs
from escadre.core.replicas.rollout import Drain, ReplicaView
from escadre.machinery.compact import Compact
from escadre.names import (
    ANNOTATION_DRAIN,
    ANNOTATION_INPUTS,
    ANNOTATION_NODE,
    LABEL_INPUTS,
    replica_name,
)
from escadre.state.caches import Caches
from escadre.state.memory import Memory
from escadre.state.views import DeploymentView, PodView

__all__ = [
    "Observed",
    "drain_text",
    "observe",
    "parse_drain",
    "parse_layout",
]


@dataclass(frozen=True, slots=True)
class Observed:
    """A replica: its object, what it was made from, where it is and how it does."""

    workload: Compact
    inputs: ReplicaInputs | None
    layout: Layout | None
    node: str
    pods: tuple[PodView, ...]
    pod: PodView | None  # the one that counts: of today's template, not going away
    view: ReplicaView


@lru_cache(maxsize=8192)
def _inputs(text: str) -> ReplicaInputs | None:
    return parse_inputs(text)


@lru_cache(maxsize=1024)
def parse_layout(text: str) -> Layout | None:
    """The layout recorded in a replica's inputs; None when this version cannot read it."""
    try:
        return Layout.model_validate_json(text)
    except (ValueError, TypeError, RecursionError, ValidationError):
        return None


def parse_drain(text: str) -> Drain | None:
    """The drain annotation; a damaged one counts as none, and the drain begins anew."""
    if not text:
        return None
    try:
        raw = json.loads(text)
        cause, since = raw["cause"], float(raw["since"])
        known = cause in {"ScaleDown", "Rollout"} and math.isfinite(since)
        return Drain(cause, since) if known else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def drain_text(drain: Drain | None) -> str:
    """The annotation of a drain, "" for none."""
    if drain is None:
        return ""
    return json.dumps({"cause": drain.cause, "since": round(drain.since)})


def observe(
    caches: Caches,
    memory: Memory,
    view: DeploymentView,
    model: ApprovedModel | None,
    platform: str,
) -> tuple[Observed, ...]:
    """Replicas in the order of their slots.

    ``platform`` is core/replicas/inputs.py's `platform_text`.
    ``model`` is what the deployment's approval allows, also when it does not hold now; without
    one, what runs counts as current: there is nothing to compare it with.
    """
    key = (view.namespace, view.name)
    pods = caches.pods.by("deployment", key)
    found = []
    for workload in caches.workloads.by("deployment", key):
        slot = _slot(workload, view)
        if workload.controller_uid != view.uid or slot is None:
            continue
        found.append(_observed(workload, slot, pods, memory, view, model, platform))
    return tuple(sorted(found, key=lambda one: one.view.slot))


def _slot(workload: Compact, view: DeploymentView) -> int | None:
    """The slot, from the name: a label can be edited by hand."""
    digits = workload.name.removeprefix(f"{view.name}-")
    if not digits.isdecimal() or replica_name(view.name, int(digits)) != workload.name:
        return None
    return int(digits)


def _counts(pod: PodView, workload: Compact) -> bool:
    """Whether a pod is the replica as it is meant to be now.

    Right after a replacement the pod of the old template is still there and Ready: it is not the
    replica on the new inputs.
    """
    if pod.terminating or pod.finished:
        return False
    return pod.inputs in {"", workload.labels.get(LABEL_INPUTS, pod.inputs)}


def _observed(
    workload: Compact,
    slot: int,
    pods: tuple[PodView, ...],
    memory: Memory,
    view: DeploymentView,
    model: ApprovedModel | None,
    platform: str,
) -> Observed:
    inputs = _inputs(workload.annotations.get(ANNOTATION_INPUTS, ""))
    # A pod belongs to a ReplicaSet named after the Deployment: a label alone proves nothing.
    own = tuple(
        pod for pod in pods if pod.slot == slot and pod.controller.startswith(f"{workload.name}-")
    )
    alive = next((pod for pod in own if _counts(pod, workload)), None)
    reading = memory.readings.get(alive.uid) if alive else None
    if inputs is None:
        current = False
    elif model is None:
        current = True
    else:
        wish = Wish.of(view.spec)
        current = inputs.matches(wish, platform, model.manifest_digest, model.repository)
    replica = ReplicaView(
        slot=slot,
        state=_state(alive),
        current=current,
        drain=parse_drain(workload.annotations.get(ANNOTATION_DRAIN, "")),
        idle=reading is not None and reading.idle,
        in_flight=reading.demand.requests if reading else None,
        terminating=workload.terminating,
        digest=inputs.manifest_digest if inputs else "",
    )
    planned = workload.annotations.get(ANNOTATION_NODE, "")
    return Observed(
        workload=workload,
        inputs=inputs,
        layout=parse_layout(inputs.layout) if inputs else None,
        node=(alive.node if alive else "") or planned,
        pods=own,
        pod=alive,
        view=replica,
    )


def _state(pod: PodView | None) -> Literal["Pending", "Loading", "Ready", "Failing"]:
    if pod is None:
        return "Pending"
    if pod.ready:
        return "Ready"
    if pod.failing:
        return "Failing"
    return "Loading" if pod.node else "Pending"
