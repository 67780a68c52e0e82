"""A policy whose numbers come from a peer's own code, in a simulation's terms.

core/simulation asks it as it asks the operator's. What a peer is given of the world: the replicas
that are ready and what they run and hold, those that load, those that drain. What it is not given:
that a load will end soon. Made by the parameters of knative.py and kubernetes.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from e2e.bench.autoscale.peers.process import Look, Peers
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Observation, Policy, Sight
from escadre.core.simulation.replica import ReplicaModel

__all__ = ["Asked", "Contender", "Parameters", "Place", "Values"]

Values: TypeAlias = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a policy decides: its deployment, and the program of the peers."""

    bounds: Bounds
    model: ReplicaModel
    peers: Peers


class Parameters(Protocol):
    """What one of a peer's users sets; as made without arguments, its defaults."""

    def policy(self, place: Place) -> Policy:
        """A fresh policy with these parameters."""
        ...


@dataclass(frozen=True, slots=True)
class Contender:
    """One peer: its defaults, and the values to try of each parameter when it is tuned."""

    name: str
    defaults: Parameters
    space: Values

    def with_values(self, values: Mapping[str, Any]) -> Parameters:
        """Its parameters with other values of some."""
        changed: Parameters = replace(self.defaults, **values)  # type: ignore[type-var]
        return changed


@dataclass(slots=True)
class Asked:
    """One policy in the program; ``every`` and ``sight`` are the peer's own rhythm.

    What it is shown within ``decides`` seconds of a decision goes there with the next one: the
    peer would answer the same number again.
    """

    peers: Peers
    peer: str
    settings: Mapping[str, Any]
    every: float
    sight: Sight
    decides: float = 0.0
    number: int = field(init=False)
    _shown: list[Look] = field(default_factory=list)
    _said: tuple[float, int] | None = None  # when, and the number

    def __post_init__(self) -> None:
        self.number = self.peers.make(self.peer, self.settings)

    def look(self, seen: Observation, now: float) -> int:
        """What it wants."""
        self._shown.append(Look.at_observation(self.number, seen, now))
        if self._said is not None and now - self._said[0] < self.decides:
            return self._said[1]
        found = self.peers.look_all(self._shown)[-1]
        self._shown, self._said = [], (now, found)
        return found

    def end(self) -> None:
        """Lets the program forget it."""
        self.peers.end(self.number)
