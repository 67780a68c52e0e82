"""How a deployment stands towards a change of the platform, by its plan and its replicas."""

from escadre.api.deployment import Layout
from escadre.core.engines.lastanswer import drain_seconds
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.facts.model import ApprovedModel
from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.children import targets_of
from escadre.core.replicas.order import Member, Standing, standing_of
from escadre.settings import Settings
from escadre.state.observe import Observed

__all__ = ["drain_limit", "standing"]


def drain_limit(settings: Settings, layout: Layout | None, model: ApprovedModel | None) -> float:
    """Seconds for which a replica may answer what it has, once it is to leave."""
    architecture = model.architecture if model else None
    return drain_seconds(settings.engine.drain_seconds, layout, architecture)


def standing(
    key: DeploymentKey,
    plan: DeploymentPlan,
    replicas: tuple[Observed, ...],
    model: ApprovedModel | None,
    settings: Settings,
) -> Standing:
    """Of the replicas that have a slot."""
    targets = {one.slot: one for one in targets_of(plan)}
    members = (
        Member(one.record.name, one.view, targets[one.view.slot], _made(one))
        for one in replicas
        if one.view.slot in targets
    )
    drain = drain_limit(settings, plan.layout, model)
    return standing_of(key, plan.facts.min_replicas, members, drain)


def _made(one: Observed) -> float | None:
    return one.pod.created if one.pod else None
