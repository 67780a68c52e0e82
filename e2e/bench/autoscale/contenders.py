"""Who decides: this build, with and without what it learns, 0.1.0, the peers, and what bounds them.

A contender has settings: its defaults, and others that tuning may try, as many for each. All have
minReplicas among them, and the same maxReplicas, traffic, routes, loads and drains.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Literal, TypeAlias

from e2e.bench.autoscale.before import Before
from e2e.bench.autoscale.oracle import Clairvoyant
from e2e.bench.autoscale.peers.asked import Contender as Peer
from e2e.bench.autoscale.peers.asked import Place
from e2e.bench.autoscale.peers.build import provide
from e2e.bench.autoscale.peers.knative import KNATIVE_SPACE, Knative
from e2e.bench.autoscale.peers.kubernetes import HORIZONTAL_SPACE, Horizontal, Keda
from e2e.bench.autoscale.peers.process import Peers
from e2e.bench.autoscale.peers.wva import WVA_SPACE, WorkloadVariant
from e2e.bench.autoscale.scenarios import MODEL, TARGET, Scenario
from escadre.core.scaling.service import LoadTime, Service, ServiceLevel
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Observation, Policy, Product, Sight
from escadre.core.simulation.replica import ReplicaModel, Request

__all__ = ["CONTENDERS", "Contender", "Given", "Settings", "World"]

Settings: TypeAlias = tuple[tuple[str, Any], ...]
Given: TypeAlias = Mapping[str, Any]
_TRIED: Final = 16  # settings of each contender, its defaults among them
_MINIMA: Final = (1, 2, 3, 4, 5, 6, 8)
_STABLE: Final = (60, 180, 300)
_DEFAULT_STABLE: Final = 300  # of little effect without a fixed target, so it is not tried there


@dataclass(frozen=True, slots=True)
class World:
    """What a policy is made for: one deployment of a run. ``requests`` are for the oracle alone."""

    scenario: Scenario
    model: ReplicaModel
    requests: Sequence[Request]

    def sight(self, own: Sight) -> Sight:
        """How it comes by its numbers: its own way, unless the scenario says how all do."""
        return self.scenario.sight or own


@dataclass(frozen=True, slots=True)
class Contender:
    """``kind``: ours, a peer to be compared with, or a bound."""

    name: str
    kind: Literal["ours", "peer", "bound"]
    default: Given
    space: Mapping[str, Sequence[Any]]
    make: Callable[[Given, World], Policy]

    def settings(self) -> list[Settings]:
        """The defaults, then others of the space, drawn once and for all."""
        rng = random.Random(f"settings of {self.name}")  # noqa: S311 - draws, not secrets
        found = {tuple(sorted(self.default.items())): None}
        for _ in range(50 * _TRIED):
            if len(found) < _TRIED:
                drawn = {name: rng.choice(values) for name, values in sorted(self.space.items())}
                found[tuple(sorted(drawn.items()))] = None
        return list(found)


@dataclass(slots=True)
class _Static:
    """So many replicas, whatever comes."""

    number: int
    every: float = 60.0
    sight: Sight = Sight(math.inf)  # noqa: RUF009 - frozen

    def look(self, seen: Observation, now: float) -> int:
        """The number."""
        del seen, now
        return self.number


def _escadre(given: Given, world: World) -> Policy:
    """Without a target it is told what a replica should do, and learns what it does.

    Its loads it measures in a cluster; here it is told their median.
    """
    target = given.get("target")
    stable = given.get("stable", _DEFAULT_STABLE)
    scaled = world.scenario.scaled(given["minReplicas"], target or TARGET, stable)
    if target is None:
        share = given["percentile"] / 100
        level = ServiceLevel(given["firstToken"], given["betweenTokens"], share)
        scaled = replace(scaled, service=_service(world, level), spare=given["spareReplicas"])
    return Product(scaled, world.sight(Sight(scaled.every)))


def _service(world: World, level: ServiceLevel) -> Service:
    """The prior is the estimate for the model, whatever step model the engines have."""
    return Service(MODEL.prior, level, LoadTime.about(world.scenario.cold.median))


def _before(given: Given, world: World) -> Policy:
    scaled = world.scenario.scaled(given["minReplicas"], given["target"], given["stable"])
    return Before(scaled, world.sight(Sight(scaled.every)))


def _static(given: Given, world: World) -> Policy:
    return _Static(min(given["minReplicas"], world.scenario.trace.most))


def _oracle(given: Given, world: World) -> Policy:
    return Clairvoyant(
        world.scenario.scaled(given["minReplicas"]),
        world.requests,
        world.model,
        given["window"],
        given["use"],
        given["ahead"] * world.scenario.cold.median,
    )


@cache
def _peers() -> Peers:
    """One program for each worker; at the end of the worker it goes by itself."""
    return Peers(provide(print))


def _peer(name: str, peer: Peer, tuned: Mapping[str, Sequence[Any]], **default: Any) -> Contender:
    """What of a peer is tuned, of all that it could be: with few trials more would find less."""

    def make(given: Given, world: World) -> Policy:
        values = {key: value for key, value in given.items() if key != "minReplicas"}
        bounds = Bounds(given["minReplicas"], world.scenario.trace.most)
        policy = peer.with_values(values).policy(Place(bounds, world.model, _peers()))
        if world.scenario.sight is not None:
            policy = _Aged(policy, world.scenario.sight)
        return policy

    return Contender(
        name, "peer", {"minReplicas": 1, **default}, {"minReplicas": _MINIMA, **tuned}, make
    )


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


_FIXED: Final = {"minReplicas": _MINIMA, "target": (4, 8, 12, 16, 24, 30), "stable": _STABLE}
_HPA: Final = {
    "signal": ("waiting", "requests"),
    "target": (2.0, 5.0, 10.0, 20.0, 40.0),
    "down_window": (60, 300, 1200),
}

CONTENDERS: Final = (
    Contender(
        "escadre",
        "ours",
        {
            "minReplicas": 1,
            "firstToken": ServiceLevel().time_to_first_token,
            "betweenTokens": ServiceLevel().inter_token_latency,
            "percentile": 95,
            "spareReplicas": 0,
        },
        {
            "minReplicas": (1, 2, 3, 5),
            "firstToken": (2.0, 10.0),
            "betweenTokens": (0.2, 0.5),
            "percentile": (80, 90, 95),
            "spareReplicas": (0,),
        },
        _escadre,
    ),
    Contender(
        "escadre, fixed target",
        "ours",
        {"minReplicas": 1, "target": TARGET, "stable": 300},
        _FIXED,
        _escadre,
    ),
    Contender(
        "0.1.0", "ours", {"minReplicas": 1, "target": TARGET, "stable": 300}, _FIXED, _before
    ),
    _peer(
        "HPA, AverageValue",
        Peer("hpa", Horizontal(), HORIZONTAL_SPACE),
        {**_HPA, "kind": ("pods", "average")},
        kind="pods",
    ),
    _peer(
        "HPA, Value",
        Peer("hpa", Horizontal(), HORIZONTAL_SPACE),
        {**_HPA, "kind": ("value",)},
        kind="value",
    ),
    _peer(
        "KEDA",
        Peer("keda", Keda(), HORIZONTAL_SPACE),
        {**_HPA, "kind": ("average", "value")},
        kind="average",
    ),
    _peer(
        "KPA",
        Peer("kpa", Knative(), KNATIVE_SPACE),
        {
            "target": (4.0, 8.0, 16.0, 32.0, 64.0, 100.0),
            "window": (30, 60, 300),
            "scale_down_delay": (0, 120, 300, 900),
        },
    ),
    _peer(
        "WVA V2",
        Peer("wva", WorkloadVariant(), WVA_SPACE),
        {
            "scale_up": (0.5, 0.7, 0.85),
            "scale_down": (0.3, 0.5, 0.7),
            "up_window": (0, 30, 240),
            "down_window": (60, 240, 600),
        },
    ),
    Contender("static", "peer", {"minReplicas": 64}, {"minReplicas": tuple(range(1, 16))}, _static),
    Contender(
        "clairvoyant",
        "bound",
        {"minReplicas": 1, "window": 20, "use": 0.6, "ahead": 1.4},
        {
            "minReplicas": (1,),
            "window": (5, 20, 60),
            "use": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
            "ahead": (1.2, 1.5),
        },
        _oracle,
    ),
)
