"""The demand loop: reads every engine, steps the scaling of every deployment, keeps the outcome.

Runs on the leader only, and is the one writer of what scaling remembers. How many replicas are
wanted, and when an engine is quiet, is core/scaling's to say; here are the clock, the order of the
reading and the telling. An engine that just became ready is read when its deployment is looked at,
so that Ready and what scaling makes of it are told in one status.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from escadre import reasons
from escadre.clients.engine import Scrape, ScrapeFailure, Target
from escadre.controller.context import Context
from escadre.controller.keys import Key, deployment_key
from escadre.controller.passes import about
from escadre.controller.statuswriter import wait_of_numbers
from escadre.core.counting import count
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.scaling.demand import UNKNOWN, Reading, read
from escadre.core.scaling.history import KEPT, Change
from escadre.core.scaling.policy import Decision, Sample
from escadre.core.scaling.service import Service
from escadre.core.scaling.step import Move, step
from escadre.machinery.queue import Priority
from escadre.names import SERVING_PORT, ConditionType
from escadre.state.demand import lost_of, samples_of, windows_of
from escadre.state.gather import Sight
from escadre.state.memory import Scaled
from escadre.state.views import DeploymentView, PodView

__all__ = ["DemandLoop", "readable"]

_PARALLEL = 64
_TURN = 25  # engines begun with at a time: to wake for each costs more than a quiet reading
_SPREAD = 0.7  # of the time between two rounds
_BATCH = 10  # deployments judged at a stretch
# Seconds: how long a round waits in all for edits, and until it looks again whether they are done.
_GIVEN = 0.5
_LOOK = 0.005
_NEW_SECONDS = 5.0  # what is ready for longer waits for its turn
_AT_ONCE_SECONDS = 0.5  # so long its deployment waits for an answer


@dataclass(slots=True)
class DemandLoop:
    """Scrape all, then judge all."""

    context: Context
    scrape: Scrape
    failed: Callable[[str], None]  # counts a failed scrape by its cause
    judged: Callable[[float], None] = lambda _: None  # is told how long a round's decisions took
    given: float = 0.0  # seconds of the round that edits had

    async def run(self) -> None:
        """Until cancelled; a failure of one engine never stops the others."""
        loop = asyncio.get_running_loop()
        pause = self.context.settings.scaling.scrape_seconds
        self.context.engines.read_new = self.read_new
        while True:
            started = loop.time()
            await self.once()
            await asyncio.sleep(max(0.1, pause - (loop.time() - started)))

    async def once(self) -> None:
        """One round over all engines and deployments."""
        self.given = 0.0
        pods = self.context.caches.pods
        await self._read_all([pod for pod in pods.values() if readable(pod)])
        alive = {pod.uid for pod in pods.values() if readable(pod)}  # some became so meanwhile
        readings = self.context.memory.readings
        for uid in [uid for uid in readings if uid not in alive]:
            del readings[uid]
        await self._judge_all()

    async def read_new(self, key: Key) -> None:
        """Reads the engines of a deployment that became ready just now, and judges it then."""
        context, now = self.context, self.context.now()
        new = [
            pod
            for pod in context.caches.pods.by("deployment", (key.namespace, key.name))
            if readable(pod)
            and pod.uid not in context.memory.readings
            and now - pod.ready_changed < _NEW_SECONDS
        ]
        plan = context.memory.plan_of(DeploymentKey(key.namespace, key.name))
        if not new or plan is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_AT_ONCE_SECONDS):
                await asyncio.gather(*(self._read(pod) for pod in new))
        view = context.caches.deployments.get(key.name, key.namespace)
        if view is not None and not view.terminating:
            decision = self._step(view, context.sight())
            if decision is not None and decision.changed:
                context.replan()

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
                if number % _TURN == 0:
                    await asyncio.sleep(started + number * pace - loop.time())
                    await self._give_way()
                await gate.acquire()
                group.create_task(one(pod))

    async def _give_way(self) -> bool:
        """An edit or a plan waits for no more than what was begun; returns whether one was there.

        Where there are always some, as in a rollout of hundreds, a round takes so much longer.
        """
        clock, waited = asyncio.get_running_loop().time, False
        while self.given < _GIVEN and self.context.urgent():
            began, waited = clock(), True
            await asyncio.sleep(_LOOK)
            self.given += max(_LOOK, clock() - began)
        return waited

    async def _read(self, pod: PodView) -> None:
        leaving = pod.terminating or not pod.serving
        result = await self.scrape(Target(pod.ip, SERVING_PORT, pod.uid, leaving))
        readings, now = self.context.memory.readings, self.context.now()
        before = readings.get(pod.uid)
        if isinstance(result, ScrapeFailure):
            self.failed(result.cause)
            readings[pod.uid] = (before or Reading(UNKNOWN)).failed(result.message)
            return
        there = self.context.caches.pods.get(pod.name, pod.namespace) is not None
        reading = read(before, replace(result, at=now), leaving=there and not pod.serving)
        readings[pod.uid] = reading
        if reading.idle and not (before and before.idle):
            self.context.wake(deployment_key(pod.namespace, pod.deployment), 0.0, Priority.NORMAL)

    async def _judge_all(self) -> None:
        """Those that a plan was made for: only a layout tells what a replica holds."""
        context, plan, sight = self.context, self.context.memory.plan, self.context.sight()
        changed, spent, clock = False, 0.0, asyncio.get_running_loop().time
        keys = [*(plan.deployments if plan else ())]
        turn = context.settings.scaling.scrape_seconds / max(1, len(keys))
        for number, key in enumerate(keys):
            if number % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)
                if await self._give_way():
                    sight = context.sight()
            began = clock()
            view = context.caches.deployments.get(key.name, key.namespace)
            if view is not None and not view.terminating:
                changed |= self.judge(view, sight, number * turn)
            spent += clock() - began
        self.judged(spent)
        if changed:
            context.replan()

    def judge(self, view: DeploymentView, sight: Sight, turn: float = 0.0) -> bool:
        """One step for a deployment; returns whether the number of replicas changed.

        Numbers alone are told ``turn`` seconds after they may be: a round judges all at once, and
        an edit is not to wait behind the statuses of hundreds.
        """
        before = self.context.memory.scaled.get(view.uid)
        after = self._step(view, sight)
        if after is None:
            return False
        if (wait := self._tell_in(before, after, view, turn)) is not None:
            self.context.wake(deployment_key(view.namespace, view.name), wait, Priority.NORMAL)
        return after.changed

    def _tell_in(
        self, before: Scaled | None, now: Decision, view: DeploymentView, turn: float
    ) -> float | None:
        """In how many seconds a decision is told; None where it says what was told before.

        Other numbers alone are told no sooner than a status may be written for them: under load
        they differ in each round, and a pass that may not write would be for nothing.
        """
        if before is None or before.decision is None:
            return 0.0 if _is_news(now, view) else None
        told = before.decision
        if (told.reason, told.message) == (now.reason, now.message):
            return None
        if told.reason == now.reason and told.message.alike(now.message):
            return wait_of_numbers(self.context, view.uid) + turn
        return 0.0

    def _step(self, view: DeploymentView, sight: Sight) -> Decision | None:
        """The next step, remembered; None while nothing can be decided."""
        context, memory = self.context, self.context.memory
        before = memory.scaled.get(view.uid)
        seen = sight.scalable(view)
        after = step(
            before.state if before else None,
            seen,
            self._samples(view, sight, seen.service),
            windows_of(context.settings.scaling),
            sight.now,
        )
        known = before.changes if before else ()
        if after.move is not None:
            known = (*known, _change(after.move, sight.now))[-KEPT:]
        memory.scaled[view.uid] = Scaled(after.state, after.decision, known)
        if after.state.learned is not None:
            memory.note_learned(after.state.learned)
        if after.move is not None:
            _tell(context, view, after.move)
        return after.decision

    def _samples(self, view: DeploymentView, sight: Sight, service: Service | None) -> list[Sample]:
        """One for each replica, and for engines that hang and leave.

        Without any of these, what was read of the engines makes the replicas no other samples.
        """
        context, memory = self.context, self.context.memory
        hung, settings = memory.hung, context.settings.scaling
        observed = sight.observed(view) if hung else sight.replicas(view)
        replicas = samples_of(observed, memory.readings, service, settings, sight.now)
        if not hung:
            return replicas
        pods = context.caches.pods.by("deployment", (view.namespace, view.name))
        return [*replicas, *lost_of(observed, pods, hung)]


def _is_news(decision: Decision, view: DeploymentView) -> bool:
    """Whether the status tells of scaling in other words."""
    words = (decision.reason, str(decision.message))
    return all(
        (one.reason, one.message) != words
        for one in view.told.conditions
        if one.type == ConditionType.SCALING
    )


def readable(pod: PodView) -> bool:
    """Whether a pod is an engine that answers."""
    return bool(pod.component == "engine" and pod.ready and pod.ip and not pod.finished)


def _change(move: Move, now: float) -> Change:
    decision = move.decision
    return Change(move.was, move.to, decision.demand, move.target, decision.reason, int(now))


def _tell(context: Context, view: DeploymentView, move: Move) -> None:
    context.recorder.record(
        about(view),
        reasons.SCALED,
        f"from {move.was} to {count(move.to, 'replica')}: "
        f"{move.decision.reason}: {move.decision.message}",
        done=True,
    )
