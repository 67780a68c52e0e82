"""Asks each engine once which version of vLLM it is, and wakes its deployment where that matters.

Runs on the leader only, and is the one writer of `Memory.versions`. An engine that does not answer
is asked again a minute later; what is made of the answers is core/status/engine.py's to say.
"""

from dataclasses import dataclass, field
from typing import Final

from escadre.clients.engineversion import AskVersion
from escadre.controller.context import Context
from escadre.controller.demand import readable
from escadre.controller.inquiring import AGAIN_SECONDS, ask_each, look_for_ever
from escadre.controller.keys import deployment_key
from escadre.core.profile import minor_of
from escadre.machinery.queue import Priority
from escadre.names import SERVING_PORT, ConditionType
from escadre.state.views import PodView

__all__ = ["VersionLoop"]

_PARALLEL: Final = 8


@dataclass(slots=True)
class VersionLoop:
    """Looks for engines that were not asked yet, and asks them."""

    context: Context
    ask: AskVersion
    again: dict[str, float] = field(default_factory=dict)  # by pod uid: not before, in seconds

    async def run(self) -> None:
        """Until cancelled."""
        await look_for_ever(self.once)

    async def once(self) -> None:
        """Asks all that are due; at rest there are none."""
        context, versions = self.context, self.context.memory.versions
        pods = {pod.uid: pod for pod in context.caches.pods.values() if pod.component == "engine"}
        for known in (versions, self.again):
            for uid in known.keys() - pods.keys():
                del known[uid]
        now = context.now()
        due = [
            pod
            for uid, pod in pods.items()
            if uid not in versions and self.again.get(uid, 0.0) <= now and readable(pod)
        ]
        await ask_each(due, self._ask, _PARALLEL)

    async def _ask(self, pod: PodView) -> None:
        said = await self.ask(pod.ip, SERVING_PORT)
        if said is None:
            self.again[pod.uid] = self.context.now() + AGAIN_SECONDS
            return
        self.context.memory.versions[pod.uid] = said
        if self._matters(pod, said):
            key = deployment_key(pod.namespace, pod.deployment)
            self.context.wake(key, 0.0, Priority.NORMAL)

    def _matters(self, pod: PodView, said: str) -> bool:
        """Whether the status says otherwise than before this answer, or may."""
        view = self.context.caches.deployments.get(pod.deployment, pod.namespace)
        if view is None:
            return False
        told = any(one.type == ConditionType.ENGINE_MISMATCH for one in view.told.conditions)
        return told or (bool(said) and minor_of(said) != self.context.gather.engine.asked)
