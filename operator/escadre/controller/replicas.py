"""Carries out the rollout plan: workload objects of replicas, Service labels of their pods."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from escadre.clients.kube import DEPLOYMENTS, PODS, Guard, NotFound
from escadre.controller.children import Applier
from escadre.controller.context import Context
from escadre.controller.passes import Pass
from escadre.core.facts.model import Wish
from escadre.core.fleet.plan import DeploymentPlan, SlotPlan
from escadre.core.replicas.drain import Drain, drain_text
from escadre.core.replicas.inputs import ReplicaInputs
from escadre.core.replicas.rollout import Action
from escadre.names import ANNOTATION_DRAIN, LABEL_SERVING, replica_name
from escadre.render.replica import ReplicaSpec, pod_template, replica
from escadre.state.observe import Observed

__all__ = ["Replicas", "wanted_digests"]


def wanted_digests(observed: Iterable[Observed], plan: DeploymentPlan) -> list[str]:
    """Digests that need a volume and a claim: of what runs and of what is to run."""
    digests = {one.view.digest for one in observed if one.view.digest}
    digests |= {slot.manifest_digest for slot in plan.slots if slot.node and slot.manifest_digest}
    return sorted(digests)


@dataclass(slots=True)
class Replicas:
    """One pass over the replicas of one deployment."""

    context: Context
    this: Pass
    applier: Applier

    async def carry_out(self) -> None:
        """Each action of the plan, then the labels of the pods."""
        existing = {one.view.slot: one for one in self.this.observed}
        slots = {slot.slot: slot for slot in self.this.plan.slots}
        for action in self.this.rollout.actions:
            before = existing.get(action.slot)
            slot = slots.get(action.slot)
            if action.verb in {"Create", "Replace"} and slot is not None:
                await self._make(slot)
            elif before is not None and action.verb == "Delete":
                await self._delete(before)
            elif before is not None:
                await self._hold(action, before, slot)

    async def _make(self, slot: SlotPlan) -> None:
        model, owner = self.this.approval.model, self.this.owner
        if model is None or slot.layout is None:
            return
        inputs = ReplicaInputs.of(
            Wish.of(self.this.view.spec),
            self.context.gather.platform,
            slot.manifest_digest,
            model.repository,
            slot.layout,
        )
        spec = ReplicaSpec(
            slot=slot.slot,
            inputs=inputs,
            layout=slot.layout,
            model=model.architecture,
            node=slot.node,
        )
        intent = replica(
            owner,
            slot.slot,
            inputs=inputs,
            template=pod_template(owner, spec, self.context.settings.engine),
            node=slot.node,
        )
        await self.applier.apply(intent, self.context.caches.replicas)

    async def _hold(self, action: Action, before: Observed, slot: SlotPlan | None) -> None:
        """Keeps a replica as it was made; only what lies outside the template may change."""
        drain = None if action.verb == "Undrain" else (action.drain or before.view.drain)
        inputs = before.record.inputs
        template = before.record.template() or self._rendered_again(before)
        if template is None or inputs is None:
            # Damaged by hand, and what it was is not to be told: it is replaced when approved.
            await self._note_drain(before, drain)
            return
        intent = replica(
            self.this.owner,
            before.view.slot,
            inputs=inputs,
            template=template,
            node=self._noted_node(before, slot),
            drain=drain,
        )
        if await self.applier.apply(intent, self.context.caches.replicas):
            await self._label(before, serving=drain is None)

    def _noted_node(self, before: Observed, slot: SlotPlan | None) -> str:
        """Where the replica is to be looked for while no pod of it is bound.

        A bound pod says itself where it is: the note then stays, if it names a node at all.
        """
        noted = before.record.planned_node
        bound = before.pod is not None and bool(before.pod.node)
        if bound and self.context.caches.nodes.get(noted) is not None:
            return noted
        planned = slot.node if slot is not None and before.view.current else None
        return planned or before.node

    async def _note_drain(self, before: Observed, drain: Drain | None) -> None:
        """Drains a replica whose object cannot be written as a whole."""
        if drain != before.view.drain:
            notes = {ANNOTATION_DRAIN: drain_text(drain) or None}
            try:
                written = await self.context.api.patch(
                    DEPLOYMENTS,
                    before.record.name,
                    {"metadata": {"uid": before.record.uid, "annotations": notes}},
                    namespace=before.record.namespace,
                )
            except NotFound:
                return  # gone meanwhile
            self.context.caches.replicas.note_write(written)
        await self._label(before, serving=drain is None)

    def _rendered_again(self, before: Observed) -> dict[str, Any] | None:
        inputs, layout, model = before.record.inputs, before.record.layout, self.this.approval.model
        if inputs is None or layout is None or model is None:
            return None
        if inputs.manifest_digest != model.manifest_digest:
            return None
        spec = ReplicaSpec(
            slot=before.view.slot,
            inputs=inputs,
            layout=layout,
            model=model.architecture,
            node=before.node or None,
        )
        return pod_template(self.this.owner, spec, self.context.settings.engine)

    async def _label(self, one: Observed, *, serving: bool) -> None:
        """Takes the pod out of the Service, or puts it back; its workload does not notice."""
        pod = one.pod
        if pod is None or pod.serving == serving:
            return
        patch = {"metadata": {"labels": {LABEL_SERVING: "true" if serving else None}}}
        try:
            self.context.caches.pods.note_write(
                await self.context.api.patch(PODS, pod.name, patch, namespace=pod.namespace)
            )
        except NotFound:
            return  # gone meanwhile

    async def _delete(self, one: Observed) -> None:
        try:
            await self.context.api.delete(
                DEPLOYMENTS,
                replica_name(self.this.owner.name, one.view.slot),
                namespace=self.this.owner.namespace,
                guard=Guard(uid=one.record.uid),
            )
        except NotFound:
            return  # gone meanwhile
