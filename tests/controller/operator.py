"""The real operator on the fake API server, without watches: before a round it lists anew."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.controller.world import World
from tests.fakes.kube import FakeApi

from escadre.clients.engine import Target
from escadre.clients.kube import Conflict
from escadre.controller.context import Context
from escadre.controller.demand import DemandLoop
from escadre.controller.keys import FLEET, Key, approval_key, deployment_key, mirror_key, node_key
from escadre.controller.manager import reconcile
from escadre.core.scaling.demand import Demand, read
from escadre.errors import Retryable
from escadre.machinery.events import EventRecorder
from escadre.machinery.queue import Priority
from escadre.state.caches import Caches
from escadre.state.memory import Memory

__all__ = ["Operator", "context_of"]

QUIET_ROUNDS = 4


def context_of(world: World, api: FakeApi, wake: Callable[[Key, float, Priority], None]) -> Context:
    """What the reconciles of a fresh process are given."""
    return Context(
        api=api,
        caches=Caches(api, "escadre-system", world.time),
        memory=Memory(),
        settings=world.settings,
        recorder=EventRecorder(api, instance="test"),
        now=world.time,
        wake=wake,
    )


@dataclass
class Operator:
    """One life of the operator: its memory dies with it."""

    world: World
    api: FakeApi
    context: Context
    woken: set[Key] = field(default_factory=set)

    @staticmethod
    def start(world: World) -> "Operator":
        """A fresh process."""
        api = world.server.client("escadre")
        woken: set[Key] = set()
        context = context_of(world, api, lambda key, _, __: woken.add(key))
        return Operator(world, api, context, woken)

    async def round(self) -> None:
        """Lists everything, reads the engines, and looks at every key once."""
        caches = self.context.caches
        for informer in caches.all():
            await informer.refresh()
        self._read_engines()
        await self._one(FLEET)
        for one in caches.deployments.values():
            self.judge(one.name)
        for view in caches.approvals.values():
            await self._one(approval_key(view.name))
        for mirror in caches.mirrors.values():
            await self._one(mirror_key(mirror.name))
        for node in caches.nodes.values():
            await self._one(node_key(node.name))
        keys = {deployment_key(one.namespace, one.name) for one in caches.deployments.values()}
        for volume in caches.volumes.values():
            labels = volume.labels
            keys.add(
                deployment_key(
                    labels["escadre.dev/owner-namespace"], labels["escadre.dev/owner-name"]
                )
            )
        for key in sorted(keys):
            await self._one(key)

    async def _one(self, key: Key) -> None:
        try:
            await reconcile(self.context, key)
        except (Retryable, Conflict):
            return  # comes again with the next round

    def _read_engines(self) -> None:
        memory, now = self.context.memory, self.context.now()
        for pod in self.context.caches.pods.values():
            if pod.component != "engine" or not pod.ready:
                continue
            load = self.world.demand.get(pod.deployment, 0) if pod.serving else 0
            memory.readings[pod.uid] = read(
                memory.readings.get(pod.uid), Demand(load, 0, now), leaving=not pod.serving
            )

    def judge(self, name: str = "chat") -> None:
        """Runs the scaling policy once for a deployment."""
        view = self.context.caches.deployments.get(name, "team")
        if view is not None and self.context.memory.plan is not None:
            DemandLoop(self.context, _unread, lambda _: None).judge(view, self.context.sight())

    async def settle(self, rounds: int = 40) -> int:
        """Rounds until four in a row change nothing; how many it took.

        Four, because a drain counts two readings and a status waits up to 30 s with mere numbers.
        """
        quiet = 0
        for number in range(1, rounds + 1):
            before = self.world.server.version
            self.world.server.advance(11)
            self.world.step()
            await self.round()
            quiet = quiet + 1 if self.world.server.version == before else 0
            if quiet == QUIET_ROUNDS:
                return number
        raise AssertionError(f"still moving after {rounds} rounds: {self.api.writes[-5:]}")

    @property
    def desired(self) -> int:
        """What scaling wants for chat."""
        return self.context.memory.scaled[self.world.mdep()["metadata"]["uid"]].state.desired


async def _unread(_: Target) -> Demand:
    raise AssertionError("the world's engines are read without a connection")
