"""A link of the chain from a wish to a served model. Pure."""

from dataclasses import dataclass

from escadre.api.base import Condition
from escadre.cli.shared.marks import State
from escadre.reasons import Reason

__all__ = ["Link"]


@dataclass(frozen=True, slots=True)
class Link:
    """One step: what it is, how it stands, and in words why."""

    step: str
    state: State
    text: str
    condition: Condition | None = None
    details: tuple[str, ...] = ()
    reason: Reason | None = None  # of a link that is no condition

    @property
    def cause(self) -> Reason | None:
        """Why it does not hold: its own reason, or that of its condition."""
        return self.reason or (self.condition.reason if self.condition else None)
