"""This build's policy as a contender: with what it is told and learns, or with a fixed target."""

from dataclasses import replace
from typing import Final

from e2e.bench.autoscale.contender import Given, World
from e2e.bench.autoscale.scenarios import LEVELS, MODEL, TARGET
from escadre.core.scaling.service import LoadTime, Service, ServiceLevel
from escadre.core.simulation.deciding import Policy, Product, Sight

__all__ = ["escadre"]

_DEFAULT_STABLE: Final = 300  # of little effect without a fixed target, so it is not tried there


def escadre(given: Given, world: World) -> Policy:
    """Without a target it is told what a replica should do, and learns what it does.

    Its loads it measures in a cluster; here it is told their median.
    """
    target = given.get("target")
    stable = given.get("stable", _DEFAULT_STABLE)
    scaled = world.scenario.scaled(given["minReplicas"], target or TARGET, stable)
    if target is None:
        asked = next(one.objective for one in LEVELS if one.name == given["objective"])
        level = ServiceLevel(asked.first_token, asked.between_tokens, given["percentile"] / 100)
        scaled = replace(scaled, service=_service(world, level))
    return Product(scaled, world.sight(Sight(scaled.every)))


def _service(world: World, level: ServiceLevel) -> Service:
    """The prior is the estimate for the model, whatever step model the engines have."""
    return Service(MODEL.prior, level, LoadTime.about(world.scenario.cold.median))
