"""What a simulated deployment is given, beside its requests. Pure data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

from escadre.core.scaling.policy import Windows
from escadre.core.scaling.service import Service, ServiceLevel
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.replica import Job, ReplicaModel

__all__ = ["ColdStart", "Objective", "Routing", "Scaled", "Setting"]

# random: as a Service does for each connection, with one request on it. least-loaded: as a gateway
# does that counts the requests of each replica.
Routing = Literal["random", "least-loaded"]

_SLOW: Final = 4.0


@dataclass(frozen=True, slots=True)
class ColdStart:
    """From the decision to a ready replica: log-normal, in seconds.

    Args:
        median: seconds.
        spread: the standard deviation of the logarithm.
        failing: share of the loads that fail at their end and begin anew, as a container does.
        slow: share of the loads that take ``_SLOW`` times as long.
    """

    median: float
    spread: float = 0.2
    failing: float = 0.0
    slow: float = 0.0

    def draw(self, rng: Random) -> float:
        """Seconds of one load, with all that failed before it went well."""
        seconds = 0.0
        while True:
            one = self.median * math.exp(rng.gauss(0.0, self.spread))
            slow, fails = rng.random() < self.slow, rng.random() < self.failing
            seconds += one * (_SLOW if slow else 1.0)
            if not fails:
                return seconds


@dataclass(frozen=True, slots=True)
class Objective:
    """What a request counts as served well by: seconds to its first token, and between two."""

    first_token: float
    between_tokens: float

    @staticmethod
    def of(level: ServiceLevel) -> "Objective":
        """What a service level asks of each request of its share."""
        return Objective(level.time_to_first_token, level.inter_token_latency)

    def met_by(self, job: Job) -> bool:
        """Whether an answered request was; between its tokens, on average."""
        gaps = job.request.answer - 1
        slow = gaps and (job.last_at - job.first_at) / gaps > self.between_tokens
        return job.first_at - job.request.at <= self.first_token and not slow


@dataclass(frozen=True, slots=True)
class Scaled:
    """How the operator scales: the spec's bounds and target, its windows, seconds between reads.

    ``service`` is what it is told of a replica; None where ``target`` is fixed.
    """

    bounds: Bounds
    target: int
    windows: Windows
    every: float
    service: Service | None = None
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """All of it; the same ``seed`` draws the same loads and the same routes.

    ``beside`` are further objectives to judge the same requests by. ``odd`` are replicas that are
    another than ``model``, by slot: one on a slow node. ``begin`` replicas are ready at the
    beginning, minReplicas at least. What was before ``counted_from`` seconds is played and not
    counted: a policy that learns has seen traffic by then, as in a cluster that has run for long.
    """

    model: ReplicaModel
    scaled: Scaled
    cold: ColdStart
    objective: Objective
    routing: Routing = "random"
    seed: int = 0
    beside: tuple[Objective, ...] = ()
    odd: Mapping[int, ReplicaModel] = field(default_factory=dict)
    begin: int = 0
    counted_from: float = 0.0
