"""What of a ModelDeployment's spec changes nothing beside the rest of it: told, never refused.

It fights nothing, but somebody meant it. Asked by `escadre plan` and `escadre status`, of a spec in
which escadre.api.agreements finds no fault.
"""

from collections.abc import Iterator

from escadre.api.deployment import ModelDeploymentSpec
from escadre.api.scaling import Scaling
from escadre.cronwindows import within

__all__ = ["idle_parts"]


def idle_parts(spec: ModelDeploymentSpec) -> list[str]:
    """A sentence for each, with its place below ``spec``."""
    return [*_windows(spec.scaling), *_fixed(spec)]


def _windows(scaling: Scaling) -> Iterator[str]:
    """Those below what there is without them, and those that others of as many replicas cover."""
    windows = dict(enumerate(scaling.schedules or ()))
    spare = scaling.spare_replicas or 0
    for index in sorted(windows, key=lambda number: (windows[number].min_replicas, -number)):
        one = windows.pop(index)
        if one.min_replicas <= scaling.min_replicas:
            yield (
                f"scaling.schedules[{index}].minReplicas {one.min_replicas} has no effect: "
                f"scaling.minReplicas is {scaling.min_replicas}"
            )
            continue
        if one.min_replicas <= spare:
            yield (
                f"scaling.schedules[{index}].minReplicas {one.min_replicas} has no effect: "
                f"scaling.spareReplicas is {spare}, and so many are there without any demand"
            )
            continue
        others = [other for other in windows.values() if other.min_replicas >= one.min_replicas]
        if others and within(one.opening, tuple(other.opening for other in others)):
            yield (
                f"scaling.schedules[{index}] ({one.words}) has no effect: whenever it is open, "
                f"other windows ask for {one.min_replicas} or more"
            )
        else:
            windows[index] = one


def _fixed(spec: ModelDeploymentSpec) -> Iterator[str]:
    """What moves a number that cannot move."""
    scaling = spec.scaling
    if scaling.min_replicas < scaling.max_replicas:
        return
    given = {
        "scaling.spareReplicas": scaling.spare_replicas,
        "scaling.targetQueueDepth": scaling.target_queue_depth,
        "serviceLevel": spec.service_level,
    }
    for name, value in given.items():
        if value:
            yield (
                f"{name} has no effect on the number of replicas: scaling.minReplicas and "
                f"maxReplicas are both {scaling.max_replicas}"
            )
