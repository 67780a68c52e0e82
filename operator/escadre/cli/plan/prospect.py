"""What the planner would decide for a wish, given the live fleet. Pure; `escadre plan` shows it.

The same planner as the operator's (core/fleet/plan.py). What the operator knows from its own
objects is taken here from the status of the ModelDeployments: where their replicas are, and on
which layout.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from escadre import reasons
from escadre.api.approval import ModelApprovalSpec
from escadre.api.deployment import LayoutStatus
from escadre.api.gpunode import MirrorSource
from escadre.cli.plan.wishes import DeploymentWish, Wishes
from escadre.cli.shared.deployed import Deployed, near
from escadre.core.approvals.verdict import allows_namespace
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey, ReplicaFacts
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.plan import DeploymentPlan, plan_fleet
from escadre.core.scaling.target import target_queue_depth
from escadre.reasons import Reason
from escadre.settings import EngineSettings

__all__ = ["Fleet", "KnownApproval", "Prospect", "look_ahead"]

_UTILIZATION: int = EngineSettings.model_fields["gpu_memory_utilization_percent"].default


@dataclass(frozen=True, slots=True)
class KnownApproval:
    """A ModelApproval of the cluster, or of a file (then nobody has signed it yet)."""

    name: str
    uid: str
    spec: ModelApprovalSpec
    holds: bool
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """The live fleet, as far as the user may see it; ``notes`` say what is missing."""

    deployments: Sequence[tuple[Deployed, float]]  # with the time of their creation
    approvals: Mapping[str, KnownApproval]
    mirrors: Mapping[str, MirrorSource]
    nodes: Sequence[NodeFacts]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would become of one wish. ``approval_problem`` is "" when the approval holds."""

    wish: DeploymentWish
    exists: bool
    approval_reason: Reason
    approval_message: str
    plan: DeploymentPlan | None

    @property
    def fine(self) -> bool:
        """Whether nothing stands in the way."""
        return (
            self.approval_reason == reasons.APPROVED
            and self.plan is not None
            and (self.plan.reason == reasons.PLANNED)
        )

    @property
    def layout(self) -> LayoutStatus | None:
        """The layout as the status would tell it."""
        layout = self.plan.layout if self.plan else None
        target = target_queue_depth(self.wish.spec.scaling.target_queue_depth, layout)
        if self.plan is None or layout is None or target is None:
            return None
        return LayoutStatus.of(layout, target, self.plan.rejected)


def look_ahead(wishes: Wishes, fleet: Fleet, now: float) -> list[Prospect]:
    """Plans the whole fleet with the wishes in it.

    An approval that does not hold yet is planned as if it did: the layout does not depend on it.
    """
    approvals = {**fleet.approvals, **_from_file(wishes, fleet)}
    live = {DeploymentKey(one.namespace, one.name): (one, at) for one, at in fleet.deployments}
    wished = {DeploymentKey(one.namespace, one.name): one for one in wishes.deployments}
    facts = [
        _standing(key, one, created, approvals)
        for key, (one, created) in live.items()
        if key not in wished
    ]
    facts += [
        _wished(key, wish, live.get(key), approvals.get(wish.spec.approval), now)
        for key, wish in wished.items()
    ]
    snapshot = FleetSnapshot(
        deployments=tuple(sorted(facts, key=lambda one: one.key)),
        nodes=tuple(sorted(fleet.nodes, key=lambda one: one.name)),
        mirrors=fleet.mirrors,
        gpu_memory_utilization_percent=_utilization(one for one, _ in fleet.deployments),
    )
    plans = plan_fleet(snapshot).deployments
    return [_prospect(wish, key in live, approvals, plans[key]) for key, wish in wished.items()]


def _prospect(
    wish: DeploymentWish,
    exists: bool,
    approvals: Mapping[str, KnownApproval],
    plan: DeploymentPlan,
) -> Prospect:
    name = wish.spec.approval
    approval = approvals.get(name)
    if approval is None:
        message = (
            f"ModelApproval {name} exists neither on the cluster nor in the files; "
            f"{near(name, approvals)}"
        )
        return Prospect(wish, exists, reasons.APPROVAL_NOT_FOUND, message, None)
    refused = allows_namespace(name, approval.spec, wish.namespace)
    if refused:
        return Prospect(wish, exists, reasons.NAMESPACE_NOT_ALLOWED, refused, plan)
    if approval.holds:
        return Prospect(wish, exists, reasons.APPROVED, approval.message, plan)
    return Prospect(wish, exists, approval.reason, approval.message, plan)


