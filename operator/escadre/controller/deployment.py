"""The key deployment/ns/name: the children of one ModelDeployment, from the last fleet plan.

see (caches) -> decide (core) -> execute (children) -> status, which is written last.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from escadre.clients.kube import PODS, Conflict, Guard, NotFound
from escadre.controller.children import Applier
from escadre.controller.context import Context
from escadre.controller.execute import Executor, delete
from escadre.controller.intents import Intents
from escadre.controller.keys import FLEET_DEBOUNCE, Begun, Key
from escadre.controller.passes import Pass
from escadre.controller.report import report, tell
from escadre.controller.turns import stored
from escadre.controller.wished import Wished
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.fleet.freshness import edited, stands
from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.children import plan_orphans
from escadre.core.replicas.leaving import LOADING_GRACE_SECONDS, Leaving, hurried
from escadre.core.replicas.steps import Existing, Problem
from escadre.core.status.moments import MOMENT_SECONDS
from escadre.names import ConditionType, replica_name
from escadre.state.children import left_behind, orphans
from escadre.state.lines import deadlines, patience_of

__all__ = ["reconcile_deployment"]

PROBLEM_SECONDS = 30.0


async def reconcile_deployment(context: Context, key: Key) -> float | None:
    """One pass; returns in how many seconds to look again, None for never by itself."""
    await context.engines.read_new(key)
    left = await _pass(context, key)
    await _hurry(context, key)
    return left


async def _pass(context: Context, key: Key) -> float | None:
    await _drop_left(context, key)
    view = context.caches.deployments.get(key.name, key.namespace)
    if view is None or view.terminating:
        return None
    sight = context.sight()
    plan = context.memory.plan_of(DeploymentKey(key.namespace, key.name))
    facts = sight.facts(view)
    if plan is None or not stands(plan, facts):
        context.replan(_patience(context, plan, facts))  # its pass wakes this key again
        return None
    this = Pass.of(sight, view, plan)
    intents = Intents(this, context.settings, context.gather.platform)
    applier = Applier(context.api, view.uid, context.memory.matched)
    wished = Wished(context.api, context.caches, view)
    executor = Executor(this, intents, context.caches, applier, wished)
    left: float | None = None
    try:
        await executor.carry_out()
    finally:
        # Also after a failed write: the status says what stands in the way.
        if wished.stands:
            left = await report(context, this, executor.problems)
            tell(context, this, executor)
    if not wished.stands:
        return None
    told = (context.caches.deployments.get(key.name, key.namespace) or view).told  # by now
    ends = deadlines(this.observed, context.caches, told, patience_of(context.settings))
    waits = [end - this.sight.now for end in ends if end > this.sight.now]
    if applier.changed:  # what comes of it is told then
        waits.append(MOMENT_SECONDS)
    again = _next_look(this, [left, *waits], executor.problems)
    # Of one that serves a moment's news may wait: hundreds of them would go before an edit.
    ready = stored(told.conditions, ConditionType.READY)
    begun = applier.changed or ready is None or ready[0] != "True"
    return Begun(again) if again is not None and again <= MOMENT_SECONDS and begun else again


def _patience(context: Context, plan: DeploymentPlan | None, now: DeploymentFacts) -> float | None:
    """In how many seconds to plan anew; None: when it is time.

    An edit waits for no burst, only after a plan for as long as that took: edits one after the
    other leave half of the time. What else changed, a lost pod or the demand, is gathered: what is
    free goes by age then, not to whoever is seen first.
    """
    if plan is None or not edited(plan.facts, now):
        return None
    return context.memory.rest_of_edits(context.now(), FLEET_DEBOUNCE)


async def _hurry(context: Context, key: Key) -> None:
    """Lets pods that leave end soon where they load or hang, also those of what is gone."""
    for pod in context.caches.pods.by("deployment", (key.namespace, key.name)):
        known = pod.slot is not None and pod.controller.startswith(
            f"{replica_name(key.name, pod.slot)}-"
        )
        hung = pod.uid in context.memory.hung
        if known and hurried(Leaving(pod.terminating, pod.loading, pod.grace, hung)):
            with suppress(NotFound):  # gone meanwhile
                await context.api.delete(
                    PODS,
                    pod.name,
                    namespace=pod.namespace,
                    guard=Guard(uid=pod.uid),
                    grace_seconds=LOADING_GRACE_SECONDS,
                )


async def _drop_left(context: Context, key: Key) -> None:
    """Deletes what earlier ones of the name left: at once, not after the garbage collector's queue.

    Children only as they were seen: with ``--cascade=orphan`` their owner is taken off them before
    it is gone.
    """
    left = left_behind(context.caches, key.namespace, key.name)
    gone = [one for each in left.values() for one in each]
    if context.caches.deployments.get(key.name, key.namespace) is None:
        gone += plan_orphans(orphans(context.caches, key.namespace, key.name))
    each = (_drop(context, one) for one in gone)
    for result in await asyncio.gather(*each, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
    for uid in left:
        context.caches.ended.settle(uid)


async def _drop(context: Context, one: Existing) -> None:
    with suppress(Conflict):  # another one by now
        await delete(context.api, context.caches, one)


def _next_look(
    this: Pass, waits: Sequence[float | None], problems: Sequence[Problem]
) -> float | None:
    # A foreign object or a quota that goes away is not watched.
    every = [*waits, this.steps.again, PROBLEM_SECONDS if problems else None]
    return min((wait for wait in every if wait is not None), default=None)
