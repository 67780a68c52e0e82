"""What a simulated deployment is given, beside its requests. Pure data."""

from dataclasses import dataclass
from typing import Literal

from escadre.core.scaling.policy import Windows
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.replica import Job, ReplicaModel

__all__ = ["ColdStart", "Objective", "Routing", "Scaled", "Setting"]

# random: as a Service does for each connection, with one request on it. least-loaded: as a gateway
# does that counts the requests of each replica.
Routing = Literal["random", "least-loaded"]


@dataclass(frozen=True, slots=True)
class ColdStart:
    """From the decision to a ready replica: log-normal, in seconds.

    ``spread`` is the standard deviation of the logarithm.
    """

    median: float
    spread: float = 0.2


@dataclass(frozen=True, slots=True)
class Objective:
    """What a request counts as served well by: seconds to its first token, and between two."""

    first_token: float
    between_tokens: float

    def met_by(self, job: Job) -> bool:
        """Whether an answered request was; between its tokens, on average."""
        gaps = job.request.answer - 1
        slow = gaps and (job.last_at - job.first_at) / gaps > self.between_tokens
        return job.first_at - job.request.at <= self.first_token and not slow


@dataclass(frozen=True, slots=True)
class Scaled:
    """How the operator scales: the spec's bounds and target, its windows, seconds between reads."""

    bounds: Bounds
    target: int
    windows: Windows
    every: float


@dataclass(frozen=True, slots=True)
class Setting:
    """All of it; the same ``seed`` draws the same loads and the same routes."""

    model: ReplicaModel
    scaled: Scaled
    cold: ColdStart
    objective: Objective
    routing: Routing = "random"
    seed: int = 0
