"""Carries out the steps of a pass, in their order, and nothing else.

What is done to which child, and why, is said by core/replicas/children.py; how the object looks by
render; when it must be left alone by the Applier.
"""

from dataclasses import dataclass, field

from escadre import reasons
from escadre.clients.kube import (
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    Api,
    Guard,
    Invalid,
    Json,
    NotFound,
)
from escadre.controller.children import Applier
from escadre.controller.intents import Intents, Wanted
from escadre.controller.passes import Pass
from escadre.controller.wished import Wished
from escadre.core.replicas.drain import drain_text
from escadre.core.replicas.steps import Damaged, Existing, Pod, Problem, Released, Step
from escadre.names import ANNOTATION_DRAIN, LABEL_SERVING, PVC_PROTECTION
from escadre.state.caches import Caches

__all__ = ["Executor", "delete"]


@dataclass(slots=True)
class Executor:
    """One pass over the children of one deployment; ``done`` are the steps that were done."""

    this: Pass
    intents: Intents
    caches: Caches
    applier: Applier
    wished: Wished
    done: list[Step] = field(default_factory=list)

    async def carry_out(self) -> None:
        """Every step; one that cannot be done now holds back only what follows from it.

        None any more once the deployment or its namespace goes.
        """
        went = True
        for step in self.this.steps.steps:
            if not self.wished.stands or self._namespace_goes:
                return
            if step.follows and not went:
                continue
            went = await self._do(step)
            if went:
                self.done.append(step)

    @property
    def problems(self) -> list[Problem]:
        """What stood in the way."""
        first = self.this.steps.problem
        return [*([first] if first else []), *self.applier.problems]

    @property
    def _namespace_goes(self) -> bool:
        return any(one.reason == reasons.NAMESPACE_TERMINATING for one in self.applier.problems)

    @property
    def slots(self) -> frozenset[int]:
        """The slots whose replica was dealt with."""
        return frozenset(step.slot for step in self.done if step.slot is not None)

    async def _do(self, step: Step) -> bool:
        match step.child:
            case Existing() as child:
                return await delete(self.applier.api, self.caches, child)
            case Damaged() as child:
                return await self._note(child)
            case Pod() as child:
                return await self._label(child)
            case Released() as child:
                return await self._release(child)
            case child:
                return await self._apply(child)

    async def _apply(self, child: Wanted) -> bool:
        where, source = self.intents.where(child), self.intents.source(child)
        cache = self.caches.of_kind(where.kind)
        live = cache.get(where.name, where.namespace)
        if live is not None and source and self.applier.stands(where.kind, live, source):
            return True
        intent = self.intents.of(child)
        told = self.this.view.told.desired is not None
        if self.applier.remakes(intent, cache, told=told) and not await self.wished.look():
            return False
        return await self.applier.apply(intent, cache, source)

    async def _note(self, damaged: Damaged) -> bool:
        """Drains a replica whose object cannot be written as a whole."""
        record = self.this.replica(damaged.slot).record
        notes = {ANNOTATION_DRAIN: drain_text(damaged.drain) or None}
        try:
            written = await self.applier.api.patch(
                self.caches.replicas.resource,
                record.name,
                {"metadata": {"uid": record.uid, "annotations": notes}},
                namespace=record.namespace,
            )
        except NotFound:
            return False  # gone meanwhile
        self.caches.replicas.note_write(written)
        return True

    async def _label(self, one: Pod) -> bool:
        pod = self.this.replica(one.slot).pod
        if pod is None:
            return False
        patch = {"metadata": {"labels": {LABEL_SERVING: "true" if one.serving else None}}}
        try:
            written = await self.applier.api.patch(PODS, pod.name, patch, namespace=pod.namespace)
        except NotFound:
            return False  # gone meanwhile
        self.caches.pods.note_write(written)
        return True

    async def _release(self, one: Released) -> bool:
        """Takes Kubernetes' own finalizer off a claim, and no other."""
        namespace = self.this.view.namespace
        live = self.caches.claims.get(one.name, namespace)
        if live is None or live.uid != one.uid or not await self.wished.look():
            return False
        path = f"/metadata/finalizers/{live.held.index(PVC_PROTECTION)}"
        patch: list[Json] = [
            {"op": "test", "path": "/metadata/uid", "value": one.uid},
            {"op": "test", "path": path, "value": PVC_PROTECTION},
            {"op": "remove", "path": path},
        ]
        try:
            await self.applier.api.patch(
                PERSISTENT_VOLUME_CLAIMS, one.name, patch, namespace=namespace
            )
        except (NotFound, Invalid):
            return False  # gone, or changed meanwhile
        return True


async def delete(api: Api, caches: Caches, one: Existing) -> bool:
    """Deletes that very object; the caches know at once where it only starts to go."""
    resource, guard = caches.of_kind(one.kind).resource, Guard(one.uid, one.version)
    try:
        going = await api.delete(resource, one.name, namespace=one.namespace or None, guard=guard)
    except NotFound:
        return False  # gone meanwhile
    if going is not None:
        caches.of_kind(one.kind).note_write(going)
    return True
