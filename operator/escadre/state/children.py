"""From the caches to the children of one ModelDeployment as a pass sees them. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Final

from escadre.api.deployment import Layout
from escadre.core.facts.model import ApprovedModel
from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.children import wanted_digests
from escadre.core.replicas.existing import (
    ChildrenFacts,
    ClaimFacts,
    Pace,
    ReplicaState,
    VolumeFacts,
)
from escadre.core.replicas.steps import WORKLOAD_KIND, ChildKind, Existing
from escadre.names import LABEL_OWNER_UID, PVC_PROTECTION, claim_name, volume_name
from escadre.settings import Settings
from escadre.state.caches import Caches
from escadre.state.gather import Sight
from escadre.state.observe import Observed
from escadre.state.standings import drain_limit
from escadre.state.views import ClaimRecord, DeploymentView, VolumeRecord

__all__ = ["children_facts", "left_behind", "orphans"]

_LEFT: Final[tuple[ChildKind, ...]] = (
    WORKLOAD_KIND,
    "PersistentVolumeClaim",
    "Service",
    "PodDisruptionBudget",
    "NetworkPolicy",
)


def children_facts(sight: Sight, view: DeploymentView, plan: DeploymentPlan) -> ChildrenFacts:
    """Everything that the steps of a pass are decided from."""
    caches, approval, observed = sight.gather.caches, sight.approval(view), sight.observed(view)
    namespace = caches.namespaces.get(view.namespace)
    digests = wanted_digests((one.view.digest for one in observed), plan)
    return ChildrenFacts(
        plan=plan,
        readable=view.spec is not None,
        housed=namespace is not None and not namespace.terminating,
        approved=approval.approved,
        expires=approval.expires,
        model=approval.model,
        replicas=tuple(_state(one, caches) for one in observed),
        claims=_claims(caches, view, digests),
        volumes=_volumes(caches, view, digests),
        pace=_pace(sight.gather.settings, plan.layout, approval.model),
        hold=sight.gather.memory.order.hold(plan.facts.key),
        leaving_since=namespace.deleted_at if namespace else 0.0,
    )


def orphans(caches: Caches, namespace: str, name: str) -> list[VolumeFacts]:
    """Volumes that name a ModelDeployment which is gone."""
    return [_volume(one, named=True, uid="") for one in _named(caches, namespace, name)]


def left_behind(caches: Caches, namespace: str, name: str) -> dict[str, list[Existing]]:
    """Children of ModelDeployments that have ended, by the uid of those.

    The garbage collector takes its time: 40 requests a second, of which a deployment takes 16;
    it takes pods last, after everything else of all deployments that were deleted with theirs. For
    what is gone already it asks once. The workload comes first: most hangs on it.
    """
    found: dict[str, list[Existing]] = {}
    for kind in _LEFT if caches.ended else ():  # mostly nothing ended
        for one in caches.of_kind(kind).by("deployment", (namespace, name)):
            if one.controller_uid in caches.ended and not one.terminating:
                gone = Existing(kind, namespace, one.name, one.uid, version=one.resource_version)
                found.setdefault(one.controller_uid, []).append(gone)
    return found


def _pace(settings: Settings, layout: Layout | None, model: ApprovedModel | None) -> Pace:
    return Pace(drain_limit(settings, layout, model), settings.operator.status_interval_seconds)


def _state(one: Observed, caches: Caches) -> ReplicaState:
    record, pod = one.record, one.pod
    return ReplicaState(
        view=one.view,
        name=record.name,
        uid=record.uid,
        node=one.node,
        noted=record.planned_node if caches.nodes.get(record.planned_node) is not None else "",
        bound=pod is not None and bool(pod.node),
        recorded=record.recorded,
        readable=record.inputs is not None,
        layout_readable=record.layout is not None,
        serving=pod.serving if pod else None,
    )


def _claims(
    caches: Caches, view: DeploymentView, digests: Iterable[str]
) -> Mapping[str, ClaimFacts]:
    found = list(caches.claims.by("deployment", (view.namespace, view.name)))
    called = (caches.claims.get(claim_name(view.name, one), view.namespace) for one in digests)
    found += [one for one in called if one is not None]
    return {one.name: _claim(one, view.uid) for one in found}


def _claim(one: ClaimRecord, uid: str) -> ClaimFacts:
    ours = one.controller_uid == uid
    protected = PVC_PROTECTION in one.held
    return ClaimFacts(one.name, one.uid, ours, one.settled, one.terminating, protected)


def _volumes(
    caches: Caches, view: DeploymentView, digests: Iterable[str]
) -> Mapping[str, VolumeFacts]:
    names = (volume_name(view.namespace, view.name, view.uid, one) for one in digests)
    called = (caches.volumes.get(name) for name in names)
    found = {one.name: _volume(one, named=False, uid=view.uid) for one in called if one}
    named = _named(caches, view.namespace, view.name)
    return found | {one.name: _volume(one, named=True, uid=view.uid) for one in named}


def _named(caches: Caches, namespace: str, name: str) -> tuple[VolumeRecord, ...]:
    return caches.volumes.by("owner", (namespace, name))


def _volume(one: VolumeRecord, *, named: bool, uid: str) -> VolumeFacts:
    ours = one.labels.get(LABEL_OWNER_UID) == uid
    return VolumeFacts(one.name, one.uid, named, ours, one.tied, one.terminating)
