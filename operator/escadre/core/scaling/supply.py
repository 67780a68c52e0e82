"""Which replicas count as supply, and how many of them may go now. Pure.

A replica that loads will serve, so it counts; given up half-way its GPUs were held for nothing.
"""

from collections.abc import Sequence

from escadre.core.scaling.decision import Asked, Limits, Sample, ScaleState, Seen
from escadre.core.scaling.service import Service

__all__ = ["fewest_by_load", "fewest_by_room", "given_up", "lacking"]


def lacking(samples: Sequence[Sample], service: Service | None, now: float) -> int:
    """Replicas that are there and do not count: stuck, or loading for longer than loads do."""
    stuck = sum(one.phase == "stuck" for one in samples)
    if service is None:
        return stuck
    return stuck + _loading(samples, service.load.nearly_all, now)


def fewest_by_load(
    state: ScaleState, samples: Sequence[Sample], limits: Limits, base: int, now: float
) -> int:
    """To how few of ``base`` it may go for the sake of those that load.

    Those that load leave first, so while one of them may not be given up only as many go as may.
    """
    service = limits.service
    loading = sum(one.phase == "loading" for one in samples)
    if service is None or limits.contended or not loading:
        return 0
    median = service.load.median
    if state.cancelled_at is not None and now - state.cancelled_at < median:
        return base
    kept = _loading(samples, median / 2, now)
    return base - (loading - kept) if kept else 0


def given_up(samples: Sequence[Sample], before: int, desired: int) -> bool:
    """Whether going to ``desired`` ends a load."""
    return desired < before and any(one.phase == "loading" for one in samples)


def fewest_by_room(seen: Seen, asked: Asked, base: int) -> int:
    """To how few of ``base`` it may go that the others have room for what the leaving ones serve.

    None goes while the fullest has more than its capacity: who leaves makes it fuller.
    """
    if asked.capacity is None or not seen.demand:
        return 0
    most = max(asked.capacity.requests, 1.0)
    return base if seen.fullest > most else -int(-seen.demand // most)


def _loading(samples: Sequence[Sample], longer: float, now: float) -> int:
    """Those that load for longer than so many seconds."""
    return sum(
        one.phase == "loading" and one.since is not None and now - one.since > longer
        for one in samples
    )
