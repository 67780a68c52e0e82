"""The replicas of one deployment as they are: workload objects, their inputs and their pods."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pydantic import ValidationError

from escadre.api.deployment import Plan
from escadre.controller.caches import Caches
from escadre.controller.compact import Compact
from escadre.controller.memory import Memory
from escadre.controller.views import DeploymentView, PodView
from escadre.core.facts import ApprovedModel, Wish
from escadre.core.inputs import ReplicaInputs, parse_inputs
from escadre.core.rollout import Drain, ReplicaView
from escadre.names import ANNOTATION_DRAIN, ANNOTATION_INPUTS, ANNOTATION_NODE, LABEL_SLOT
from escadre.settings import EngineSettings

__all__ = [
    "Observed",
    "drain_text",
    "observe",
    "parse_drain",
    "parse_plan",
    "wish_of",
]

QUIET_READINGS = 2


@dataclass(frozen=True, slots=True)
class Observed:
    """A replica: its object, what it was made from, where it is and how it does."""

    workload: Compact
    inputs: ReplicaInputs | None
    plan: Plan | None
    node: str
    pods: tuple[PodView, ...]
    view: ReplicaView

    @property
    def pod(self) -> PodView | None:
        """The pod that counts: one that is not going away, if there is one."""
        alive = [pod for pod in self.pods if not pod.terminating and not pod.finished]
        return alive[0] if alive else None


def wish_of(view: DeploymentView) -> Wish:
    """The wish; of a spec that does not parse, one that nothing is planned for."""
    spec = view.spec
    if spec is None:
        return Wish(context_length=1)
    return Wish(
        context_length=spec.context_length,
        concurrency=spec.concurrency,
        typical_tokens=spec.typical_tokens,
        target_queue_depth=spec.scaling.target_queue_depth,
    )


@lru_cache(maxsize=8192)
def _inputs(text: str) -> ReplicaInputs | None:
    return parse_inputs(text)


@lru_cache(maxsize=1024)
def parse_plan(text: str) -> Plan | None:
    """The plan recorded in a replica's inputs; None when this version cannot read it."""
    try:
        raw = json.loads(text)
        # Recorded without it, because it does not shape the engine.
        return Plan.model_validate({"targetQueueDepth": 1, **raw})
    except (ValueError, ValidationError):
        return None


def parse_drain(text: str) -> Drain | None:
    """The drain annotation; a damaged one counts as none, and the drain begins anew."""
    try:
        raw = json.loads(text)
        cause = raw["cause"]
        if cause not in {"ScaleDown", "Rollout"}:
            return None
        return Drain(cause, float(raw["since"]))
    except (ValueError, KeyError, TypeError):
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
    engine: EngineSettings,
) -> tuple[Observed, ...]:
    """Replicas in the order of their slots.

    ``model`` is what the deployment's approval allows, also when it does not hold now; without
    one, what runs counts as current: there is nothing to compare it with.
    """
    key = (view.namespace, view.name)
    pods = caches.pods.by("deployment", key)
    found = []
    for workload in caches.workloads.by("deployment", key):
        slot = workload.labels.get(LABEL_SLOT, "")
        if workload.controller_uid != view.uid or not slot.isdecimal():
            continue
        found.append(_observed(workload, int(slot), pods, memory, view, model, engine))
    return tuple(sorted(found, key=lambda one: one.view.slot))


def _observed(
    workload: Compact,
    slot: int,
    pods: tuple[PodView, ...],
    memory: Memory,
    view: DeploymentView,
    model: ApprovedModel | None,
    engine: EngineSettings,
) -> Observed:
    inputs = _inputs(workload.annotations.get(ANNOTATION_INPUTS, ""))
    # A pod belongs to a ReplicaSet named after the Deployment: a label alone proves nothing.
    own = tuple(
        pod for pod in pods if pod.slot == slot and pod.controller.startswith(f"{workload.name}-")
    )
    alive = next((pod for pod in own if not pod.terminating and not pod.finished), None)
    reading = memory.readings.get(alive.uid) if alive else None
    if inputs is None:
        current = False
    elif model is None:
        current = True
    else:
        current = inputs.matches(wish_of(view), engine, model.manifest_digest, model.repository)
    replica = ReplicaView(
        slot=slot,
        state=_state(alive),
        current=current,
        drain=parse_drain(workload.annotations.get(ANNOTATION_DRAIN, "")),
        idle=reading is not None and reading.quiet >= QUIET_READINGS,
        in_flight=reading.in_flight if reading else None,
        terminating=workload.terminating,
        digest=inputs.manifest_digest if inputs else "",
    )
    planned = workload.annotations.get(ANNOTATION_NODE, "")
    return Observed(
        workload=workload,
        inputs=inputs,
        plan=parse_plan(inputs.plan) if inputs else None,
        node=(alive.node if alive else "") or planned,
        pods=own,
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
