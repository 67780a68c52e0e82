"""What is known of the demand of a deployment's replicas, and of which of them nothing is. Pure."""

from collections.abc import Sequence

from escadre.core.scaling.decision import Sample, Seen
from escadre.core.scaling.demand import Demand

__all__ = ["see"]

# One that is stuck says what it holds; what it does not say is no less unknown.
_READY = frozenset({"ready", "unscrapable", "stuck"})
_LEAVING = frozenset({"draining", "lost"})


def see(samples: Sequence[Sample], oldest: float) -> Seen:
    """``samples`` in the order of their slots; what was counted before ``oldest`` is not known.

    What lost engines hold is demand that no reading has, for it is no work of any replica.
    """
    readings: list[tuple[int, Demand]] = []
    missing: list[int] = []
    stuck: list[int] = []
    serving, whole = False, True
    for sample in samples:
        if sample.phase in _LEAVING:
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
    held = [*[one for _, one in readings], *_lost(samples)]
    return Seen(
        running=sum([one.running or 0 for one in held]),
        waiting=sum([one.waiting or 0 for one in held]),
        fullest=max([one.requests or 0 for _, one in readings], default=0),
        missing=tuple(missing),
        readings=tuple(readings),
        serving=serving,
        whole=whole and not missing,
        stuck=tuple(stuck),
    )


def _lost(samples: Sequence[Sample]) -> list[Demand]:
    """However long ago it was read: nothing of it moves."""
    return [one.demand for one in samples if one.phase == "lost" and one.demand is not None]


def _fresh(demand: Demand | None, oldest: float) -> Demand | None:
    """What was read, when both numbers are known and were counted lately."""
    if demand is None or demand.at is None or demand.at < oldest or demand.requests is None:
        return None
    return demand
