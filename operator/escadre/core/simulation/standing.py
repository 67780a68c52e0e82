"""One replica of a simulated deployment: from its making over loading and serving until it is gone.

fleet.py has them. Pure; the clock is the caller's.
"""

from dataclasses import dataclass

from escadre.core.replicas.drain import Drain
from escadre.core.replicas.rollout import ReplicaView
from escadre.core.scaling.demand import Demand, Reading, read
from escadre.core.simulation.deciding import Phase, Watched
from escadre.core.simulation.engine import Engine

__all__ = ["Standing"]


@dataclass(slots=True)
class Standing:
    """One replica; times in seconds of the simulation.

    ``load``: it began within it. ``reading`` is what the round that carries out knows of it, which
    is of now; ``demand`` what the policy's last scrape brought.
    """

    slot: int
    engine: Engine
    made_at: float
    ready_at: float
    load: bool
    drain: Drain | None = None
    reading: Reading | None = None
    demand: Demand | None = None
    routed: int = 0
    gone_at: float | None = None

    def read(self, now: float) -> Demand | None:
        """What it runs and holds now; None while it loads."""
        self.engine.advance(now)
        if self.ready_at > now:
            return None
        return self.engine.demand(now)

    def observe(self, now: float) -> None:
        """Once a round, as the drain is watched."""
        demand = self.read(now)
        if demand is not None:
            self.reading = read(self.reading, demand, leaving=self.drain is not None)

    def watched(self, now: float) -> Watched:
        """What the policy sees of it."""
        ready = self.ready_at if self.ready_at <= now else None
        phase: Phase = "loading" if ready is None else "ready"
        if self.drain is not None:
            phase = "draining"
        return Watched(self.slot, phase, self.made_at, ready, self.demand)

    @property
    def view(self) -> ReplicaView:
        """What the rollout sees of it."""
        if self.reading is None:
            return ReplicaView(self.slot, state="Loading", current=True, since=self.made_at)
        held = self.reading.demand.requests
        return ReplicaView(self.slot, state="Ready", current=True, drain=self.drain, in_flight=held)

    @property
    def may_go(self) -> bool:
        """Whether nothing is lost with it: it loads, or was drained and is quiet."""
        return self.reading is None or (self.drain is not None and self.reading.idle)
