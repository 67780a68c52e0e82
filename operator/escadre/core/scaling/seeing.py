"""What is known of the demand of a deployment's replicas, and of which of them nothing is. Pure."""

from collections.abc import Iterable

from escadre.core.scaling.decision import Sample, Seen
from escadre.core.scaling.demand import Demand

__all__ = ["see"]

# One that is stuck says what it holds; what it does not say is no less unknown.
_READY = frozenset({"ready", "unscrapable", "stuck"})


def see(samples: Iterable[Sample], oldest: float) -> Seen:
    """``samples`` in the order of their slots; what was counted before ``oldest`` is not known."""
    readings: list[tuple[int, Demand]] = []
    missing: list[int] = []
    stuck: list[int] = []
    serving, whole = False, True
    for sample in samples:
        if sample.phase == "draining":
            continue
        serving = serving or sample.phase in _READY
        whole = whole and sample.phase != "unread"
        if sample.phase == "stuck":
            stuck.append(sample.slot)
        fresh = _fresh(sample.demand, oldest)
        if fresh is not None:
            readings.append((sample.slot, fresh))
        elif sample.phase in _READY:
            missing.append(sample.slot)
    running = [one.running or 0 for _, one in readings]
    waiting = [one.waiting or 0 for _, one in readings]
    return Seen(
        running=sum(running),
        waiting=sum(waiting),
        fullest=max(map(sum, zip(running, waiting, strict=True)), default=0),
        missing=tuple(missing),
        readings=tuple(readings),
        serving=serving,
        whole=whole and not missing,
        stuck=tuple(stuck),
    )


def _fresh(demand: Demand | None, oldest: float) -> Demand | None:
    """What was read, when both numbers are known and were counted lately."""
    if demand is None or demand.at is None or demand.at < oldest or demand.requests is None:
        return None
    return demand
