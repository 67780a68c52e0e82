"""How far a pull is: the numbers that meter, node, planner, deployment and screen tell alike."""

from typing import Annotated

from pydantic import Field

from escadre.api.base import Bytes, Model

__all__ = ["Progress"]


class Progress(Model):
    """A pull at one moment. What tells of weights has these numbers among its own fields."""

    bytes_done: Bytes = Field(default=0, description="Verified bytes.")
    bytes_total: Bytes = Field(default=0, description="Bytes of all files; 0 while unknown.")
    bytes_per_second: Bytes = Field(default=0, description="Current rate.")
    eta_seconds: Annotated[int, Field(ge=0, le=1 << 31)] | None = Field(
        default=None, description="Seconds until done at the current rate."
    )

    def numbers(self) -> dict[str, int | None]:
        """The numbers alone, for another that tells the same."""
        return {name: getattr(self, name) for name in Progress.model_fields}