def _from_file(wishes: Wishes, fleet: Fleet) -> dict[str, KnownApproval]:
    return {
        name: KnownApproval(
            name,
            f"file/{name}",
            wish.spec,
            holds=False,
            reason=reasons.SIGNATURES_MISSING,
            message=f"ModelApproval {name} is in the file and not on the cluster yet; once applied "
            f"it needs {wish.spec.required_approvals} signatures or more",
        )
        for name, wish in wishes.approvals.items()
        if name not in fleet.approvals
    }


def _utilization(deployments: Iterable[Deployed]) -> int:
    """What the operator is configured with, as its last plans tell; else the default."""
    layouts = [one.status.plan for one in deployments if one.status.plan]
    return layouts[-1].gpu_memory_utilization_percent if layouts else _UTILIZATION


def _model(approval: KnownApproval | None) -> ApprovedModel | None:
    if approval is None:
        return None
    spec = approval.spec
    return ApprovedModel(
        approval=approval.name,
        approval_uid=approval.uid,
        repository=spec.repository,
        revision=spec.revision,
        manifest_digest=spec.manifest_digest,
        file_bytes=sum(file.size for file in spec.files),
        architecture=spec.architecture,
        mirrors=tuple(spec.mirrors),
    )


def _standing(
    key: DeploymentKey, one: Deployed, created: float, approvals: Mapping[str, KnownApproval]
) -> DeploymentFacts:
    """A deployment that the file does not touch: its replicas are taken as they are."""
    spec, replicas = one.spec, one.status.replicas
    approval = approvals.get(spec.approval) if spec else None
    minimum = spec.scaling.min_replicas if spec else 0
    return DeploymentFacts(
        key=key,
        uid=f"{key.namespace}/{key.name}",
        created=created,
        wish=Wish.of(one.spec),
        model=_model(approval) if approval and approval.holds else None,
        min_replicas=minimum,
        desired=max(replicas.desired if replicas else 0, minimum),
        replicas=_replicas(one, matches=True),
    )


def _wished(
    key: DeploymentKey,
    wish: DeploymentWish,
    live: tuple[Deployed, float] | None,
    approval: KnownApproval | None,
    now: float,
) -> DeploymentFacts:
    spec = wish.spec
    shape = Wish.of(spec)
    desired, created = spec.scaling.min_replicas, now
    replicas: tuple[ReplicaFacts, ...] = ()
    if live is not None:
        before, created = live
        served = before.status.approval
        same = Wish.of(before.spec) == shape and (
            approval is not None
            and served is not None
            and served.manifest_digest == approval.spec.manifest_digest
        )
        replicas = _replicas(before, matches=same)
        desired = min(max(desired, len(replicas)), spec.scaling.max_replicas)
        replicas = replicas[:desired]
    return DeploymentFacts(
        key=key,
        uid=f"{key.namespace}/{key.name}",
        created=created,
        wish=shape,
        model=_model(approval),
        min_replicas=spec.scaling.min_replicas,
        desired=desired,
        replicas=replicas,
    )


def _replicas(one: Deployed, *, matches: bool) -> tuple[ReplicaFacts, ...]:
    told, replicas = one.status.plan, one.status.replicas
    if told is None or replicas is None:
        return ()
    layout = told.layout
    found = [
        ReplicaFacts(
            slot=int(slot),
            node=item.node or None,
            gpus=layout.gpus,
            product=layout.product,
            manifest_digest=item.digest or "",
            wish_matches=matches and item.current,
            layout=layout,
            bound=item.state != "Pending",
        )
        for item in replicas.items
        if (slot := item.name.rpartition("-")[2]).isdecimal()
    ]
    return tuple(sorted(found, key=lambda each: each.slot))
