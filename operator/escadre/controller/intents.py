"""The object that a step asks for: render's, from what the step names and the pass has seen."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from escadre.controller.passes import Pass
from escadre.core.replicas.inputs import ReplicaInputs
from escadre.core.replicas.steps import Claim, Front, Kept, Made, Volume
from escadre.names import claim_name, replica_name, volume_name
from escadre.render.replica import ReplicaSpec, pod_template
from escadre.render.service import budget, network_policy, service
from escadre.render.volume import claim, volume
from escadre.render.workload import WORKLOAD, Recorded
from escadre.settings import Settings

__all__ = ["Intents", "Wanted", "Where"]

Json = dict[str, Any]
Wanted = Front | Volume | Claim | Made | Kept


class Where(NamedTuple):
    """Which object a step asks for."""

    kind: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Intents:
    """Renders the children of one pass. ``platform`` is what replicas record of the settings."""

    this: Pass
    settings: Settings
    platform: str

    def where(self, child: Wanted) -> Where:
        """The object, without rendering it."""
        namespace, name, uid = self.this.owner.namespace, self.this.owner.name, self.this.owner.uid
        match child:
            case Front():
                return Where(child.kind, name, namespace)
            case Volume():
                called = volume_name(namespace, name, uid, child.digest)
                return Where("PersistentVolume", called, "")
            case Claim():
                called = claim_name(name, child.digest)
                return Where("PersistentVolumeClaim", called, namespace)
            case Made() | Kept():
                return Where(WORKLOAD.kind, replica_name(name, child.slot), namespace)

    @staticmethod
    def source(child: Wanted) -> Wanted | None:
        """The step, where its object depends on nothing else but what is there already."""
        rendered = isinstance(child, Made) or (
            isinstance(child, Kept) and child.template == "rendered"
        )
        return None if rendered else child

    def of(self, child: Wanted) -> Json:
        """The whole object."""
        match child:
            case Front():
                return self._front(child)
            case Volume():
                return volume(self.this.owner, child.digest, child.claim_uid)
            case Claim():
                return claim(self.this.owner, child.digest)
            case Made():
                return self._made(child)
            case Kept():
                return self._kept(child)

    def _front(self, front: Front) -> Json:
        owner, settings = self.this.owner, self.settings
        if front.kind == "Service":
            return service(owner)
        if front.kind == "PodDisruptionBudget":
            return budget(owner)
        return network_policy(owner, settings.namespace, settings.network.ingress_namespaces)

    def _made(self, made: Made) -> Json:
        model, owner = self.this.approval.model, self.this.owner
        if model is None:
            raise ValueError("a replica is made of approved weights only")
        wish = self.this.plan.facts.wish
        inputs = ReplicaInputs.of(wish, self.platform, made.digest, model.repository, made.layout)
        spec = ReplicaSpec(made.slot, inputs, made.layout, model.architecture, made.node)
        template = pod_template(owner, spec, self.settings.engine)
        return WORKLOAD.render(owner, Recorded(made.slot, inputs, template, made.node))

    def _kept(self, kept: Kept) -> Json:
        before = self.this.replica(kept.slot)
        inputs = before.record.inputs
        if inputs is None:
            raise ValueError("a replica whose record is lost cannot be written as a whole")
        recorded = before.record.template() if kept.template == "recorded" else None
        template = recorded or self._rendered_again(kept.slot, inputs)
        record = Recorded(kept.slot, inputs, template, kept.node, kept.drain)
        return WORKLOAD.render(self.this.owner, record)

    def _rendered_again(self, slot: int, inputs: ReplicaInputs) -> Json:
        """The template of a replica that lost it, from what the replica was made from."""
        model, layout = self.this.approval.model, inputs.layout
        if model is None or layout is None:
            raise ValueError("only what its record and the approval describe is rendered again")
        node = self.this.replica(slot).node or None
        spec = ReplicaSpec(slot, inputs, layout, model.architecture, node)
        return pod_template(self.this.owner, spec, self.settings.engine)
