"""Demand: scrapes the engines, runs the scaling policy, and remembers what it decided.

The policy itself is core/scaling/policy.py; here are the clock, the scraping and the memory. The
loop runs on the leader only.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from escadre.api.deployment import LastScale
from escadre.clients.engine import Scrape, ScrapeFailure
from escadre.controller.context import Context
from escadre.controller.keys import FLEET, deployment_key
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.scaling.policy import Decision, Sample, ScaleState, decide, start
from escadre.machinery.events import ObjectRef
from escadre.names import API_VERSION, SERVING_PORT
from escadre.state.judge import Approvals, DeploymentApproval
from escadre.state.memory import EngineReading
from escadre.state.observe import QUIET_READINGS, Observed, observe
from escadre.state.views import DeploymentView, PodView

__all__ = ["Scaler", "desired_replicas"]

_PARALLEL = 64
_SPREAD = 0.7  # of the time between two rounds
_BATCH = 50  # deployments judged at a stretch


def desired_replicas(
    context: Context, view: DeploymentView, approval: DeploymentApproval, now: float
) -> int:
    """How many replicas the deployment is to have; new bounds apply at once."""
    key = DeploymentKey(view.namespace, view.name)
    state = context.memory.scale.get(key)
    fresh = "replicas" not in view.status  # never told of a number before
    observed: tuple[Observed, ...] | None = None
    if state is None:
        observed = observe(context.caches, context.memory, view, approval.model, context.platform)
        staying = sum(
            not (one.view.drain and one.view.drain.cause == "ScaleDown") for one in observed
        )
        told = (view.status.get("replicas") or {}).get("desired", 0)
        least = 0
        if fresh and approval.approved and view.spec is not None:
            least = view.spec.scaling.min_replicas  # not only after a plan without replicas
        state = start(max(staying, int(told), least), now)
        context.memory.scale[key] = state
    if view.spec is None:
        return state.desired
    scaling = view.spec.scaling
    within = scaling.min_replicas <= state.desired <= scaling.max_replicas
    if not within or (fresh and observed is not None):
        if observed is None:
            observed = observe(
                context.caches, context.memory, view, approval.model, context.platform
            )
        judge_demand(context, view, approval, observed, now, silent=fresh)
    return context.memory.scale[key].desired


def judge_demand(
    context: Context,
    view: DeploymentView,
    approval: DeploymentApproval,
    observed: tuple[Observed, ...],
    now: float,
    *,
    silent: bool = False,
) -> bool:
    """Runs the policy once; returns whether the number of replicas changed.

    ``silent``: the first number of a new deployment is no change to tell of.
    """
    if view.spec is None:
        return False
    key = DeploymentKey(view.namespace, view.name)
    memory, scaling = context.memory, view.spec.scaling
    plan = memory.plan_of(key)
    target = scaling.target_queue_depth or (
        plan.layout.target_queue_depth if plan and plan.layout else None
    )
    state = memory.scale.get(key) or ScaleState(desired=scaling.min_replicas, started_at=now)
    decision = decide(
        state,
        [_sample(context, one) for one in observed],
        minimum=scaling.min_replicas,
        maximum=scaling.max_replicas,
        target=target or 1,
        now=now,
        stabilization_seconds=context.settings.scaling.down_stabilization_seconds,
        stale_seconds=context.settings.scaling.stale_seconds,
        # Without a layout nothing tells what a replica holds: no demand justifies another.
        may_grow=approval.approved and target is not None,
    )
    before = memory.decisions.get(key)
    memory.scale[key] = decision.state
    memory.decisions[key] = decision
    if decision.desired != state.desired and not silent:
        _tell(context, view, state.desired, decision, target or 1)
    if before is None or (before.reason, before.message) != (decision.reason, decision.message):
        context.wake(deployment_key(view.namespace, view.name), 0.0)
    return decision.desired != state.desired


def _tell(
    context: Context, view: DeploymentView, was: int, decision: Decision, target: int
) -> None:
    key = DeploymentKey(view.namespace, view.name)
    context.memory.last_scale[key] = LastScale(
        from_=was,
        to=decision.desired,
        demand=decision.demand,
        target=target,
        reason=decision.reason,
        at=datetime.fromtimestamp(int(context.now()), UTC),
    )
    context.recorder.record(
        ObjectRef(API_VERSION, "ModelDeployment", view.name, view.namespace, view.uid),
        "Scaled",
        f"from {was} to {decision.desired} replicas: {decision.reason}: {decision.message}",
        done=True,
    )


def _sample(context: Context, one: Observed) -> Sample:
    reading = context.memory.readings.get(one.pod.uid) if one.pod else None
    phase: Literal["loading", "ready", "draining", "failing"]
    if one.view.drain is not None or one.view.terminating:
        phase = "draining"
    elif one.view.state == "Ready":
        phase = "ready"
    else:
        phase = "failing" if one.view.state == "Failing" else "loading"
    return Sample(
        slot=one.view.slot,
        phase=phase,
        running=reading.running if reading else None,
        waiting=reading.waiting if reading else None,
        at=reading.at if reading else None,
    )


@dataclass(slots=True)
class Scaler:
    """The loop: scrape all, then judge all."""

    context: Context
    scrape: Scrape
    failed: Callable[[str], None]  # counts a failed scrape by its cause

    async def run(self) -> None:
        """Until cancelled; a failure of one engine never stops the others."""
        loop = asyncio.get_running_loop()
        pause = self.context.settings.scaling.scrape_seconds
        while True:
            started = loop.time()
            await self.once()
            await asyncio.sleep(max(0.1, pause - (loop.time() - started)))

    async def once(self) -> None:
        """One round over all engines and deployments."""
        pods = [
            pod
            for pod in self.context.caches.pods.values()
            if pod.component == "engine" and pod.ready and pod.ip and not pod.finished
        ]
        await self._read_all(pods)
        alive = {pod.uid for pod in pods}
        readings = self.context.memory.readings
        for uid in [uid for uid in readings if uid not in alive]:
            del readings[uid]
        await self._judge_all()

    async def _read_all(self, pods: list[PodView]) -> None:
        """Some at once; many by turns over the round, so that an edit does not wait for them."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        pace = 0.0
        if len(pods) > _PARALLEL:
            pace = self.context.settings.scaling.scrape_seconds * _SPREAD / len(pods)
        gate = asyncio.Semaphore(_PARALLEL)

        async def one(pod: PodView) -> None:
            try:
                await self._read(pod)
            finally:
                gate.release()

        async with asyncio.TaskGroup() as group:
            for number, pod in enumerate(pods):
                await asyncio.sleep(started + number * pace - loop.time())
                await gate.acquire()
                group.create_task(one(pod))

    async def _read(self, pod: PodView) -> None:
        result = await self.scrape(pod.ip, SERVING_PORT)
        readings, now = self.context.memory.readings, self.context.now()
        before = readings.get(pod.uid)
        if isinstance(result, ScrapeFailure):
            self.failed(result.cause)
            if before is not None:
                readings[pod.uid] = replace(before, failure=result.message)
            return
        now_serving = self.context.caches.pods.get(pod.name, pod.namespace)
        reading = EngineReading(result.running, result.waiting, now)
        if now_serving is not None and not pod.serving and reading.in_flight == 0:
            quiet = (before.quiet if before else 0) + 1
            reading = replace(reading, quiet=quiet)
            if quiet == QUIET_READINGS:
                self.context.wake(deployment_key(pod.namespace, pod.deployment), 0.0)
        readings[pod.uid] = reading

    async def _judge_all(self) -> None:
        context = self.context
        now = context.now()
        approvals = Approvals(
            context.caches, context.settings, now, context.policies(), context.memory.models
        )
        changed = False
        for number, key in enumerate(list(context.memory.scale), 1):
            if number % _BATCH == 0:
                await asyncio.sleep(0)  # an edit does not wait for a thousand judgements
            view = context.caches.deployments.get(key.name, key.namespace)
            if view is None or view.terminating or key not in context.memory.scale:
                continue
            approval = approvals.of(view)
            observed = observe(
                context.caches, context.memory, view, approval.model, context.platform
            )
            changed |= judge_demand(context, view, approval, observed, now)
        if changed:
            context.wake(FLEET, 0.0)
