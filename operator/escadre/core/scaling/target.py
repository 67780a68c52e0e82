"""How many requests a replica shall hold: the number that scaling aims at.

A fact of scaling, not of the layout: it changes without a new engine. Pure; the scaling policy and
whoever shows the target ask here.
"""

from typing import TypeVar

from escadre.api.deployment import Layout
from escadre.core.scaling.decision import Decision

__all__ = ["beyond_the_batch", "requests_of", "target_queue_depth"]

_Target = TypeVar("_Target", int, int | None)


def target_queue_depth(wished: int | None, layout: Layout | None) -> int | None:
    """What was wished, else three quarters of what a replica takes at once, rounded up.

    None while neither tells.
    """
    if wished is not None or layout is None:
        return wished
    return -(-3 * layout.max_num_seqs // 4)


def beyond_the_batch(wished: int | None, max_num_seqs: int) -> str:
    """What a target brings that is more than a replica runs at once; "" for nothing."""
    if wished is None or wished <= max_num_seqs:
        return ""
    return (
        f"targetQueueDepth {wished:,} is more than the {max_num_seqs:,} requests that a replica "
        f"runs at once, so up to {wished - max_num_seqs:,} wait at each before another is added"
    )


def requests_of(decision: Decision | None, target: _Target) -> int | _Target:
    """The requests of one replica that were decided with, at least 1; ``target`` where it is fixed.

    None while nothing tells.
    """
    asked = decision.asked if decision else None
    if asked is None or asked.capacity is None:
        return target
    return max(1, round(asked.capacity.requests))
