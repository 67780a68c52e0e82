"""The key fleet: the only place where GPUs and nodes are given out and pulls admitted."""

from escadre.controller.context import Context
from escadre.controller.keys import deployment_key, node_key
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.fleet.plan import plan_fleet
from escadre.state.demand import desired_replicas, scalable
from escadre.state.gather import deployment_facts, snapshot
from escadre.state.judge import Approvals, DeploymentApproval
from escadre.state.memory import PlannedFor
from escadre.state.observe import observe
from escadre.state.views import DeploymentView

__all__ = ["reconcile_fleet"]


async def reconcile_fleet(context: Context) -> float | None:
    """Plans all deployments anew and wakes those, and the nodes, whose plan is another now."""
    now = context.now()
    caches, memory, settings = context.caches, context.memory, context.settings
    approvals = Approvals(caches, settings, now, context.policies(), memory.models)
    facts = []
    planned_for: dict[DeploymentKey, PlannedFor] = {}
    for view in caches.deployments.values():
        if view.terminating:
            continue
        approval = approvals.of(view)
        desired = _desired(context, view, approval, now)
        one = deployment_facts(caches, memory, context.platform, view, approval, desired)
        facts.append(one)
        planned_for[one.key] = PlannedFor.of(view, approval)
    plan = plan_fleet(snapshot(caches, settings, tuple(facts), now))
    living = [*caches.deployments.values(), *caches.approvals.values()]
    memory.keep_only({one.uid for one in living}, {one.name for one in caches.approvals.values()})
    before, before_for = memory.plan, memory.planned_for
    memory.plan, memory.planned_for = plan, planned_for
    for key, value in plan.deployments.items():
        old = before.deployments.get(key) if before else None
        if old != value or before_for.get(key) != planned_for[key]:
            context.wake(deployment_key(key.namespace, key.name), 0.0)
    for name, wanted in plan.nodes.items():
        if before is None or before.nodes.get(name) != wanted:
            context.wake(node_key(name), 0.0)
    return None


def _desired(
    context: Context, view: DeploymentView, approval: DeploymentApproval, now: float
) -> int:
    """The number that scaling decided last, or the one it will begin with."""
    memory = context.memory
    known = memory.scaled.get(view.uid)
    plan = memory.plan_of(DeploymentKey(view.namespace, view.name))
    observed = (
        observe(context.caches, memory, view, approval.model, context.platform)
        if known is None
        else ()  # counted only to begin with
    )
    seen = scalable(view, approval, plan.layout if plan else None, observed)
    return desired_replicas(known.state if known else None, seen, now)
