"""What the planner would decide for a wish, given the live fleet. Pure; `escadre plan` shows it.

The same pass as the operator's (core/fleet/plan.py), over facts of the same kind: cli/plan/facts.py
takes from the status of the ModelDeployments what the operator sees of their replicas.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from escadre import reasons
from escadre.api.deployment import LayoutStatus, WeightsOnNode
from escadre.api.gpunode import MirrorSource
from escadre.cli.plan.approvals import KnownApproval, from_files, unknown_model
from escadre.cli.plan.facts import Wanted, facts_of, replaced
from escadre.cli.plan.numbers import Numbers, numbers_of
from escadre.cli.plan.speeds import paced
from escadre.cli.plan.wishes import DeploymentWish, Wishes
from escadre.cli.shared.deployed import Deployed, near
from escadre.cli.shared.words import bytes_text
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.fleet.plan import DeploymentPlan, FleetPlan, plan_fleet
from escadre.core.layouts.candidate import GPUProduct
from escadre.core.layouts.decisions import products_of
from escadre.core.profile import DEFAULT_PROFILE, EngineProfile
from escadre.core.scaling.target import target_queue_depth
from escadre.reasons import Reason

__all__ = ["Fleet", "Outlook", "Prospect", "look_ahead"]

_REFUSES = (reasons.NAMESPACE_NOT_ALLOWED, reasons.EXPIRED)  # whoever signs


@dataclass(frozen=True, slots=True)
class Fleet:
    """The live fleet, as far as the user may see it; ``notes`` say what is missing.

    ``assumed``: there is no cluster, and approvals count as if they held.
    """

    deployments: Sequence[tuple[Deployed, float]]  # with the time of their creation
    approvals: Mapping[str, KnownApproval]
    mirrors: Mapping[str, MirrorSource]
    nodes: Sequence[NodeFacts | Unused]
    gpu_memory_utilization_percent: int
    profile: EngineProfile = DEFAULT_PROFILE
    notes: tuple[str, ...] = ()
    free_bytes: Mapping[str, int] = field(default_factory=dict)  # of stores, as agents tell it
    assumed: bool = False

    @property
    def usable(self) -> tuple[NodeFacts, ...]:
        """Those that can be planned with, by name."""
        found = (one for one in self.nodes if isinstance(one, NodeFacts))
        return tuple(sorted(found, key=lambda one: one.name))

    @property
    def unused(self) -> tuple[Unused, ...]:
        """Those whose GPUs cannot be planned with, by name."""
        found = (one for one in self.nodes if isinstance(one, Unused))
        return tuple(sorted(found, key=lambda one: one.name))


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would become of one wish. ``approval_problem`` is "" when the approval holds."""

    wish: DeploymentWish
    exists: bool
    approval_reason: Reason
    approval_message: str
    plan: DeploymentPlan | None
    replaces: int = 0  # engines that run now
    full: tuple[str, ...] = ()  # planned nodes whose store has no room for the weights
    assumed: bool = False  # planned without a cluster, as if the approval held
    numbers: Numbers | None = None  # None where nothing was planned

    @property
    def fine(self) -> bool:
        """Whether nothing stands in the way."""
        return (
            (self.assumed or self.approval_reason == reasons.APPROVED)
            and self.plan is not None
            and (self.plan.reason == reasons.PLANNED)
            and not self.full
        )

    @property
    def layout(self) -> LayoutStatus | None:
        """The layout as the status would tell it."""
        layout = self.plan.layout if self.plan else None
        target = target_queue_depth(self.wish.spec.scaling.target_queue_depth, layout)
        if self.plan is None or layout is None or target is None:
            return None
        return LayoutStatus.of(layout, target, self.plan.rejected, self.plan.without_override)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of the wishes, and of the whole fleet with them."""

    prospects: tuple[Prospect, ...]
    plans: Mapping[DeploymentKey, DeploymentPlan]


def look_ahead(wishes: Wishes, fleet: Fleet, now: float) -> Outlook:
    """Plans the whole fleet with the wishes in it.

    An approval that does not hold yet is planned as if it did: the layout does not depend on it.
    """
    approvals = {**fleet.approvals, **from_files(wishes.approvals, fleet.approvals, now)}
    wanted = _all(wishes, fleet, approvals, now)
    first = plan_fleet(_snapshot(wanted, fleet, None, now))
    # As the operator does: how many replicas a layout allows for is known once there is one.
    plans = plan_fleet(_snapshot(wanted, fleet, first, now)).deployments
    missing = _missing(plans.values())
    replaces = {one.key: replaced(one) for one in wanted}
    exist = {DeploymentKey(one.namespace, one.name) for one, _ in fleet.deployments}
    keys = [DeploymentKey(wish.namespace, wish.name) for wish in wishes.deployments]
    prospects = [
        replace(
            _prospect(wish, key in exist, approvals, plans[key]),
            replaces=replaces[key],
            full=_full(plans[key].weights, missing, fleet.free_bytes),
        )
        for key, wish in zip(keys, wishes.deployments, strict=True)
    ]
    if fleet.assumed:
        prospects = [_without_cluster(one, fleet.profile) for one in prospects]
    products = products_of(fleet.usable)
    prospects = [_numbered(one, products, now) for one in prospects]
    return Outlook(tuple(prospects), plans)


def _numbered(one: Prospect, products: Sequence[GPUProduct], now: float) -> Prospect:
    """With what it says of the number of its replicas."""
    facts = one.plan.facts if one.plan else None
    if one.plan is None or facts is None or facts.model is None:
        return one
    layout, known = one.plan.layout, {product.name for product in products}
    layouts = [layout] if layout and layout.product in known else []
    speed = next(iter(paced(facts.model.architecture, layouts, products)), None)
    return replace(one, numbers=numbers_of(one.wish.spec, speed, now))


def _without_cluster(one: Prospect, profile: EngineProfile) -> Prospect:
    """Nothing is known of what nodes hold; an approval stands in the way only where it refuses."""
    if one.plan is None:
        told = unknown_model(one.wish.spec.approval, profile)
        return replace(one, approval_message=told, assumed=True)
    plan = replace(one.plan, weights=())
    return replace(one, plan=plan, assumed=one.approval_reason not in _REFUSES)


def _missing(plans: Iterable[DeploymentPlan]) -> dict[str, dict[str, int]]:
    """How many bytes of which weights each node has to make room for yet, by node and digest."""
    found: dict[str, dict[str, int]] = {}
    for one in chain.from_iterable(plan.weights for plan in plans):
        # A pull that has begun reserved all of its files before the first byte.
        begun = one.state == "Pulling" and one.bytes_done > 0
        left = 0 if begun else one.bytes_total - one.bytes_done
        if left:
            found.setdefault(one.node, {})[one.manifest_digest] = left
    return found


def _full(
    weights: Sequence[WeightsOnNode],
    missing: Mapping[str, Mapping[str, int]],
    free: Mapping[str, int],
) -> tuple[str, ...]:
    """What the agents will refuse as StoreFull before the first byte, with all that is to come."""
    found = []
    for one in weights:
        on_node = missing.get(one.node, {})
        own, every = on_node.get(one.manifest_digest, 0), sum(on_node.values())
        if own and one.node in free and every > free[one.node]:
            others = f", and {bytes_text(every - own)} of other models" if every > own else ""
            found.append(
                f"node {one.node} has {bytes_text(free[one.node])} free for weights, "
                f"{bytes_text(own)} are missing there{others}"
            )
    return tuple(found)


def _all(
    wishes: Wishes, fleet: Fleet, approvals: Mapping[str, KnownApproval], now: float
) -> list[Wanted]:
    """Every deployment there will be: those that stand, and the wishes in their places."""
    found: dict[DeploymentKey, Wanted] = {}
    for live, created in fleet.deployments:
        key = DeploymentKey(live.namespace, live.name)
        approval = approvals.get(live.spec.approval) if live.spec else None
        model = approval.model if approval and approval.holds else None
        found[key] = Wanted(key, live.spec, model, live, created)
    for wish in wishes.deployments:
        key = DeploymentKey(wish.namespace, wish.name)
        approval = approvals.get(wish.spec.approval)
        model = approval.model if approval else None
        new = Wanted(key, wish.spec, model, None, now)
        found[key] = replace(found.get(key, new), spec=wish.spec, model=model)
    return [found[key] for key in sorted(found)]


def _snapshot(
    wanted: Sequence[Wanted], fleet: Fleet, before: FleetPlan | None, now: float
) -> FleetSnapshot:
    plans = before.deployments if before else {}
    layouts = {key: plan.layout for key, plan in plans.items()}
    return FleetSnapshot(
        deployments=tuple(facts_of(one, layouts.get(one.key), now) for one in wanted),
        nodes=fleet.usable,
        mirrors=fleet.mirrors,
        gpu_memory_utilization_percent=fleet.gpu_memory_utilization_percent,
        unused=fleet.unused,
        profile=fleet.profile,
    )


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
    refused = approval.refuses(wish.namespace)
    if refused:
        return Prospect(wish, exists, reasons.NAMESPACE_NOT_ALLOWED, refused, plan)
    if approval.holds:
        return Prospect(wish, exists, reasons.APPROVED, approval.message, plan)
    return Prospect(wish, exists, approval.reason, approval.message, plan)
