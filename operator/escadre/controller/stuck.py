"""Asks engines that stand still for one token, and notes those that hang, to be made anew.

Runs on the leader only, and is the one writer of `Memory.hung`. Which engine stands still is
core/scaling/progress.py's to say, which replica is made anew core/replicas/hung.py's. An engine
that gives a token, or of which a number moves, is none any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from escadre.clients.enginetoken import AskToken
from escadre.controller.context import Context
from escadre.controller.demand import readable
from escadre.controller.inquiring import AGAIN_SECONDS, ask_each, look_for_ever
from escadre.controller.keys import deployment_key
from escadre.core.scaling.progress import Hung, Patience, most_at_once, stands_still
from escadre.machinery.queue import Priority
from escadre.names import SERVING_PORT
from escadre.state.demand import patience_with
from escadre.state.gather import Sight
from escadre.state.views import PodView

__all__ = ["TOKEN_SECONDS", "StuckLoop"]

# Behind what it holds it waits for no longer than an engine that computes takes for a token each.
TOKEN_SECONDS: Final = 30.0
_PARALLEL: Final = 4


@dataclass(slots=True)
class StuckLoop:
    """Looks for engines that stand still, and tries them."""

    context: Context
    ask: AskToken
    again: dict[str, float] = field(default_factory=dict)  # by pod uid: not before, in seconds

    async def run(self) -> None:
        """Until cancelled."""
        await look_for_ever(self.once)

    async def once(self) -> None:
        """Tries all that are due; mostly there are none."""
        pods = {pod.uid: pod for pod in self.context.caches.pods.values() if readable(pod)}
        still = self._still(pods)
        self._forget(still)
        now = self.context.now()
        due = [
            pod
            for uid, pod in still.items()
            if uid not in self.context.memory.hung
            and pod.serving
            and self.again.get(uid, 0.0) <= now
        ]
        await ask_each(due, partial(self._try, most=most_at_once(len(pods))), _PARALLEL)

    def _still(self, pods: Mapping[str, PodView]) -> dict[str, PodView]:
        """Those that stand still, by uid; where all moved lately nothing more is looked at."""
        readings = self.context.memory.readings
        unmoved = {
            uid: reading
            for uid in pods
            if (reading := readings.get(uid)) and reading.moved != reading.demand.at
        }
        sight = self.context.sight() if unmoved else None
        return {
            uid: pods[uid]
            for uid, reading in unmoved.items()
            if sight and stands_still(reading, self._patience(pods[uid], sight).still_seconds)
        }

    def _patience(self, pod: PodView, sight: Sight) -> Patience:
        context = self.context
        records = context.caches.replicas.by("deployment", (pod.namespace, pod.deployment))
        layout = next((one.layout for one in records if one.slot == pod.slot), None)
        view = context.caches.deployments.get(pod.deployment, pod.namespace)
        service = sight.scalable(view).service if view else None
        return patience_with(layout, service, context.settings.scaling)

    def _forget(self, still: Mapping[str, PodView]) -> None:
        """What is gone, or moves again; of one that ends it is remembered until it is gone."""
        memory, pods = self.context.memory, self.context.caches.pods
        here = {pod.uid: pod for pod in pods.values() if pod.uid in memory.hung}
        for uid in [uid for uid in memory.hung if uid not in still]:
            if uid not in here or not here[uid].terminating:
                del memory.hung[uid]
                if uid in here:
                    self._wake(here[uid])
        for uid in self.again.keys() - still.keys():
            del self.again[uid]

    async def _try(self, pod: PodView, *, most: int) -> None:
        context, log = self.context, structlog.get_logger()
        token = await self.ask(pod.ip, SERVING_PORT, pod.deployment)
        reading = context.memory.readings.get(pod.uid)
        log.warning("engine stands still", pod=pod.name, namespace=pod.namespace, it=token.message)
        self.again[pod.uid] = context.now() + AGAIN_SECONDS
        if token.came != "No" or reading is None or reading.moved is None:
            return
        if len(context.memory.hung) >= most:
            return  # a fault of so many is ours or the network's, and nothing is lost by waiting
        context.memory.hung[pod.uid] = Hung(reading.moved, token.message, reading.demand.awaited)
        self._wake(pod)

    def _wake(self, pod: PodView) -> None:
        key = deployment_key(pod.namespace, pod.deployment)
        self.context.wake(key, 0.0, Priority.NORMAL)
