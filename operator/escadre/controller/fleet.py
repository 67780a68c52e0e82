"""The key fleet: the only place where GPUs and nodes are given out and pulls admitted.

Also the only one where the turn of a platform change is given on.
"""

import asyncio
from typing import Final

from escadre.controller.context import Context
from escadre.controller.keys import deployment_key, node_key
from escadre.core.facts.deployment import DeploymentFacts
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.fleet.freshness import edited, stands
from escadre.core.fleet.plan import DeploymentPlan, FleetPlan, Remembered, replan
from escadre.core.replicas.order import Order, plan_order
from escadre.machinery.queue import Priority

__all__ = ["reconcile_fleet"]

_LARGE: Final = 500  # deployments and nodes; a smaller plan takes less than some hundredths


async def reconcile_fleet(context: Context) -> float | None:
    """Plans all deployments anew and wakes those, and the nodes, whose plan is another now.

    Facts that are those of the last plan need no other one, and the pass begins with what the last
    one left. In a large fleet each part takes a good
    part of a second, seconds where processors are few: others have a turn in between.
    """
    memory, began = context.memory, context.now()
    snapshot = context.sight().snapshot()
    _forget_gone(context)
    took = context.now() - began
    before = memory.plan
    if before is None or before.made_for != snapshot:
        await asyncio.sleep(0)
        began = context.now()
        memory.last_pass = await _replan(snapshot, memory.last_pass)
        memory.plan = memory.last_pass.plan
        _wake(context, before, memory.plan)
        took += context.now() - began
    await asyncio.sleep(0)
    began, sight = context.now(), context.sight()
    order, memory.order = memory.order, plan_order(sight.standings(), sight.now)
    _wake_held(context, order, memory.order)
    memory.planned = context.now()
    memory.planning = took + memory.planned - began
    return memory.order.again


async def _replan(snapshot: FleetSnapshot, last: Remembered | None) -> Remembered:
    """Beside the loop when it is large: nothing of what it reads is changed by anybody.

    A loop that stands for seconds answers no probe, and takes every engine that it was just
    reading for one that does not answer.
    """
    if len(snapshot.deployments) + len(snapshot.nodes) < _LARGE:
        return replan(snapshot, last)
    return await asyncio.to_thread(replan, snapshot, last)


def _forget_gone(context: Context) -> None:
    caches = context.caches
    living = [
        *caches.deployments.values(),
        *caches.approvals.values(),
        *caches.mirrors.values(),
        *caches.gpunodes.values(),
    ]
    context.memory.keep_only({one.uid for one in living})
    context.gather.forget_gone()


def _wake_held(context: Context, before: Order, now: Order) -> None:
    """Whoever waits for another one now, or no longer."""
    for key in before.made_for.keys() | now.made_for.keys():
        if before.hold(key) != now.hold(key):
            context.wake(deployment_key(key.namespace, key.name), 0.0, Priority.NORMAL)


def _urgency(context: Context, old: DeploymentPlan | None, now: DeploymentFacts) -> Priority:
    """As urgent as the pass was that found no plan to stand, and so could not tell anything."""
    if now.uid in context.memory.unsaid:
        return Priority.BEGUN
    return Priority.USER if old is not None and edited(old.facts, now) else Priority.NORMAL


def _wake(context: Context, before: FleetPlan | None, now: FleetPlan) -> None:
    for key, plan in now.deployments.items():
        old = before.deployments.get(key) if before else None
        # One that the old plan fitted no more may wait for this one, though it asks for the same.
        if old is not plan and (old != plan or not stands(old, plan.facts)):
            priority = _urgency(context, old, plan.facts)
            context.wake(deployment_key(key.namespace, key.name), 0.0, priority)
    for name in now.nodes:
        if before is None or _told(before, name) != _told(now, name):
            context.wake(node_key(name), 0.0, Priority.NORMAL)


def _told(plan: FleetPlan, node: str) -> tuple[object, ...]:
    """A mirror that was made anew has the same name and generation, but stands elsewhere."""
    return plan.nodes.get(node), plan.mirrors.get(node)
