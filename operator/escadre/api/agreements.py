"""What fields of a ModelDeployment's spec must agree on, said once for all who judge.

The rules in CEL stand in the CRD, where the API server refuses; `disagreement` says the same of a
spec that was read, with its values: for `escadre plan`, for objects that got past a CRD of another
version, and for what CEL cannot see. Called where specs are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from escadre.api.deployment import ModelDeploymentSpec
from escadre.api.scaling import Scaling, ServiceLevel
from escadre.cronwindows import never_end, within

__all__ = ["AGREEMENTS", "Agreement", "disagreement"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A rule over ``self``, the spec, and its message; ``fault`` finds the same, "" for nothing.

    ``rule`` is "" for what CEL cannot say.
    """

    fault: Callable[[Scaling, ServiceLevel | None], str]
    rule: str = ""
    message: str = ""


def disagreement(spec: ModelDeploymentSpec) -> str:
    """The first thing that is wrong in a spec, with its place below ``spec``; "" for nothing."""
    scaling, level = spec.scaling, spec.service_level
    return next((said for one in AGREEMENTS if (said := one.fault(scaling, level))), "")


def _readable(scaling: Scaling, _: ServiceLevel | None) -> str:
    """First of all: what cannot be read cannot be compared."""
    for index, one in enumerate(scaling.schedules or ()):
        if one.fault:
            return f"scaling.schedules[{index}].{one.fault}"
    return ""


def _bounds(scaling: Scaling, _: ServiceLevel | None) -> str:
    if scaling.min_replicas <= scaling.max_replicas:
        return ""
    return (
        f"scaling.minReplicas {scaling.min_replicas} is more than maxReplicas "
        f"{scaling.max_replicas}; raise maxReplicas or lower minReplicas"
    )


def _windows(scaling: Scaling, _: ServiceLevel | None) -> str:
    for index, one in enumerate(scaling.schedules or ()):
        if one.min_replicas > scaling.max_replicas:
            return (
                f"scaling.schedules[{index}].minReplicas {one.min_replicas} is more than "
                f"maxReplicas {scaling.max_replicas}; raise maxReplicas or lower it"
            )
    return ""


def _endless(scaling: Scaling, _: ServiceLevel | None) -> str:
    for index, one in enumerate(scaling.schedules or ()):
        if not one.ends:
            return (
                f"scaling.schedules[{index}] ({one.cron}) begins again before its duration "
                f"{one.duration} is over, so it never ends; shorten it, or set "
                f"scaling.minReplicas {one.min_replicas} instead"
            )
    return ""


def _twice(scaling: Scaling, _: ServiceLevel | None) -> str:
    """Windows that are open at the same times, however that is written."""
    for (first, one), (second, other) in combinations(enumerate(scaling.schedules or ()), 2):
        if within(one.opening, (other.opening,)) and within(other.opening, (one.opening,)):
            told = {one.words: None, other.words: None}
            return (
                f"scaling.schedules[{first}] and [{second}] are one window "
                f"({' and '.join(told)}); leave one out"
            )
    return ""


def _endless_together(scaling: Scaling, _: ServiceLevel | None) -> str:
    """Windows that follow each other without a pause: then minReplicas holds at no time."""
    most = scaling.min_replicas
    raising = {i: one for i, one in enumerate(scaling.schedules or ()) if one.min_replicas > most}
    if not raising or not never_end(tuple(one.opening for one in raising.values())):
        return ""
    least = min(one.min_replicas for one in raising.values())
    return (
        f"scaling.schedules {', '.join(f'[{index}]' for index in raising)} together never end, so "
        f"scaling.minReplicas {most} never counts; set scaling.minReplicas {least} and leave out "
        "the windows that ask for no more"
    )


def _spare(scaling: Scaling, _: ServiceLevel | None) -> str:
    spare = scaling.spare_replicas
    if spare is None or spare < scaling.max_replicas:
        return ""
    return (
        f"scaling.spareReplicas {spare} leaves nothing of maxReplicas {scaling.max_replicas} for "
        "the demand; it must be less"
    )


def _one_aim(scaling: Scaling, level: ServiceLevel | None) -> str:
    if scaling.target_queue_depth is None or level is None:
        return ""
    return (
        f"scaling.targetQueueDepth {scaling.target_queue_depth} says how much a replica holds, and "
        "serviceLevel asks the operator to reckon that; leave one of them out"
    )


_HAS_SCHEDULES: Final = "!has(self.scaling) || !has(self.scaling.schedules) || "

AGREEMENTS: Final = (
    Agreement(_readable),  # the CRD has patterns for it
    Agreement(
        _bounds,
        "!has(self.scaling) || !has(self.scaling.minReplicas) || "
        "!has(self.scaling.maxReplicas) || "
        "self.scaling.minReplicas <= self.scaling.maxReplicas",
        "scaling.minReplicas must not be more than scaling.maxReplicas",
    ),
    Agreement(
        _windows,
        f"{_HAS_SCHEDULES}!has(self.scaling.maxReplicas) || "
        "self.scaling.schedules.all(one, one.minReplicas <= self.scaling.maxReplicas)",
        "minReplicas of a schedule must not be more than scaling.maxReplicas",
    ),
    Agreement(_endless),
    Agreement(
        _twice,
        f"{_HAS_SCHEDULES}self.scaling.schedules.all(one, self.scaling.schedules.exists_one(other, "
        "one.cron == other.cron && one.timeZone == other.timeZone "
        "&& one.duration == other.duration))",
        "two scaling.schedules have the same cron, timeZone and duration; leave one out",
    ),
    Agreement(_endless_together),
    Agreement(
        _spare,
        "!has(self.scaling) || !has(self.scaling.spareReplicas) || "
        "!has(self.scaling.maxReplicas) || "
        "self.scaling.spareReplicas < self.scaling.maxReplicas",
        "scaling.spareReplicas must be less than scaling.maxReplicas: the rest is for the demand",
    ),
    Agreement(
        _one_aim,
        "!has(self.scaling) || !has(self.scaling.targetQueueDepth) || !has(self.serviceLevel)",
        "scaling.targetQueueDepth says how much a replica holds, and serviceLevel asks the "
        "operator to reckon that: leave one of them out",
    ),
)
