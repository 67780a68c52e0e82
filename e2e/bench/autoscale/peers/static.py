"""As many replicas as the peak needs, always: what is done where nothing scales."""

from dataclasses import dataclass
from typing import Final

from e2e.bench.autoscale.peers.asked import Place, Values
from escadre.core.simulation.deciding import Observation, Sight

__all__ = ["STATIC_SPACE", "Static"]

STATIC_SPACE: Final[Values] = {"replicas": tuple(range(1, 65))}
_NONE: Final = Sight(60.0)


@dataclass(frozen=True, slots=True)
class Static:
    """``replicas``, or the most that the bounds allow where None is said."""

    replicas: int | None = None

    def policy(self, place: Place) -> "Standing":
        """Within the bounds."""
        bounds = place.bounds
        wished = bounds.maximum if self.replicas is None else self.replicas
        return Standing(max(bounds.minimum, min(wished, bounds.maximum)))


@dataclass(frozen=True, slots=True)
class Standing:
    """A number that stands."""

    replicas: int
    every: float = 60.0
    sight: Sight = _NONE

    def look(self, seen: Observation, now: float) -> int:  # noqa: ARG002 - a policy's signature
        """The same, whatever is seen."""
        return self.replicas
