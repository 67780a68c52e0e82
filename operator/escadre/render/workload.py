"""The object that runs one replica: what each kind of it owes, and the one that there is.

Who plans, observes or writes replicas asks `WORKLOAD` here and knows no kind by itself; a replica
on several nodes would be another class beside it. Whatever the kind: the object is called
names.replica_name, its pods carry the template's labels, and its annotations are the record below.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from escadre.core.replicas.drain import Drain, drain_text
from escadre.core.replicas.inputs import ReplicaInputs
from escadre.core.replicas.steps import WORKLOAD_KIND, ChildKind
from escadre.names import (
    ANNOTATION_DRAIN,
    ANNOTATION_INPUTS,
    ANNOTATION_NODE,
    ANNOTATION_TEMPLATE,
    ANNOTATION_TEMPLATE_SHA256,
    LABEL_INPUTS,
    LABEL_SLOT,
    replica_name,
)
from escadre.render.labels import Owner, engine_selector, metadata

__all__ = ["WORKLOAD", "Recorded", "Workload", "is_recorded", "recorded_template"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is noted on a replica's object: what it was made from, its template, node and drain.

    ``template`` is a new rendering or the one that was recorded: it stays until the inputs change.
    """

    slot: int
    inputs: ReplicaInputs
    template: Mapping[str, Any]
    node: str | None
    drain: Drain | None = None

    @property
    def marked(self) -> str:
        """The label of the inputs: the template's, which its pods carry.

        Pods with another one would not count as this replica.
        """
        labelled: str = self.template["metadata"]["labels"].get(LABEL_INPUTS)
        return labelled or self.inputs.hash

    @property
    def annotations(self) -> dict[str, str]:
        """The record as annotations."""
        text = json.dumps(self.template, sort_keys=True, separators=(",", ":"))
        found = {
            ANNOTATION_INPUTS: self.inputs.to_json(),
            ANNOTATION_TEMPLATE: text,
            ANNOTATION_TEMPLATE_SHA256: _sha256(text),
            ANNOTATION_NODE: self.node or "",
        }
        return found if self.drain is None else {**found, ANNOTATION_DRAIN: drain_text(self.drain)}


class Workload(Protocol):
    """One kind of object that runs replicas."""

    @property
    def kind(self) -> ChildKind:
        """Its kind, by which steps name it and caches keep it."""

    def render(self, owner: Owner, recorded: Recorded) -> Json:
        """The whole object of one replica."""

    def refused(self, status: Json) -> str:
        """Why the API server makes no pod of it, from its status; "" when it does."""

    def has_pod(self, name: str, controller: str) -> bool:
        """Whether a pod whose controller is ``controller`` belongs to the object ``name``."""


class OneDeployment:
    """A Deployment of 1 with strategy Recreate.

    One per replica rolls on a full node without a spare GPU, and lets scaling choose its victim.
    """

    kind: Final = WORKLOAD_KIND

    def render(self, owner: Owner, recorded: Recorded) -> Json:
        """The whole object of one replica."""
        slot = str(recorded.slot)
        return {
            "apiVersion": "apps/v1",
            "kind": self.kind,
            "metadata": metadata(
                owner,
                replica_name(owner.name, recorded.slot),
                labels={LABEL_SLOT: slot, LABEL_INPUTS: recorded.marked},
                annotations=recorded.annotations,
            ),
            "spec": {
                "replicas": 1,
                "revisionHistoryLimit": 1,
                "progressDeadlineSeconds": 86400,  # loading is judged by the startup probe
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": {**engine_selector(owner), LABEL_SLOT: slot}},
                "template": dict(recorded.template),
            },
        }

    def refused(self, status: Json) -> str:
        """It hands on what its ReplicaSet was told when it asked for the pod."""
        for one in status.get("conditions") or []:
            if one["type"] == "ReplicaFailure" and one["status"] == "True":
                return one.get("message") or one.get("reason") or ""
        return ""

    def has_pod(self, name: str, controller: str) -> bool:
        """A pod belongs to a ReplicaSet named after the Deployment."""
        return controller.startswith(f"{name}-")


WORKLOAD: Final[Workload] = OneDeployment()


def recorded_template(annotations: Mapping[str, str]) -> Json | None:
    """The template as rendered when the replica was made; None if missing or edited by hand."""
    if not is_recorded(annotations):
        return None
    template: Json = json.loads(annotations[ANNOTATION_TEMPLATE])
    return template


def is_recorded(annotations: Mapping[str, str]) -> bool:
    """Whether the template stands there as it was written."""
    text = annotations.get(ANNOTATION_TEMPLATE, "")
    return bool(text) and annotations.get(ANNOTATION_TEMPLATE_SHA256) == _sha256(text)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
