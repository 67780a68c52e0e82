"""More traffic of the same kind: copies of a request log, shifted against each other. Pure."""

import random
from collections.abc import Sequence
from dataclasses import replace

from escadre.core.simulation.replica import Request

__all__ = ["scaled"]


def scaled(requests: Sequence[Request], copies: int, seed: int) -> list[Request]:
    """The log and ``copies`` - 1 more of it, in order of arrival, the first at 0 seconds.

    Each copy begins at a moment of the log drawn by chance and goes on at its beginning, so bursts
    do not fall together. The sum is smoother than ``copies`` times the traffic in truth is, where
    people do things at the same hour.
    """
    rng = random.Random(f"{seed} copies")  # noqa: S311 - draws, not secrets
    begin = min((one.at for one in requests), default=0.0)
    span = max((one.at for one in requests), default=0.0) - begin
    shifts = [0.0, *(rng.uniform(0.0, span) for _ in range(copies - 1))]
    found = [
        replace(one, at=at if (at := one.at - begin + shift) <= span else at - span)
        for shift in shifts
        for one in requests
    ]
    return sorted(found, key=lambda one: (one.at, one.prompt, one.answer))
