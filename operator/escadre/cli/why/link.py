"""A link of the chain from a wish to a served model. Pure."""

from dataclasses import dataclass

from escadre.api.base import Condition
from escadre.cli.shared.marks import State

__all__ = ["Link"]


@dataclass(frozen=True, slots=True)
class Link:
    """One step: what it is, how it stands, and in words why."""

    step: str
    state: State
    text: str
    condition: Condition | None = None
    details: tuple[str, ...] = ()
