"""Deployments as core/status/build.py is told of them, for its tests."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from tests.core.fleets import deployment, model
from tests.core.layout import LAYOUT

from escadre import reasons
from escadre.api.deployment import ModelDeploymentStatus, WeightsOnNode
from escadre.api.wire import dump, read
from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.rollout import ReplicaView, RolloutPlan
from escadre.core.scaling.demand import Demand
from escadre.core.scaling.policy import Decision, ScaleState
from escadre.core.scaling.step import Bounds
from escadre.core.status.build import answer
from escadre.core.status.facts import LeavingClaim, ReplicaLine, StatusFacts
from escadre.core.status.told import Told
from escadre.names import ConditionType
from escadre.reasons import Reason
from escadre.reasons.said import NOTHING, plain

Json = dict[str, Any]
NOW, EARLIER = "2026-11-22T06:15:00Z", "2026-11-22T06:00:00Z"
MODEL = model()
DIGEST = MODEL.manifest_digest
SCHEMA = yaml.safe_load(
    (Path(__file__).parents[2] / "crds/modeldeployments.yaml").read_text(encoding="utf-8")
)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
VERIFIED = WeightsOnNode(node="gpu-0", manifest_digest=DIGEST, state="Verified")
DECISION = Decision(
    ScaleState(1, 0.0), Demand(2, 1), reasons.AT_TARGET, plain("demand 3 of 24"), changed=False
)


def weights(state: str = "Pulling", **more: Any) -> WeightsOnNode:
    return WeightsOnNode.model_validate(
        {"node": "gpu-0", "manifest_digest": DIGEST, "state": state, **more}
    )


def planned(**more: Any) -> DeploymentPlan:
    known: Json = {
        "layout": LAYOUT,
        "reason": reasons.PLANNED,
        "message": NOTHING,
        "weights": (VERIFIED,),
    }
    return DeploymentPlan(deployment("chat"), **{**known, **more})


def line(slot: int = 0, state: str = "Ready", message: str = "", **more: Any) -> ReplicaLine:
    view = ReplicaView(slot, state, **{"current": True, "digest": DIGEST, **more})  # type: ignore[arg-type]  # a literal, parametrized
    return ReplicaLine(f"chat-{slot}", "gpu-0", view, message)


def waiting(hindered: Reason | None = None) -> ReplicaLine:
    """A replica whose pod was made long ago and has no node; of one without a pod: why."""
    return replace(line(state="Pending"), since=0.0, hindered=hindered)


def held(one: ReplicaLine, *finalizers: str, deleted: float = 0.0) -> ReplicaLine:
    """The same with a claim that was deleted long ago, and who holds it."""
    return replace(one, claim=LeavingClaim("chat-abab", deleted, finalizers))


def facts(*replicas: ReplicaLine, **more: Any) -> StatusFacts:
    """A serving deployment of one replica, seen for the first time in generation 1."""
    known: Json = {
        "generation": 1,
        "url": "http://chat.team.svc/v1",
        "approved": True,
        "approval_reason": reasons.APPROVED,
        "approval_message": "signed by anna, bruno",
        "model": MODEL,
        "plan": planned(),
        "target": 24,
        "rollout": RolloutPlan((), 0, NOTHING),
        "replicas": replicas,
        "desired": 1,
        "min_replicas": 1,
        "decision": DECISION,
        "changes": (),
        "bounds": Bounds(1, 4),
        "problem": None,
        "unreachable": False,
        "previous": Told(),
        "now": NOW,
        "patience": 360.0,
    }
    return StatusFacts(**{**known, **more})


def built(given_facts: StatusFacts) -> Json:
    """The status as it goes over the wire."""
    return dump(answer(given_facts).status)


def told_before(status: Json) -> Told:
    """What a pass is told of a stored status."""
    return Told.of(read(ModelDeploymentStatus, status))


def conditions(status: Json) -> dict[str, Json]:
    return {one["type"]: one for one in status["conditions"]}


def told(given_facts: StatusFacts, type_: str = "Ready") -> tuple[str, str]:
    found = conditions(built(given_facts))[type_]
    return found["status"], found["reason"]


def before(*types: str, generation: int = 1) -> Told:
    """A status of before with these conditions, all of them True."""
    past = {"status": "True", "reason": "Ready", "message": "", "lastTransitionTime": EARLIER}
    conditions = [{"type": one, **past} for one in types]
    return told_before({"observedGeneration": generation, "conditions": conditions})


def without_pods() -> Told:
    """As told a while ago: the weights are there, the replicas are not scheduled."""
    weights_ready, scheduled = before(
        ConditionType.WEIGHTS_READY, ConditionType.SCHEDULED
    ).conditions
    return Told(conditions=(weights_ready, scheduled._replace(status="False")))


UNREAD: Json = {
    "approved": False,
    "approval_reason": reasons.INVALID_SPEC,
    "approval_message": "spec.x",
    "decision": None,
}
REVOKED: Json = {
    "approved": False,
    "approval_reason": reasons.REVOKED,
    "approval_message": "carla did",
}
NO_GPUS = planned(
    reason=reasons.INSUFFICIENT_GPUS, message=plain("2 GPUs wanted, 1 free"), slots=()
)
PULLS = planned(weights=(weights(bytes_done=5, bytes_total=10),))
TAKEN = (reasons.NAME_TAKEN, "Service team/chat exists")
ROLLING = RolloutPlan((), 1, plain("weights are not verified on node gpu-0 yet"))
