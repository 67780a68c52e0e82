"""The peers as contenders: their own code in a program of each worker, or a number that stands."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from e2e.bench.autoscale.contender import Given, World
from e2e.bench.autoscale.peers.asked import Contender as Peer
from e2e.bench.autoscale.peers.asked import Place
from e2e.bench.autoscale.peers.build import provide
from e2e.bench.autoscale.peers.process import Peers
from e2e.bench.autoscale.peers.static import Standing
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Observation, Policy, Sight

__all__ = ["asked", "standing"]

_NEVER: Final = Sight(math.inf)


def standing(given: Given, world: World) -> Policy:
    """So many replicas, whatever comes."""
    return Standing(min(given["minReplicas"], world.scenario.trace.most), sight=_NEVER)


def asked(peer: Peer) -> Callable[[Given, World], Policy]:
    """Makes policies of a peer: its parameters, and the bounds of the deployment."""

    def make(given: Given, world: World) -> Policy:
        values = {key: value for key, value in given.items() if key != "minReplicas"}
        bounds = Bounds(given["minReplicas"], world.scenario.trace.most)
        policy = peer.with_values(values).policy(Place(bounds, world.model, _peers()))
        if world.scenario.sight is not None:
            policy = _Aged(policy, world.scenario.sight)
        return policy

    return make


@cache
def _peers() -> Peers:
    """One program for each worker; at the end of the worker it goes by itself."""
    return Peers(provide(print))


@dataclass(slots=True)
class _Aged:
    """A policy that comes by its numbers another way than its own."""

    inner: Policy
    sight: Sight

    @property
    def every(self) -> float:
        """Its own."""
        return self.inner.every

    def look(self, seen: Observation, now: float) -> int:
        """It decides."""
        return self.inner.look(seen, now)

    def end(self) -> None:
        """Forgets it, where it is kept elsewhere."""
        end = getattr(self.inner, "end", None)
        if end is not None:
            end()
