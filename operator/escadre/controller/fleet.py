"""The key fleet: the only place where GPUs and nodes are given out and pulls admitted."""

from escadre.controller.context import Context
from escadre.controller.keys import deployment_key, node_key
from escadre.core.fleet.freshness import stands
from escadre.core.fleet.plan import FleetPlan, plan_fleet

__all__ = ["reconcile_fleet"]


async def reconcile_fleet(context: Context) -> float | None:
    """Plans all deployments anew and wakes those, and the nodes, whose plan is another now.

    Facts that are those of the last plan need no other one.
    """
    memory, caches = context.memory, context.caches
    snapshot = context.sight().snapshot()
    living = [*caches.deployments.values(), *caches.approvals.values()]
    memory.keep_only({one.uid for one in living})
    context.gather.forget_gone()
    before = memory.plan
    if before is not None and before.made_for == snapshot:
        return None
    memory.plan = plan_fleet(snapshot)
    _wake(context, before, memory.plan)
    return None


def _wake(context: Context, before: FleetPlan | None, now: FleetPlan) -> None:
    for key, plan in now.deployments.items():
        old = before.deployments.get(key) if before else None
        # One that the old plan fitted no more may wait for this one, though it asks for the same.
        if old != plan or not stands(old, plan.facts):
            context.wake(deployment_key(key.namespace, key.name), 0.0)
    for name, wanted in now.nodes.items():
        if before is None or before.nodes.get(name) != wanted:
            context.wake(node_key(name), 0.0)
