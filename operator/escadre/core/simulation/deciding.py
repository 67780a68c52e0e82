"""Who decides how many replicas there are in a simulation: the operator's own policy, or another.

fleet.py asks a `Policy` at its own period. What it sees is what its scrapes brought, as old as they
are (`Sight`); that a pod is ready or loads it sees at once, as from the API server. `Product` is
the operator's: core/scaling/step.py decides, nothing of it is written again here. Pure.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from escadre.core.scaling.demand import Demand
from escadre.core.scaling.policy import Sample, ScaleState
from escadre.core.scaling.step import Scalable, step
from escadre.core.simulation.setting import Scaled

__all__ = ["Observation", "Phase", "Policy", "Product", "Sight", "Watched"]

Phase = Literal["loading", "ready", "draining"]


@dataclass(frozen=True, slots=True)
class Sight:
    """How a policy comes by its numbers.

    Args:
        every: seconds between two scrapes of all replicas.
        delay: seconds from a scrape to the first look that has it: 15 each 15 is an age of 15 to
            30 s.
        lost: share of the single scrapes that bring nothing; the numbers before stay.
    """

    every: float
    delay: float = 0.0
    lost: float = 0.0


@dataclass(frozen=True, slots=True)
class Watched:
    """One replica, at a look. Times are seconds of the simulation.

    ``demand`` is the newest that is known, with its time; None before the first. ``ready_at`` is
    None while it loads; a load that failed begins anew and goes on loading.
    """

    slot: int
    phase: Phase
    made_at: float
    ready_at: float | None
    demand: Demand | None


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen at a look.

    ``told`` is the number decided last, None before the first. ``contended``: another deployment
    waits for GPUs.
    """

    replicas: tuple[Watched, ...]
    told: int | None
    contended: bool = False

    @property
    def staying(self) -> tuple[Watched, ...]:
        """Those that are not being drained."""
        return tuple(one for one in self.replicas if one.phase != "draining")

    @property
    def ready(self) -> tuple[Watched, ...]:
        """Those that take requests."""
        return tuple(one for one in self.replicas if one.phase == "ready")


class Policy(Protocol):
    """Decides, each ``every`` seconds, how many replicas there are to be.

    It keeps its own bounds. Replicas beyond the number leave as core/replicas/victims.py chooses.
    """

    @property
    def every(self) -> float:
        """Seconds between two looks; the first is at 0."""
        ...

    @property
    def sight(self) -> Sight:
        """How it comes by its numbers."""
        ...

    def look(self, seen: Observation, now: float) -> int:
        """The number of replicas."""
        ...


@dataclass(slots=True)
class Product:
    """The operator's: reads, and decides on what it read, in one round."""

    scaled: Scaled
    sight: Sight
    state: ScaleState | None = None

    @property
    def every(self) -> float:
        """Of its rounds."""
        return self.scaled.every

    def look(self, seen: Observation, now: float) -> int:
        """As the demand loop of the operator does."""
        scaled = self.scaled
        scalable = Scalable(
            bounds=scaled.bounds,
            approved=True,
            target=scaled.target,
            told=seen.told,
            staying=len(seen.staying),
            service=scaled.service,
            spare=scaled.spare,
            contended=seen.contended,
        )
        samples = [Sample(one.slot, one.phase, one.demand, one.made_at) for one in seen.replicas]
        after = step(self.state, scalable, samples, scaled.windows, now)
        self.state = after.state
        return after.state.desired
