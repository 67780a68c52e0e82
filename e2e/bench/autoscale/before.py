"""The policy of 0.1.0, as it decided at its commit 91f58ed (operator/escadre/core/autoscale.py).

Its arithmetic without reasons and messages: ceil(requests / target), up at once, down to the most
that was wanted within the stabilisation time, held while a ready replica is unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from e2e.bench.autoscale.contender import Given, World
from escadre.core.simulation.deciding import Observation, Policy, Sight
from escadre.core.simulation.setting import Scaled

__all__ = ["Before", "before"]


def before(given: Given, world: World) -> Policy:
    """It, as a contender."""
    scaled = world.scenario.scaled(given["minReplicas"], given["target"], given["stable"])
    return Before(scaled, world.sight(Sight(scaled.every)))


@dataclass(slots=True)
class Before:
    """One deployment."""

    scaled: Scaled
    sight: Sight
    desired: int = 0
    started_at: float = 0.0
    history: list[tuple[float, int]] = field(default_factory=list)

    @property
    def every(self) -> float:
        """Of its rounds."""
        return self.scaled.every

    def look(self, seen: Observation, now: float) -> int:
        """The next number of replicas."""
        bounds, windows = self.scaled.bounds, self.scaled.windows
        if seen.told is None:
            self.desired, self.started_at = max(len(seen.staying), bounds.minimum), now
        base = min(max(self.desired, bounds.minimum), bounds.maximum)
        known = list(self._known(seen, now - windows.stale_seconds))
        asked = -(-sum(known) // self.scaled.target)
        wanted = min(max(asked, bounds.minimum), bounds.maximum)
        if len(known) < len(seen.ready):
            wanted = max(wanted, base)
        if not seen.ready:
            wanted = base
        recent = [one for one in self.history if one[0] > now - windows.stabilization_seconds]
        if self.history and now - self.history[-1][0] > windows.stale_seconds:
            self.started_at = now
        self.history = [*(one for one in recent if one[1] > wanted), (now, wanted)]
        observed = now - self.started_at >= windows.stabilization_seconds
        held = max(number for _, number in self.history) if observed else base
        self.desired = max(wanted, min(base, held))
        return self.desired

    @staticmethod
    def _known(seen: Observation, oldest: float) -> Iterator[int]:
        for one in seen.ready:
            demand = one.demand
            if demand is not None and demand.at is not None and demand.at >= oldest:
                yield demand.requests or 0
