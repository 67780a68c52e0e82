"""Where a replica sits: the only word for its place, from the plan to the picture. Pure data.

Its shape (core/engines/shape.py) says how many GPUs share a model, its seats whose they are.
"""

from dataclasses import dataclass

__all__ = ["Seats", "seats_on"]


@dataclass(frozen=True, slots=True)
class Seats:
    """``gpus`` GPUs of ``node``; today all GPUs of a replica are on one node."""

    node: str
    gpus: int


def seats_on(node: str | None, gpus: int) -> Seats | None:
    """None where there is no node."""
    return None if node is None else Seats(node, gpus)
