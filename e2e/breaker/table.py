"""All cases of the breaker's hour, in their order, and the choice of some. Pure."""

from collections.abc import Sequence
from typing import Final

from e2e.breaker import engines, nodes, platform, refusals, supply
from e2e.breaker.case import Case

__all__ = ["CASES", "chosen"]

CASES: Final[tuple[Case, ...]] = (
    *engines.CASES,
    *refusals.CASES,
    *supply.CASES,
    *platform.CASES,
    *nodes.CASES,
)


def chosen(names: str, cases: Sequence[Case] = CASES) -> tuple[Case, ...]:
    """The cases that CASES= names, in their order; all where it names none."""
    wanted = {one.strip() for one in names.split(",")} - {""}
    if unknown := wanted - {one.name for one in cases}:
        known = ", ".join(one.name for one in cases)
        raise ValueError(f"no case {', '.join(sorted(unknown))}; there are {known}")
    return tuple(one for one in cases if not wanted or one.name in wanted)
